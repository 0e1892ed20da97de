"""Processes that end without `atexit`: what they captured is stored."""

import pytest
from django.conf import settings

from tests.recording import Project

pytestmark = [
    pytest.mark.processes,
    pytest.mark.applies(settings.TEST_DATABASE == "sqlite"),  # once is enough
]

# Nothing is stored before the end of a process, unless something asks for it.
NEVER = {"FLUSH_INTERVAL": 600}

SAVE = """
import multiprocessing, os, signal, time
from concurrent.futures import ProcessPoolExecutor

def save(name):
    Group.objects.create(name=str(name))
"""


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project.migrated(tmp_path_factory.mktemp("exits") / "project")


@pytest.fixture
def project(migrated: Project) -> Project:
    migrated.forget()
    migrated.execute("DELETE FROM auth_group")
    return migrated


def saved(project: Project) -> list[str]:
    """Return the keys of the groups of whose saves the events are stored."""
    rows = project.events("signal = 'post_save' AND sender = 'auth.Group'")
    groups = project.query("SELECT id, name FROM auth_group")
    names = {str(row["id"]): row["name"] for row in groups}
    return sorted(names.get(row["object_pk"], "gone") for row in rows)


ENDS = {
    "os._exit() after a fork": """
        for name in "ab":
            pid = os.fork()
            if not pid:
                save(name)
                os._exit(3)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3
    """,
    "the end of a pool's block": """
        with multiprocessing.get_context("fork").Pool(2) as pool:
            pool.map(save, "ab", chunksize=1)
    """,
    "a pool's terminate()": """
        pool = multiprocessing.get_context("fork").Pool(1)
        for name in "ab":
            pool.apply(save, [name])
        pool.terminate()
        pool.join()
    """,
    "a pool that is closed": """
        pool = multiprocessing.get_context("fork").Pool(1, maxtasksperchild=1)
        list(pool.imap(save, "ab"))
        pool.close()
        pool.join()
    """,
    "a process that is terminated while it waits": """
        def work(done):
            save("a")
            save("b")
            done.set()
            time.sleep(60)

        context = multiprocessing.get_context("fork")
        done = context.Event()
        child = context.Process(target=work, args=[done])
        child.start()
        done.wait(20)
        child.terminate()
        child.join(20)
        assert child.exitcode == -signal.SIGTERM, child.exitcode
    """,
    "an executor": """
        context = multiprocessing.get_context("fork")
        with ProcessPoolExecutor(2, mp_context=context) as executor:
            list(executor.map(save, "ab"))
    """,
    "a handler of the project's": """
        def work(done):
            signal.signal(signal.SIGTERM, lambda *args: os._exit(7))
            save("a")
            save("b")
            done.set()
            time.sleep(60)

        context = multiprocessing.get_context("fork")
        done = context.Event()
        child = context.Process(target=work, args=[done])
        child.start()
        done.wait(20)
        child.terminate()
        child.join(20)
        assert child.exitcode == 7, child.exitcode
    """,
    "an exit in a thread": """
        import threading
        pid = os.fork()
        if not pid:
            save("a")
            save("b")
            threading.Thread(target=os._exit, args=[0]).start()
            time.sleep(60)
        os.waitpid(pid, 0)
    """,
    "an exit that closes its transaction": """
        pid = os.fork()
        if not pid:
            with transaction.atomic():
                save("a")
                save("b")
            with transaction.atomic():
                os._exit(0)
        os.waitpid(pid, 0)
    """,
}

# Ends by SIGTERM of which the main thread does not hear by itself.
UNHEARD = {
    # As when the signal comes just before the main thread waits: nothing interrupts that.
    "while it waits for a lock": (
        """
def wait():
    import threading
    def send():
        time.sleep(0.3)
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
    threading.Thread(target=send).start()
    context.Semaphore(0).acquire()
""",
        -15,
    ),
    "while a driver waits for its database": (
        """
def wait():
    import sqlite3
    first, second = (sqlite3.connect("other", timeout=60) for _ in range(2))
    first.execute("BEGIN EXCLUSIVE")
    def send():
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGTERM)
    import threading
    threading.Thread(target=send).start()
    second.execute("BEGIN EXCLUSIVE")
""",
        143,
    ),
}


@pytest.mark.parametrize("end", UNHEARD)
def test_a_child_that_does_not_hear_of_sigterm_ends_all_the_same(
    project: Project, end: str
) -> None:
    wait, status = UNHEARD[end]
    project.run(
        SAVE
        + wait
        + f"""
def work():
    save("a")
    save("b")
    wait()

context = multiprocessing.get_context("fork")
child = context.Process(target=work)
child.start()
child.join(20)
assert child.exitcode == {status}, child.exitcode
""",
        setting=NEVER,
    )
    assert saved(project) == ["a", "b"]
    assert project.has_no_gaps()


def test_sigterm_in_the_middle_of_the_end_stops_nothing(project: Project) -> None:
    project.run(
        SAVE
        + """
def work():
    import threading
    save("a")
    save("b")
    def send():
        for _ in range(50):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.01)
    with transaction.atomic():  # the thread that stores has to wait for it
        save("gone")
        threading.Thread(target=send).start()
        os._exit(5)

context = multiprocessing.get_context("fork")
child = context.Process(target=work)
child.start()
child.join(20)
assert child.exitcode in (5, -15), child.exitcode
""",
        setting=NEVER,
    )
    assert saved(project) == ["a", "b", "gone"]


def test_the_child_of_a_child_gets_signals_of_its_own(project: Project) -> None:
    project.run(
        SAVE
        + """
def work():
    save("a")
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, b".")
        time.sleep(60)
    os.read(reading, 1)
    os.kill(child, signal.SIGTERM)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -15
    time.sleep(0.3)
    save("b")
    os._exit(7)

context = multiprocessing.get_context("fork")
child = context.Process(target=work)
child.start()
child.join(20)
assert child.exitcode == 7, child.exitcode
""",
        setting=NEVER,
    )
    assert saved(project) == ["a", "b"]


@pytest.mark.parametrize("end", ENDS)
def test_what_a_child_has_saved_is_stored(project: Project, end: str) -> None:
    done = project.run(SAVE + ENDS[end].replace("\n        ", "\n"), setting=NEVER)
    assert saved(project) == ["a", "b"]
    assert project.has_no_gaps()
    assert done.stderr == ""


def test_an_executor_that_renews_its_children_loses_nothing(project: Project) -> None:
    (project.folder / "work.py").write_text(
        "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'settings')\n"
        "import django\ndjango.setup()\nfrom django.contrib.auth.models import Group\n"
        "def save(name):\n    Group.objects.create(name=name)\n"
    )
    project.run(
        """
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor
        from work import save
        if __name__ == "__main__":
            context = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(1, mp_context=context, max_tasks_per_child=1) as executor:
                list(executor.map(save, "ab"))
        """,
        setting=NEVER,
    )
    assert saved(project) == ["a", "b"]


def test_a_child_that_is_terminated_in_a_transaction_says_that_it_is_rolled_back(
    project: Project,
) -> None:
    project.run(
        SAVE
        + """
def work(done):
    save("a")
    with transaction.atomic():
        save("b")
        done.set()
        time.sleep(60)

context = multiprocessing.get_context("fork")
done = context.Event()
child = context.Process(target=work, args=[done])
child.start()
done.wait(20)
child.terminate()
child.join(20)
assert child.exitcode == -signal.SIGTERM, child.exitcode
""",
        setting=NEVER,
    )
    assert saved(project) == ["a", "gone"]
    rows = project.events("signal = 'post_save'")
    assert [row["outcome"] for row in rows] == ["committed", "rolled_back"]


def test_a_child_with_nothing_to_store_ends_at_once(project: Project) -> None:
    project.run(
        SAVE
        + """
Group.objects.create(name="of the parent")
started = time.monotonic()
for number in range(20):
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)
assert time.monotonic() - started < 10
""",
        setting=NEVER,
    )
    assert saved(project) == ["of the parent"]
