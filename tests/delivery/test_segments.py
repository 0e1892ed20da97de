"""The files of a journal, on disks that are full and folders that cannot be written."""

import logging
import os
import resource
import shutil
import stat
import subprocess
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from project.playground.models import Author
from signals_demo import trace
from tests.delivery.journals import BUSY, files, killed, recovered, setting
from tests.recording import MEMORY, Project, recorded, stored

pytestmark = pytest.mark.processes


@contextmanager
def full_disk(path: Path) -> Iterator[Path]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", path], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", path], check=True)


def _can_mount() -> bool:
    return os.geteuid() == 0 and shutil.which("mount") is not None


@pytest.mark.applies(_can_mount())
def test_a_full_disk_is_reported_and_survived(project: Project) -> None:
    folder = project.folder / "journal"
    folder.mkdir()
    with full_disk(folder):
        done = project.run(BUSY * 20, setting=setting(project))
    assert done.stderr.count("No space left on device") == 1
    assert done.stderr.count("kept only in memory") == 1
    assert len(project.events("signal = 'post_save'")) == 20 * 32
    assert project.has_no_gaps()


def test_a_file_that_may_not_grow_is_reported_and_survived(project: Project) -> None:
    """The same fault for those who cannot mount a disk; nothing but the journal is written."""
    code = f"""
    import resource
    from signals_demo.sinks.memory import MemorySink
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, {resource.RLIM_INFINITY}))
    for number in range(1000):
        Group(name=str(number))
    assert flush()
    print(sum(row.count for row in MemorySink.rows if row.signal == "post_init"))
    """
    more = {"SINKS": MEMORY, "FOLD_AFTER": None}
    done = project.run(code, setting=setting(project, **more))
    assert done.stdout == "1000\n"
    assert done.stderr.count("cannot be written") == 1


def test_a_line_torn_off_by_a_full_disk_takes_none_of_the_later_ones_along(
    project: Project,
) -> None:
    code = f"""
    import os, resource, signal
    from signals_demo.delivery import segments
    segments.RETRY = 0.0
    most = {resource.RLIM_INFINITY}
    resource.setrlimit(resource.RLIMIT_FSIZE, (5_001, most))
    for number in range(50):
        Group(name=f"before {{number}}")
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    for number in range(50):
        Group(name=f"after {{number}}")
    """
    killed(project, textwrap.dedent(code), FOLD_AFTER=None)
    recovered(project)
    made = [row["arguments"] for row in project.events("signal = 'pre_init'")]
    assert sum("after" in text for text in made) == 50
    # Of each file the line is torn that was too much.
    assert 40 < sum("before" in text for text in made) < 50


def test_a_disk_that_stays_full_is_reported_once(project: Project) -> None:
    """Also where a file can be made, and only writing it fails: as on a full disk."""
    code = f"""
    import resource
    from signals_demo.delivery import segments
    segments.RETRY = 0.0
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, {resource.RLIM_INFINITY}))
    for number in range(50):
        Group(name=str(number))
    assert flush()
    """
    done = project.run(code, setting=setting(project, SINKS=MEMORY))
    assert done.stderr.count("cannot be written") == 1
    assert "again" not in done.stderr
    assert files(project) == []


@pytest.mark.applies(os.geteuid() == 0)
def test_a_folder_that_cannot_be_written_is_reported_and_survived(project: Project) -> None:
    folder = project.folder / "journal"
    folder.mkdir()
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
        done = project.run(BUSY, setting=setting(project))
    finally:
        subprocess.run(["umount", folder], check=True)
    assert done.stderr.count("Read-only file system") == 1
    assert len(project.events("signal = 'post_save'")) == 32


def test_it_is_used_again_when_it_can_be_written(
    tmp_path: Path, transactional_db: None, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("signals_demo.delivery.segments.RETRY", 0.0)
    folder = tmp_path / "journal"
    folder.write_text("a file in the way")
    with recorded(JOURNAL_DIR=folder), trace("unit") as unit, caplog.at_level(logging.WARNING):
        Author.objects.create(name="Ada")
        folder.unlink()
        Author.objects.create(name="Bob")
        assert folder.is_dir()
        assert len(stored(unit)) == 8
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]


def test_the_files_are_private(project: Project) -> None:
    killed(project)
    folder = project.folder / "journal"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in files(project)} == {0o600}
