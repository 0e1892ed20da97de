"""Whole processes: how they begin, fork and end, and what is stored of them."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import django
import pytest

from tests.recording import SETUP, Project

NOWHERE = "/nonexistent/folder/db.sqlite3"


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project.migrated(tmp_path_factory.mktemp("migrated") / "project")


@pytest.fixture
def project(migrated: Project, tmp_path: Path) -> Project:
    """Return a project with an empty record."""
    copy = migrated.copy(tmp_path / "project")
    assert copy.events() != []
    copy.execute("DELETE FROM signals_demo_signalevent")
    return copy


def firings(project: Project, where: str = "1") -> Counter[str]:
    """Return how often each signal has fired."""
    counted: Counter[str] = Counter()
    for row in project.events(where):
        counted[row["signal"]] += row["count"]
    return counted


# How a process begins

ABOUT_ITSELF = """
import gc, json, os, signal, sys, threading
print(json.dumps({
    "names": [__name__, __file__, sys.modules["__main__"].__file__, sys.argv, sys.path],
    "place": [os.getcwd(), dict(os.environ), os.isatty(0), os.isatty(1), os.isatty(2)],
    "streams": [str(stream) for stream in (sys.stdin, sys.stdout, sys.stderr)],
    "seekable": [sys.stdout.seekable(), sys.stderr.seekable()],
    "files": sorted(int(name) for name in os.listdir("/proc/self/fd"))[:-1],
    "signals": [str(signal.getsignal(number)) for number in range(1, 30)],
    "threads": threading.active_count(),
    "garbage": [gc.isenabled(), gc.get_threshold()],
    "ours": [name for name in sys.modules if "signals_demo" in name],
}))
raise ValueError
"""


@pytest.mark.applies(Path("/proc/self/fd").exists())
def test_the_processes_of_these_tests_are_as_python_starts_them(project: Project) -> None:
    (project.folder / "script.py").write_text(ABOUT_ITSELF)
    forked = project.call("script.py", "one", "--two")
    started = project.call("-X", "utf8", "script.py", "one", "--two")
    assert json.loads(forked.stdout) == json.loads(started.stdout)
    assert (forked.returncode, started.returncode) == (1, 1)
    last = 'script.py", line 14, in <module>\n    raise ValueError\nValueError\n'
    assert forked.stderr.endswith(last)
    assert started.stderr.endswith(last)


@pytest.mark.parametrize(
    "command",
    [
        # From 6.1 on Django's own checks ask the database what it can do.
        pytest.param(["check"], marks=pytest.mark.applies(django.VERSION < (6, 1))),
        ["collectstatic", "--dry-run", "--noinput"],
        ["diffsettings"],
    ],
)
def test_a_process_that_only_loads_models_opens_no_database(
    project: Project, command: list[str]
) -> None:
    process = project.manage(*command, DATABASE_FILE=NOWHERE)
    assert "database" not in process.stderr
    assert "signal events" not in process.stderr


def test_the_first_migrate_stores_what_waited_for_the_table(tmp_path: Path) -> None:
    project = Project.make(tmp_path / "fresh")
    process = project.manage("migrate", "--verbosity=0")
    assert process.stderr == ""
    rows = project.events()
    told = Counter(row["signal"] for row in rows)
    assert told["class_prepared"] > 5
    assert told["connection_created"] == 1
    assert told["pre_migrate"] == told["post_migrate"] > 3
    assert project.has_no_gaps()


def test_a_command_is_one_trace_named_once(tmp_path: Path) -> None:
    project = Project.make(tmp_path / "fresh")
    project.manage("migrate", "--verbosity=0")
    rows = project.events()
    assert {(row["origin"], row["origin_name"]) for row in rows} == {("command", "migrate")}
    assert len({row["trace_id"] for row in rows}) == 1
    assert [row["position"] for row in rows] == list(range(1, len(rows) + 1))


def test_the_shell_is_an_origin_of_its_own(project: Project) -> None:
    code = "from django.contrib.auth.models import Group; Group.objects.create(name='x')"
    project.manage("shell", "-c", code)
    (row,) = project.events("signal = 'post_save'")
    assert (row["origin"], row["origin_name"]) == ("shell", "shell")


def test_a_script_is_named_after_its_file_and_its_threads_after_themselves(
    project: Project,
) -> None:
    project.run(
        """
        import threading
        Group.objects.create(name="main")
        def work():
            Group.objects.create(name="thread")
        thread = threading.Thread(target=work, name="worker")
        thread.start()
        thread.join()
        with trace("nightly"):
            Group.objects.create(name="block")
        Group.objects.create(name="main again")
        """
    )
    rows = project.events("signal = 'post_save'")
    assert [(row["origin"], row["origin_name"]) for row in rows] == [
        ("process", "script.py"),
        ("process", "thread worker"),
        ("block", "nightly"),
        ("process", "script.py"),
    ]
    assert rows[0]["trace_id"] == rows[3]["trace_id"]


def test_before_the_table_exists_nothing_fails_and_the_end_says_what_to_do(
    tmp_path: Path,
) -> None:
    project = Project.make(tmp_path / "fresh")
    process = project.run("connection.ensure_connection()")
    assert 'Run "manage.py migrate"' in process.stderr


@pytest.mark.parametrize("mode", ["background", "inline"])
def test_either_mode_stores_the_first_migrate(tmp_path: Path, mode: str) -> None:
    project = Project.make(tmp_path / "fresh")
    process = project.manage("migrate", "--verbosity=0", setting={"MODE": mode})
    assert process.stderr == ""
    told = firings(project)
    assert told["pre_migrate"] == told["post_migrate"] > 3
    assert told["class_prepared"] > 5
    assert project.has_no_gaps()


# How it ends


@pytest.mark.parametrize(
    "end",
    [
        "",
        "sys.exit(0)",
        "raise SystemExit(3)",
        "raise ZeroDivisionError",
        "os.kill(os.getpid(), __import__('signal').SIGINT)",
        "connections.close_all()",
    ],
)
def test_what_was_captured_is_stored_before_the_end(project: Project, end: str) -> None:
    project.attempt(
        f"""
        for number in range(500):
            with transaction.atomic():
                Group.objects.create(name=str(number))
        {end}
        """,
        setting={"FLUSH_INTERVAL": 600, "BATCH_SIZE": 100_000},
    )
    told = firings(project)
    assert told["post_save"] == 500
    assert {row["outcome"] for row in project.events("signal = 'post_save'")} == {"committed"}
    assert project.has_no_gaps()


def test_the_last_init_signals_are_stored_too(project: Project) -> None:
    project.run(
        """
        import time
        Group.objects.create(name="x")
        assert flush()
        for _ in range(100):
            Group.objects.get()
        """
    )
    told = firings(project, "sender = 'auth.Group'")
    assert told["pre_init"] == told["post_init"] == 101


def test_a_save_that_failed_last_says_so(project: Project) -> None:
    project.attempt(
        """
        Group.objects.create(name="x")
        Group.objects.create(name="x")
        """
    )
    rows = project.events("signal IN ('pre_save', 'post_save')")
    assert [(row["signal"], row["outcome"]) for row in rows] == [
        ("pre_save", "committed"),
        ("post_save", "committed"),
        ("pre_save", "rolled_back"),
    ]


def test_what_exit_handlers_and_late_threads_do_is_stored(project: Project) -> None:
    project.run(
        """
        import atexit, threading, time
        def late():
            time.sleep(0.2)
            Group.objects.create(name="thread")
        threading.Thread(target=late).start()
        atexit.register(lambda: Group.objects.create(name="exit"))
        """
    )
    assert firings(project)["post_save"] == 2


def test_a_process_that_has_stored_all_ends_without_a_word(project: Project) -> None:
    process = project.call(
        "-W",
        "always",
        "-c",
        "import os, django; os.environ['DJANGO_SETTINGS_MODULE'] = 'settings'; django.setup();"
        "from django.contrib.auth.models import Group; Group.objects.create(name='x');"
        "from django.db import connections; connections.close_all()",
    )
    assert process.returncode == 0
    assert process.stderr == ""
    assert firings(project)["post_save"] == 1


def test_events_without_a_database_do_not_keep_a_process_from_ending(project: Project) -> None:
    process = project.attempt(
        """
        from django.core.signals import request_started
        request_started.send(None, environ={})
        """,
        DATABASE_FILE=NOWHERE,
    )
    assert process.returncode == 0, process.stderr
    assert "were not stored" in process.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_whose_handler_exits_loses_nothing(
    project: Project, number: signal.Signals
) -> None:
    """Without a handler, SIGTERM ends Python on the spot, and what waits is lost."""
    (project.folder / "script.py").write_text(
        f"""
import os, signal, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
import django
django.setup()
from django.contrib.auth.models import Group

def leave(*args):
    global is_leaving
    is_leaving = True  # Python ignores an exit in a __del__, and Django 6.1 has one
    sys.exit(0)

signal.signal({int(number)}, leave)
done, is_leaving = 0, False
try:
    print("ready", flush=True)
    while not is_leaving:
        Group(name="x")
        done += 1
finally:
    print(done, flush=True)
"""
    )
    with subprocess.Popen(
        [sys.executable, "script.py"],
        cwd=project.folder,
        env=project.environment | {"SIGNALS_DEMO": '{"SIGNALS": ["pre_init", "request_started"]}'},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        out, error = process.communicate(timeout=60)
    assert process.returncode == 0, error
    told = firings(project, "sender = 'auth.Group'")["pre_init"]
    # The handler may have come in the middle of one.
    assert told - int(out) in (0, 1) or told == 0


def test_a_handler_that_saves_in_the_middle_of_anything_does_not_lock(
    project: Project,
) -> None:
    process = project.run(
        """
        import signal
        from django.core.signals import request_started
        calls, made = [], []
        def interrupt(*args):
            calls.append(1)
            for _ in range(3):
                Group()
                made.append(1)
            request_started.send(None, environ={})
            # Once more, but never while this runs: on a slow machine it would pile up.
            signal.setitimer(signal.ITIMER_REAL, 0.001)
        request_started.send(None, environ={})
        signal.signal(signal.SIGALRM, interrupt)
        signal.setitimer(signal.ITIMER_REAL, 0.001)
        while len(calls) < 300:
            Group()
            made.append(1)
        signal.setitimer(signal.ITIMER_REAL, 0)
        print(len(made))
        """,
        setting={"FLUSH_INTERVAL": 0.001, "FOLD_AFTER": 2},
    )
    told = firings(project, "sender = 'auth.Group'")
    assert told["pre_init"] == told["post_init"] == int(process.stdout)


# Forks


def test_a_forked_child_is_a_recorder_of_its_own(project: Project) -> None:
    project.run(
        """
        Group.objects.create(name="before")
        connections.close_all()
        children = []
        for number in range(3):
            pid = os.fork()
            if not pid:
                Group.objects.create(name=f"child {number}")
                sys.exit(0)
            children.append(pid)
        Group.objects.create(name="after")
        for pid in children:
            assert os.waitpid(pid, 0)[1] == 0
        """
    )
    rows = project.events("signal = 'post_save'")
    assert len(rows) == 5
    assert len({row["recorder"] for row in rows}) == 4
    assert project.has_no_gaps()


@pytest.mark.parametrize("first", ["Group.objects.exists()", ""], ids=["thread", "no thread"])
def test_a_fork_during_a_run_counts_in_the_process_where_it_fires(
    project: Project, first: str
) -> None:
    """Before it queries for the first time, a process has no thread of the writer's."""
    project.run(
        f"""
        {first}
        with trace("forked"):
            made, pid = 0, None
            while made < (110 if pid == 0 else 1100):
                if made == 100:
                    pid = os.fork()
                Group()
                made += 1
            if not pid:
                assert flush(60)
                os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
        Group.objects.exists()
        """,
        setting={"FLUSH_INTERVAL": 600, "FOLD_AFTER": 3},
    )
    counted: Counter[str] = Counter()
    for row in project.events("signal = 'pre_init' AND origin_name = 'forked'"):
        counted[row["recorder"]] += row["count"]
    assert sorted(counted.values()) == [10, 1100]


def test_a_fork_is_not_a_fork_of_a_process_with_threads(project: Project) -> None:
    """Which Python warns of, from 3.12 on, and with reason."""
    process = project.run(
        """
        import warnings
        warnings.simplefilter("error")
        for number in range(5):
            Group.objects.create(name=str(number))
            pid = os.fork()
            if not pid:
                os._exit(0)
            os.waitpid(pid, 0)
        assert flush()
        """
    )
    assert "multi-threaded" not in process.stderr
    assert firings(project)["post_save"] == 5


def test_forks_while_everything_is_busy_lose_and_double_nothing(project: Project) -> None:
    process = project.run(
        """
        import threading
        sys.setswitchinterval(0.0005)  # the main thread need not wait for long
        stop = threading.Event()
        made = [0] * 4

        def work(number):
            while not stop.is_set():
                Group()
                made[number] += 1

        from django.core.signals import request_started
        request_started.send(None, environ={})
        threads = [threading.Thread(target=work, args=[n]) for n in range(4)]
        for thread in threads:
            thread.daemon = True
            thread.start()
        for _ in range(15):
            pid = os.fork()
            if not pid:
                for _ in range(50):
                    Group()
                request_started.send(None, environ={})
                os._exit(0 if flush(60) else 1)
            assert os.waitpid(pid, 0)[1] == 0
        stop.set()
        for thread in threads:
            thread.join()
        print(sum(made))
        """,
        setting={"FLUSH_INTERVAL": 0.001, "BATCH_SIZE": 50, "FOLD_AFTER": 2},
    )
    made = int(process.stdout)
    counted: Counter[str] = Counter()
    for row in project.events("signal = 'pre_init' AND sender = 'auth.Group'"):
        counted[row["recorder"]] += row["count"]
    assert sorted(counted.values()) == sorted([50] * 15 + [made])
    assert project.has_no_gaps()


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_children_of_multiprocessing_store_everything(project: Project, method: str) -> None:
    (project.folder / "work.py").write_text(
        """
import os
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
import django

def work(number):
    django.setup()
    from django.contrib.auth.models import Group
    for step in range(20):
        Group.objects.create(name=f"{number} {step}")
"""
    )
    project.run(
        f"""
        import multiprocessing
        from work import work
        if __name__ == "__main__":
            Group.objects.create(name="before")
            connections.close_all()
            context = multiprocessing.get_context("{method}")
            children = [context.Process(target=work, args=[n]) for n in range(2)]
            for child in children:
                child.start()
            for child in children:
                child.join()
                assert child.exitcode == 0
        """,
        setting={"FLUSH_INTERVAL": 600},
    )
    rows = project.events("signal = 'post_save'")
    assert len(rows) == 41
    assert len({row["recorder"] for row in rows}) == 3
    assert project.has_no_gaps()


# Its tests


def test_a_test_run_of_a_host_stores_nothing(project: Project) -> None:
    (project.folder / "tests.py").write_text(
        """
from django.contrib.auth.models import Group
from django.test import TestCase, TransactionTestCase
from signals_demo.models import SignalEvent

class Saves(TestCase):
    def test_it(self):
        Group.objects.create(name="x")

class SavesForReal(TransactionTestCase):
    def test_it(self):
        Group.objects.create(name="x")

    def tearDown(self):
        assert not SignalEvent.objects.exists()
"""
    )
    process = project.manage("test")
    assert "OK" in process.stderr
    assert project.events() == []


def test_on_windows_and_elsewhere_without_fork_it_can_be_imported(project: Project) -> None:
    code = "import os\nfor name in ('fork', 'register_at_fork'): delattr(os, name)\n"
    process = project.call("-c", code + "import signals_demo; print(signals_demo.flush())")
    assert process.stdout == "True\n", process.stderr
    assert os.name == "posix"


@pytest.mark.applies(sys.version_info >= (3, 13))
def test_an_interpreter_without_daemon_threads_stores_what_it_saves(project: Project) -> None:
    own = SETUP + "Group.objects.create(name='inside')"
    process = project.call(
        "-c",
        "import _interpreters\n"
        "inner = _interpreters.create('isolated')\n"
        f"assert _interpreters.run_string(inner, {own!r}) is None\n"
        "_interpreters.destroy(inner)",
    )
    assert (process.returncode, process.stderr) == (0, "")
    assert firings(project, "sender = 'auth.Group'")["post_save"] == 1
