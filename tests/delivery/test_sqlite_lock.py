"""With SQLite as a new project has it, the worker makes no transaction of the project's fail."""

import textwrap
from pathlib import Path

import pytest

from tests.recording import Project

pytestmark = pytest.mark.processes

PLAIN = """
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": BASE_DIR / "db.sqlite3",
        "OPTIONS": {"init_command": "PRAGMA journal_mode=JOURNAL"},
    }
}
"""

# A thread in a transaction that does not end before it is asked to.
ANOTHER_INSIDE = """
import threading

begun, over = threading.Event(), threading.Event()

def stay_inside():
    with transaction.atomic():
        Group.objects.count()
        begun.set()
        over.wait(100)
    connections.close_all()

thread = threading.Thread(target=stay_inside)
thread.start()
begun.wait()
"""


@pytest.fixture(params=["DELETE", "WAL"])
def project(tmp_path: Path, request: pytest.FixtureRequest) -> Project:
    made = Project.migrated(tmp_path / "project")
    with (made.folder / "settings.py").open("a") as settings:
        settings.write(PLAIN.replace("JOURNAL", request.param))
    made.execute(f"PRAGMA journal_mode={request.param}")
    return made


def test_a_transaction_that_reads_and_then_writes_is_never_refused(project: Project) -> None:
    process = project.run(
        """
        import threading
        from django.core.signals import request_started

        over = threading.Event()

        def keep_the_writer_busy():
            while not over.wait(0.001):
                request_started.send(None, environ={})

        thread = threading.Thread(target=keep_the_writer_busy)
        thread.start()
        try:
            for number in range(200):
                with transaction.atomic():
                    count = Group.objects.count()
                    Group.objects.create(name=f"group {number} of {count}")
        finally:
            over.set()
            thread.join()
        assert flush(30)
        """,
        setting={"FLUSH_INTERVAL": 0.001},
    )
    assert process.stderr == ""
    saved = project.events("signal = 'post_save' AND sender = 'auth.Group'")
    assert [row["outcome"] for row in saved] == ["committed"] * 200


def test_a_long_transaction_keeps_its_events_until_it_ends(project: Project) -> None:
    project.run(
        """
        with transaction.atomic():
            Group.objects.create(name="slow")
            assert not flush(0.5)
        assert flush(30)
        """
    )
    saved = project.events("signal = 'post_save' AND sender = 'auth.Group'")
    assert [row["outcome"] for row in saved] == ["committed"]


def test_endless_transactions_let_the_writer_in_between(project: Project) -> None:
    """Two threads, one of which is always in a transaction that only reads."""
    process = project.run(
        """
        import threading, time

        over = threading.Event()

        def always_inside(pause):
            time.sleep(pause)
            while not over.is_set():
                with transaction.atomic():
                    Group.objects.count()
                    time.sleep(0.05)
            connections.close_all()

        threads = [threading.Thread(target=always_inside, args=[p]) for p in (0, 0.025)]
        for thread in threads:
            thread.start()
        stored = flush(20)
        over.set()
        for thread in threads:
            thread.join()
        assert stored
        """
    )
    assert process.stderr == ""


def test_a_long_transaction_does_not_hold_up_the_others(project: Project) -> None:
    process = project.run(
        ANOTHER_INSIDE
        + textwrap.dedent(
            """
            assert not flush(3)  # by now the writer wants its turn badly
            for _ in range(100):
                with transaction.atomic():
                    Group.objects.count()
            over.set()
            thread.join()
            assert flush(30)
            """
        )
    )
    assert process.stderr == ""


@pytest.mark.parametrize("project", ["WAL"], indirect=True)  # else readers keep writers waiting
def test_a_forked_child_waits_for_no_thread_of_its_parent_s(project: Project) -> None:
    project.run(
        ANOTHER_INSIDE
        + textwrap.dedent(
            """
            pid = os.fork()
            if not pid:
                Group()
                os._exit(0 if flush(30) else 1)
            ended = os.waitpid(pid, 0)[1]
            over.set()
            thread.join()
            assert ended == 0
            """
        )
    )
