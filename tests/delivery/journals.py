"""What the tests of the journal share: processes that are killed before they store anything."""

import signal
from pathlib import Path
from typing import Any

import pytest

from tests.recording import Project

VIEWS = """
import os
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models.signals import post_save
from django.http import HttpResponse
from django.urls import path

done = os.open("done", os.O_CREAT | os.O_APPEND | os.O_WRONLY)

def count(instance, **kwargs):
    os.write(done, f"{instance.pk}\\n".encode())

post_save.connect(count, sender=Group, weak=False)

def save(request):
    Group.objects.create(name=os.urandom(8).hex())
    with transaction.atomic():
        list(Group.objects.all()[:40])
        Group.objects.create(name=os.urandom(8).hex())
    return HttpResponse(str(os.getpid()))

def who(request):
    return HttpResponse(str(request.user))

urlpatterns = [path("save/", save), path("who/", who)]
"""

# Events that no thread has stored yet, because the process is too busy to let it.
BUSY = """
import os, signal
for number in range(30):
    Group.objects.create(name=os.urandom(8).hex())
with transaction.atomic():
    Group.objects.create(name=os.urandom(8).hex())
try:
    with transaction.atomic():
        Group.objects.create(name="in vain")
        raise KeyError
except KeyError:
    pass
list(Group.objects.all())
"""

KILL = "os.kill(os.getpid(), signal.SIGKILL)\n"


def migrated_project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a migrated project whose requests save something."""
    return Project.migrated(tmp_path_factory.mktemp("journaled") / "project", views=VIEWS)


def empty_copy(journaled: Project, tmp_path: Path) -> Project:
    """Return a copy of it with an empty record."""
    copy = journaled.copy(tmp_path / "project")
    copy.execute("DELETE FROM signals_demo_signalevent")
    return copy


def setting(project: Project, **more: Any) -> dict[str, Any]:
    return {"JOURNAL_DIR": str(project.folder / "journal"), "FLUSH_INTERVAL": 60} | more


def files(project: Project) -> list[Path]:
    return sorted((project.folder / "journal").iterdir())


def killed(project: Project, code: str = BUSY, **more: Any) -> None:
    """Run code in a process that is killed at its end, before anything was stored."""
    done = project.attempt(code + KILL, setting=setting(project, **more))
    assert done.returncode == -signal.SIGKILL, done.stderr


def recovered(project: Project) -> str:
    """Run the command, whose own events are not wanted."""
    return project.manage("signals_recover", setting=setting(project, SIGNALS=[])).stdout
