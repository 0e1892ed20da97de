"""Workers of Celery: each task is a trace of its own, and is stored however its process ends."""

import json
import signal
import time
from collections import Counter
from pathlib import Path

import pytest
from django.conf import settings

from tests.recording import Project
from tests.servers import until

pytestmark = pytest.mark.applies(settings.TEST_DATABASE == "sqlite")  # once is enough


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.migrated(tmp_path / "project")


TASKS = """
import os
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
from celery import Celery

folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "queue")
os.makedirs(folder, exist_ok=True)
app = Celery("shop", broker="filesystem://")
app.conf.broker_transport_options = {
    "data_folder_in": folder, "data_folder_out": folder, "control_folder": folder,
}
app.conf.worker_hijack_root_logger = False


@app.task(name="shop.tasks.save")
def save(name):
    from django.contrib.auth.models import Group
    Group.objects.create(name=name)
"""


@pytest.mark.parametrize(
    "options",
    [
        ["--pool=prefork", "--concurrency=2", "--max-tasks-per-child=2"],
        ["--pool=threads", "--concurrency=3"],
    ],
    ids=["prefork", "threads"],
)
def test_a_worker_stores_its_tasks_each_as_a_trace(project: Project, options: list[str]) -> None:
    (project.folder / "shop.py").write_text(TASKS)
    (project.folder / "worker.py").write_text("from celery.__main__ import main\nmain()\n")
    project.run(
        """
        from shop import save
        for number in range(6):
            save.delay(f"task {number}")
        """
    )
    project.forget()
    worker = ["worker.py", "--app=shop", "worker", "--loglevel=WARNING", *options]
    worker += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    setting = {"FLUSH_INTERVAL": 600}
    with project.beside(*worker, SIGNALS_DEMO=json.dumps(setting)) as process:
        until(lambda: len(project.query("SELECT * FROM auth_group")) == 6)
        # Celery 5.7 has Linux kill the children that replace others as soon as the thread ends
        # that began them. One that is only starting may hold the lock of the tasks just then,
        # and the worker waits for that lock for ever. So they get the time to start.
        time.sleep(2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, project.said
    rows = project.events("signal = 'post_save' AND sender = 'auth.Group'")
    assert len(rows) == 6
    assert {(row["origin"], row["origin_name"], row["actor"]) for row in rows} == {
        ("task", "shop.tasks.save", "")
    }
    assert len({row["trace_id"] for row in rows}) == 6
    if "--max-tasks-per-child=2" in options:
        assert max(Counter(row["recorder"] for row in rows).values()) <= 2
