"""What processes left in their journals when they died is stored, once."""

import json
import os
import shutil
import signal
from collections import Counter
from http.client import HTTPException

import pytest

from tests.delivery.journals import BUSY, files, killed, recovered, setting
from tests.recording import Project
from tests.servers import GUNICORN, Load, get, running, until

pytestmark = pytest.mark.processes


def test_what_a_killed_process_left_is_stored_by_the_command(project: Project) -> None:
    killed(project)
    assert project.events() == []
    assert "Recovered" in recovered(project)
    assert files(project) == []
    saves = [row for row in project.events() if row["signal"] == "post_save"]
    assert Counter(row["outcome"] for row in saves) == {"committed": 31, "rolled_back": 1}
    assert json.loads(saves[-1]["changes"])["name"] == [None, "in vain"]
    assert project.has_no_gaps()


def test_what_a_killed_process_left_is_stored_by_the_next_one(project: Project) -> None:
    killed(project)
    project.run("Group.objects.create(name='next'); flush()", setting=setting(project))
    assert len(project.events("signal = 'post_save'")) == 33
    assert files(project) == []


@pytest.mark.parametrize(
    ("options", "times"), [([], 3), (["--preload"], 12)], ids=["lazy", "preload"]
)
def test_killed_again_and_again_under_load_nothing_is_lost_or_doubled(
    project: Project, options: list[str], times: int
) -> None:
    environment = {"SIGNALS_DEMO": json.dumps(setting(project, FLUSH_INTERVAL=0.05))}
    command = [*GUNICORN, "--workers=2", "--threads=4", *options]
    with (
        running(project, *command, **environment) as (address, _server),
        Load(f"{address}/save/") as load,
    ):
        for _ in range(times):
            load.more(10)
            os.kill(int(get(f"{address}/save/")), signal.SIGKILL)
            until(lambda: _answers(address))
    recovered(project)
    assert files(project) == []
    # Each thread may have been about to write one, with a later one of another's there already.
    assert all(missing <= 4 for missing in project.gaps().values())
    saved = Counter(row["object_pk"] for row in project.events("signal = 'post_save'"))
    counted = Counter((project.folder / "done").read_text().split())
    assert len(counted) > 10 * times
    # The key of a save that was rolled back by the kill is given again.
    assert not counted - saved
    # At most what each of the four threads was just doing, each time.
    assert (saved - counted).total() <= times * 4


def _answers(address: str) -> bool:
    try:
        return bool(get(f"{address}/save/"))
    except (OSError, HTTPException):
        return False


def test_the_journal_of_a_running_process_is_left_alone(project: Project) -> None:
    code = BUSY + "print('ready', flush=True)\nimport time\ntime.sleep(60)\n"
    with project.running(code, setting=setting(project)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        before = files(project)
        assert "Nothing to recover" in recovered(project)
        assert files(project) == before
        assert project.events() == []
        process.kill()
        process.wait()
    assert "of 1 process" in recovered(project)
    assert project.has_no_gaps()


def test_two_at_once_store_it_once(project: Project) -> None:
    killed(project)
    (project.folder / "journal").rename(project.folder / "left")
    project.run(
        """
        import shutil
        from django.core.management import call_command
        for _ in range(10):
            shutil.copytree("left", "journal", dirs_exist_ok=True)
            connections.close_all()
            begin = os.pipe()
            children = []
            for _ in range(2):
                if not (pid := os.fork()):
                    os.close(begin[1])
                    os.read(begin[0], 1)  # ends for both at once
                    call_command("signals_recover", verbosity=0)
                    sys.exit()
                children.append(pid)
            os.close(begin[0])
            os.close(begin[1])
            assert [os.waitpid(pid, 0)[1] for pid in children] == [0, 0]
            assert os.listdir("journal") == []
            with connection.cursor() as cursor:
                count = "SELECT count(*) FROM signals_demo_signalevent WHERE signal = 'post_save'"
                assert cursor.execute(count).fetchone() == (32,)
                cursor.execute("DELETE FROM signals_demo_signalevent")
        """,
        setting=setting(project, SIGNALS=[]),
    )


def test_recovering_twice_stores_once(project: Project) -> None:
    killed(project)
    shutil.copytree(project.folder / "journal", project.folder / "kept")
    recovered(project)
    before = [tuple(row) for row in project.events()]
    shutil.rmtree(project.folder / "journal")
    (project.folder / "kept").rename(project.folder / "journal")
    recovered(project)
    assert [tuple(row) for row in project.events()] == before
