"""The log as it grows, in a terminal."""

import io
import json
import os
import re
import signal
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from signals_demo.factories import SignalEventFactory, checkout_trace, failed_trace
from signals_demo.models import SignalEvent
from signals_demo.web.names import TIMES
from tests.factories import UserFactory
from tests.forkserver import Process
from tests.recording import Project
from tests.servers import until

pytestmark = pytest.mark.django_db

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


def tail(*options: str, **more: Any) -> str:
    output = io.StringIO()
    call_command("signals_tail", "--no-follow", *options, stdout=output, **more)
    return output.getvalue()


# What it shows


def test_a_line_has_what_one_looks_for() -> None:
    user = UserFactory.create(username="ada")
    checkout_trace(user, occurred_at=datetime(2026, 11, 21, 14, 3, 22, tzinfo=UTC))
    lines = tail().splitlines()
    assert len(lines) == 1 + SignalEvent.objects.count()
    assert re.fullmatch(r"── request POST /checkout/  [0-9a-f]{32}", lines[0])
    [product] = [line for line in lines if "badge" in line]
    assert product.split("  ", 1)[0] == "14:03:22.006"
    for part in (
        "    post_save ",
        "shop.Product 8 ",
        "  ada  ",
        "  committed  ",
        "  0.7 ms  ",
        "  shop/views.py:42 in checkout  ",
        "stock: 4 → 3",
        "badge: last ones → None",
    ):
        assert part in product
    [order] = [line for line in lines if "shop.Order 3 " in line and "id: 3" in line]
    assert order.endswith(", +2")
    [loaded] = [line for line in lines if "pre_init" in line]
    assert f"{TIMES} 312" in loaded


def test_a_failure_says_what_was_raised() -> None:
    failed_trace()
    text = tail()
    assert "  rolled back  " in text
    assert "shop.payments.Refused: the card issuer said no (code 51)" in text


def test_the_last_ones_come_in_order() -> None:
    made = [SignalEventFactory.create(object_pk=f"k{number}").object_pk for number in range(30)]
    assert re.findall(r"k\d+", tail()) == made[10:]
    assert re.findall(r"k\d+", tail("-n", "3")) == made[27:]
    assert re.findall(r"k\d+", tail("-n", "99", "--object", "k3")) == ["k3"]
    assert tail("-n", "0") == ""


def test_colours_are_for_terminals_and_for_those_who_insist() -> None:
    checkout_trace()
    plain = tail()
    coloured = tail(force_color=True)
    assert "\x1b" not in plain
    assert "\x1b[34;1mpost_save\x1b[0m" in coloured
    assert "\x1b[32;1mrequest_started\x1b[0m" in coloured
    assert ESCAPE.sub("", coloured) == plain


def test_nothing_recorded_gives_a_terminal_orders() -> None:
    probe = "\x1b[2J\x9b\u202e\r\nx"
    SignalEventFactory.create(
        signal=f"shop.{probe}",
        sender=probe,
        object_pk=probe,
        actor=probe,
        origin_name=probe,
        call_site=probe,
        exception=probe,
        changes={probe: [None, probe]},
    )
    text = tail()
    assert len(text.splitlines()) == 2
    assert all(line.isprintable() for line in text.splitlines())
    assert "\\x1b[2J\\x9b\\u202e\\r\\nx" in text


def test_a_long_exception_is_cut_but_in_json() -> None:
    SignalEventFactory.create(exception=f"ValueError: {'x' * 3000}")
    assert "x" * 187 + "…" in tail()
    assert "x" * 188 not in tail()
    assert "x" * 3000 in tail("--json")


def test_json_is_that_of_the_export() -> None:
    checkout_trace(occurred_at=datetime(2026, 11, 21, tzinfo=UTC))
    exported = io.StringIO()
    call_command("signals_export", "--format", "jsonl", stdout=exported)
    assert tail("--json") == exported.getvalue()


def test_a_filter_that_means_nothing() -> None:
    with pytest.raises(
        CommandError, match=r"--signal: There is no signal “post_sav”\. Did you mean post_save"
    ):
        tail("--signal", "post_sav")


@pytest.mark.parametrize("number", ["-1", "x", "1.5", "9" * 30, "100001"])
def test_a_number_of_events_that_is_none(number: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CommandError, match=r"--lines: .* is not a number from 0 to 100,000"):
        tail("-n", number)


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("unwanted", ["", "1"])
def test_colours_can_be_unwanted(monkeypatch: pytest.MonkeyPatch, unwanted: str) -> None:
    SignalEventFactory.create()
    monkeypatch.setenv("NO_COLOR", unwanted)
    monkeypatch.setenv("DJANGO_COLORS", "dark")
    monkeypatch.setattr("django.core.management.color.supports_color", lambda: True)
    output = _Terminal()
    call_command("signals_tail", "--no-follow", stdout=output)
    assert bool(ESCAPE.search(output.getvalue())) is not bool(unwanted)
    assert ESCAPE.search(tail("--force-color"))


# Following


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.migrated(tmp_path / "project")


def following(project: Project, *options: str) -> AbstractContextManager[Process]:
    """Run the command until the block ends; what it complains of is in the file `said`."""
    return project.beside("manage.py", "signals_tail", "--json", *options)


def next_of(process: Process) -> dict[str, Any]:
    assert process.stdout is not None
    found: dict[str, Any] = json.loads(process.stdout.readline())
    return found


def save(project: Project, name: str) -> None:
    project.run(f"Group.objects.create(name={name!r})")


@pytest.mark.processes
def test_what_fires_elsewhere_appears_and_ctrl_c_ends_it_quietly(project: Project) -> None:
    save(project, "before")
    with following(
        project, "-n", "1", "--signal", "post_save", "--sender", "auth.group"
    ) as process:
        assert next_of(process)["changes"]["name"] == [None, "before"]
        for name in ("one", "two"):
            save(project, name)
            assert next_of(process)["changes"]["name"] == [None, name]
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert process.stdout is not None
        assert process.stdout.read() == ""
    assert project.said == ""
    assert {row["origin_name"] for row in project.events()} == {"migrate", "script.py"}


@pytest.mark.processes
def test_it_waits_for_a_database_that_is_away_and_says_so_once(project: Project) -> None:
    table = "signals_demo_signalevent"
    save(project, "before")
    with following(project, "-n", "1", "--signal", "post_save") as process:
        next_of(process)
        project.execute(f"ALTER TABLE {table} RENAME TO away")
        until(lambda: project.said)
        project.execute(f"ALTER TABLE away RENAME TO {table}")
        save(project, "after")
        assert next_of(process)["changes"]["name"] == [None, "after"]
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    away, back = project.said.splitlines()
    assert away.startswith("Waiting for the database: no such table")
    assert back == "The database is back."


@pytest.mark.processes
def test_without_a_table_it_ends_with_a_sentence(tmp_path: Path) -> None:
    project = Project.make(tmp_path / "empty")
    process = project.call("manage.py", "signals_tail")
    assert process.returncode == 1
    assert "CommandError: The events cannot be read: no such table" in process.stderr


@pytest.mark.processes
@pytest.mark.applies(os.name == "posix")
def test_a_closed_pipe_ends_it_quietly(project: Project) -> None:
    save(project, "before")
    with following(project, "-n", "1") as process:
        next_of(process)
        assert process.stdout is not None
        process.stdout.close()
        save(project, "after")
        assert process.wait(60) == 0
    assert project.said == ""
