"""Each process has a journal of its own, of which nothing is left when it ends well."""

import os
import signal

import pytest

from tests.delivery.journals import BUSY, files, killed, recovered, setting
from tests.recording import Project

pytestmark = pytest.mark.processes


def test_a_forked_child_has_a_journal_of_its_own(project: Project) -> None:
    code = (
        BUSY
        + """
pid = os.fork()
if not pid:
    Group.objects.create(name="child")
    os.kill(os.getpid(), signal.SIGKILL)
os.waitpid(pid, 0)
"""
    )
    killed(project, code)
    recovered(project)
    saves = project.events("signal = 'post_save'")
    assert len(saves) == 33
    assert len({row["recorder"] for row in saves}) == 2
    assert project.has_no_gaps()


def test_a_child_that_lives_on_does_not_keep_what_its_parent_left(project: Project) -> None:
    code = (
        BUSY
        + """
import time
if not os.fork():
    print(os.getpid(), flush=True)
    time.sleep(100)
    os._exit(0)
time.sleep(100)
"""
    )
    with project.running(code, setting=setting(project)) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        try:
            process.kill()
            process.wait()
            assert "of 1 process" in recovered(project)
        finally:
            os.kill(child, signal.SIGKILL)
    assert len(project.events("signal = 'post_save'")) == 32


def test_what_becomes_of_its_parent_s_transaction_is_nothing_to_a_child(project: Project) -> None:
    done = project.run(
        """
        import os, warnings
        # Python counts its threads after the worker's began again, before gh-137109 was fixed.
        warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
        with transaction.atomic():
            Group.objects.create(name="in a block")
            pid = os.fork()
            if not pid:
                connection.close()
                os._exit(0)
            os.waitpid(pid, 0)
        """,
        setting=setting(project),
    )
    assert done.stderr == ""
    assert {row["outcome"] for row in project.events("signal = 'post_save'")} == {"committed"}
    assert files(project) == []


def test_nothing_is_left_of_a_process_that_ends_well(project: Project) -> None:
    project.run(BUSY, setting=setting(project))
    assert len(project.events("signal = 'post_save'")) == 32
    assert files(project) == []


def test_nothing_is_left_of_a_process_that_only_loads_models(project: Project) -> None:
    project.manage("diffsettings", setting=setting(project))
    assert files(project) == []
