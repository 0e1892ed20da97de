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


ADDING = """
import threading

failed = []

def add(user, group, permission):
    user.groups.add(group)

def add_backwards(user, group, permission):
    group.user_set.add(user)

def create(user, group, permission):
    user.groups.create(name=group.name + " too")

def get_or_create(user, group, permission):
    user.groups.get_or_create(name=group.name + " also")

def add_twice(user, group, permission):
    group.permissions.add(permission)
    group.permissions.add(permission)

WAYS = [add, add_backwards, create, get_or_create, add_twice]

def work(name):
    from django.contrib.auth.models import Permission
    permission = Permission.objects.first()
    user = User.objects.create(username=name)
    for number in range(30):
        group = Group.objects.create(name=f"{name} {number}")
        way = WAYS[number % len(WAYS)]
        try:
            way(user, group, permission)
        except Exception as error:
            failed.append(f"{way.__name__}: {error}")
    assert connection.transaction_mode is None
    connections.close_all()

threads = [threading.Thread(target=work, args=[name]) for name in "ab"]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not failed, failed
assert flush(30)
"""


@pytest.mark.parametrize("project", ["DELETE"], indirect=True)
def test_two_threads_add_many_to_many_relations(project: Project) -> None:
    """They wait for each other, as without our receiver, which has them read first."""
    assert project.run(ADDING).stderr == ""
    assert len(project.events("signal = 'm2m_changed'")) >= 2 * 2 * 30


def test_it_writes_less_often_while_another_process_stores_events(project: Project) -> None:
    (project.folder / "other.py").write_text(
        "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'settings')\n"
        "import django\ndjango.setup()\nfrom django.contrib.auth.models import Group\n"
        "Group.objects.create(name='other')\n"
    )
    done = project.run(
        """
        import subprocess, sys
        from signals_demo.delivery.sqlite_lock import sqlite_lock

        def save(name):
            Group.objects.create(name=name)
            assert flush(60)
            print(round(sqlite_lock.pause))

        save("first")
        save("second")
        subprocess.run([sys.executable, "other.py"], check=True)
        save("third")
        """
    )
    assert done.stdout.split() == ["0", "0", "3"]
