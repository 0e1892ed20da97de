"""The log as CSV and JSON lines: from the command, and from the list in the admin."""

import asyncio
import csv
import io
import json
import os
import signal
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.test import AsyncClient, Client
from django.test.utils import CaptureQueriesContext

from signals_demo.factories import SignalEventFactory, checkout_trace
from signals_demo.models import SignalEvent
from signals_demo.query import export
from signals_demo.query.export import COLUMNS, rows
from tests.factories import UserFactory
from tests.recording import SETUP, Project
from tests.web.test_change_list import Markup

pytestmark = pytest.mark.django_db

LIST = "/admin/signals_demo/signalevent/"
EXPORT = f"{LIST}export/"


def exported(*options: str) -> str:
    output = io.StringIO()
    call_command("signals_export", *options, stdout=output, stderr=io.StringIO())
    return output.getvalue()


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def event() -> SignalEvent:
    [made] = SignalEventFactory.create_batch(
        1,
        occurred_at=datetime(2026, 11, 21, 14, 3, 22, 40, tzinfo=UTC),
        duration=timedelta(microseconds=740),
        actor="Zoë, “the” \n2nd",
        changes={"stock": [4, -3], "name": [None, "Tea ☕"]},
        arguments={"created": True},
    )
    return made


# The formats


def test_the_columns_are_documented() -> None:
    text = (Path(__file__).parent.parent.parent / "docs" / "reading.md").read_text(
        encoding="utf-8"
    )
    for column in COLUMNS:
        assert f"`{column}`" in text


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_every_field_is_exported(event: SignalEvent, kind: str) -> None:
    text = exported("--format", kind)
    [row] = table(text) if kind == "csv" else lines(text)
    assert list(row) == [field.name for field in SignalEvent._meta.concrete_fields]
    assert row["occurred_at"] == "2026-11-21T14:03:22.000040+00:00"
    assert str(row["duration"]) == "0.00074"
    assert row["recorder"] == str(event.recorder)
    assert row["actor"] == event.actor
    changes = json.loads(row["changes"]) if kind == "csv" else row["changes"]
    assert changes == event.changes


def test_numbers_and_nothing_keep_their_kind_in_json() -> None:
    made = SignalEventFactory.create()
    [row] = lines(exported("--format", "jsonl"))
    assert row["id"] == made.pk
    assert row["duration"] is None
    assert row["digest"] == ""


def test_times_are_in_utc_also_without_time_zones(settings: Any, event: SignalEvent) -> None:
    settings.TIME_ZONE = "Asia/Tokyo"
    [row] = table(exported())
    assert row["occurred_at"] == "2026-11-21T14:03:22.000040+00:00"
    settings.USE_TZ = False
    event.occurred_at = datetime(2026, 11, 21, 23, 3, 22, 40)
    event.save()
    [row] = table(exported())
    assert row["occurred_at"] == "2026-11-21T14:03:22.000040+00:00"


@pytest.mark.parametrize(
    ("local", "exported_as"),
    [
        ((2026, 10, 25, 1, 59), "2026-10-24T23:59:00.000000+00:00"),
        ((2026, 10, 25, 2, 0), "2026-10-25T02:00:00.000000"),  # 00:00 or 01:00 UTC
        ((2026, 10, 25, 2, 59), "2026-10-25T02:59:00.000000"),
        ((2026, 10, 25, 3, 0), "2026-10-25T02:00:00.000000+00:00"),
        ((2026, 3, 29, 1, 59), "2026-03-29T00:59:00.000000+00:00"),
        ((2026, 3, 29, 3, 0), "2026-03-29T01:00:00.000000+00:00"),
    ],
)
def test_a_time_that_stands_for_two_has_no_zone(
    settings: Any, event: SignalEvent, local: tuple[int, ...], exported_as: str
) -> None:
    settings.USE_TZ, settings.TIME_ZONE = False, "Europe/Berlin"
    year, month, day, hour, minute = local
    event.occurred_at = datetime(year, month, day, hour, minute)
    event.save()
    [row] = table(exported())
    assert row["occurred_at"] == exported_as


WIDE = ("EQUALS SIGN", "PLUS SIGN", "HYPHEN-MINUS", "COMMERCIAL AT")
HOSTILE = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r\n=1", "\n=1"]
HOSTILE += ["\ufeff=1", "\u200b=1", " =1", "\u00a0\ufeff+1", "\u2060@SUM(A1)"]
HOSTILE += [f"{unicodedata.lookup(f'FULLWIDTH {name}')}1" for name in WIDE]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_cell_is_a_formula(text: str) -> None:
    SignalEventFactory.create(actor=text, object_pk=text, exception=text)
    [row] = csv.DictReader(io.StringIO(exported(), newline=""))
    for name in ("actor", "object_pk", "exception"):
        assert row[name] == f"'{text}"
    [line] = lines(exported("--format", "jsonl"))
    assert line["actor"] == text


def test_a_number_below_zero_stays_a_number() -> None:
    SignalEventFactory.create(duration=timedelta(seconds=-1.5))
    [row] = table(exported())
    assert row["duration"] == "-1.5"


def test_a_separator_is_always_within_quotes() -> None:
    SignalEventFactory.create(actor="a;=1+1")
    assert '"a;=1+1"' in exported()


def test_a_cell_holds_no_order_for_a_terminal() -> None:
    text = "a\x1b[2J\x9b2J\u202e\u2028\rb\r\n\tc"
    SignalEventFactory.create(actor=text, changes={"name": [None, text]})
    output = exported()
    assert not set("\x1b\x9b\u202e\u2028") & set(output)
    [row] = csv.DictReader(io.StringIO(output, newline=""))
    assert row["actor"] == "a\\u001b[2J\\u009b2J\\u202e\\u2028\\u000db\r\n\tc"
    assert json.loads(row["changes"]) == {"name": [None, text]}


def test_a_line_of_json_holds_no_order_for_a_terminal() -> None:
    text = "\x1b[2J\x9b2J\u202e\u2028"
    SignalEventFactory.create(actor=text)
    output = exported("--format", "jsonl")
    assert output.count("\n") == 1
    assert not set("\x1b\x9b\u202e\u2028") & set(output)
    assert lines(output)[0]["actor"] == text


# The rows


def keys(events: QuerySet[SignalEvent]) -> list[int]:
    return [row["id"] for row in rows(events, ["id"])]


def test_rows_come_by_time_in_many_short_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "CHUNK", 3)
    now = datetime.now(UTC)
    made = [
        SignalEventFactory.create(
            occurred_at=now + timedelta(seconds=3 - n // 4), sequence=9000 - n
        )
        for n in range(14)
    ]
    expected = sorted(made, key=lambda event: (event.occurred_at, event.pk))
    with CaptureQueriesContext(connection) as queries:
        assert keys(SignalEvent.objects.all()) == [event.pk for event in expected]
    assert len(queries) == 5
    for query in queries:
        assert "LIMIT 3" in query["sql"]
        assert "OFFSET" not in query["sql"]


def test_rows_of_one_moment_and_number_come_once_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "CHUNK", 2)
    now = datetime.now(UTC)
    made = [
        SignalEventFactory.create(
            occurred_at=now, sequence=1, recorder=f"00000000-0000-0000-0000-00000000000{n}"
        )
        for n in range(5)
    ]
    assert keys(SignalEvent.objects.all()) == [event.pk for event in made]


# The command


def test_filters_choose_and_the_oldest_comes_first() -> None:
    now = datetime.now(UTC)
    made = [
        SignalEventFactory.create(signal=name, occurred_at=now - timedelta(minutes=age))
        for age, name in ((1, "post_save"), (3, "pre_save"), (2, "post_save"), (4, "post_init"))
    ]
    options = ["--format", "jsonl", "--signal", "post_save", "--signal", "pre_save"]
    assert [row["id"] for row in lines(exported(*options))] == [made[n].pk for n in (1, 2, 0)]
    options += ["--until", "2m"]
    assert [row["id"] for row in lines(exported(*options))] == [made[n].pk for n in (1, 2)]


def test_what_fires_later_is_left_out() -> None:
    SignalEventFactory.create(occurred_at=datetime.now(UTC) + timedelta(hours=1))
    assert table(exported()) == []
    assert table(exported("--until", "2999-01-01")) == []


def test_nothing_to_export() -> None:
    assert exported("--format", "jsonl") == ""
    assert exported().count("\n") == 1


@pytest.mark.parametrize("name", ["log.csv", "log.jsonl", "log.NDJSON"])
def test_the_name_of_a_file_tells_its_format(tmp_path: Path, name: str) -> None:
    made = SignalEventFactory.create()
    file = tmp_path / name
    assert "Wrote 1 event to" in exported("--output", str(file))
    text = file.read_text(encoding="utf-8")
    [row] = table(text) if name == "log.csv" else lines(text)
    assert int(row["id"]) == made.pk
    assert os.listdir(tmp_path) == [name]


def test_a_name_that_tells_nothing_needs_a_format(tmp_path: Path) -> None:
    file = tmp_path / "log.txt"
    with pytest.raises(CommandError, match="Add --format"):
        exported("--output", str(file))
    exported("--output", str(file), "--format", "csv")
    assert file.exists()


def test_a_file_is_overwritten_only_when_told(tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    file.write_text("precious")
    with pytest.raises(CommandError, match="--force"):
        exported("--output", str(file))
    assert file.read_text() == "precious"
    exported("--output", str(file), "--force")
    assert file.read_text().startswith('"id"')


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="No such file"):
        exported("--output", str(tmp_path / "none" / "log.csv"))


def test_a_filter_that_means_nothing() -> None:
    with pytest.raises(
        CommandError, match=r"--signal: There is no signal “post_sav”\. Did you mean post_save"
    ):
        exported("--signal", "post_sav")


@pytest.mark.parametrize(
    ("option", "text"),
    [("since", "yesterday"), ("until", ""), ("origin", "x"), ("family", "x"), ("actor", "\udcff")],
)
def test_what_means_nothing_is_refused_by_the_name_of_its_option(option: str, text: str) -> None:
    with pytest.raises(CommandError, match=f"^--{option}: "):
        exported(f"--{option}", text)


@pytest.mark.parametrize("name", ["", "/", ".."])
def test_a_folder_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CommandError, match=r"--output: .* is a directory"):
        exported("--output", name, "--format", "csv", "--force")


def test_a_name_that_is_too_long(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be written: "):
        exported("--output", str(tmp_path / f"{'x' * 300}.csv"))


@pytest.mark.applies(os.name == "posix")
def test_a_link_stays_one(tmp_path: Path) -> None:
    file, link = tmp_path / "log.csv", tmp_path / "latest.csv"
    link.symlink_to(file)
    exported("--output", str(link))
    exported("--output", str(link), "--force")
    assert link.is_symlink()
    assert sorted(os.listdir(tmp_path)) == ["latest.csv", "log.csv"]


@pytest.mark.processes
@pytest.mark.applies(os.name == "posix")
def test_a_pipe_with_a_name_is_written_to_and_stays_one(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE, text=True) as reader:
        exported("--output", str(pipe), "--format", "csv")
        assert reader.communicate(timeout=60)[0].startswith('"id"')
    assert pipe.is_fifo()


def _interrupted_after_one(*args: Any) -> Iterator[dict[str, Any]]:
    yield from SignalEvent.objects.values()[:1]
    raise KeyboardInterrupt


def test_ctrl_c_leaves_no_file_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    SignalEventFactory.create()
    monkeypatch.setattr(export, "_read", _interrupted_after_one)
    with pytest.raises(CommandError, match=r"log\.csv was not written") as caught:
        exported("--output", str(tmp_path / "log.csv"))
    assert caught.value.returncode == 130
    assert os.listdir(tmp_path) == []


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with more events than a pipe holds."""
    made = Project.migrated(tmp_path_factory.mktemp("filled") / "project")
    made.run(
        """
        with trace("many"):
            for n in range(200):
                Group.objects.create(name=f"{n} " + "x" * 100)
        flush()
        """
    )
    return made


@pytest.fixture
def project(filled: Project, tmp_path: Path) -> Project:
    return filled.copy(tmp_path / "project")


@pytest.mark.processes
@pytest.mark.applies(os.name == "posix")
def test_in_a_pipe_and_without_a_trace_of_itself(project: Project) -> None:
    before = sorted(row["id"] for row in project.events())
    process = subprocess.Popen(
        [sys.executable, "manage.py", "signals_export", "--format", "jsonl"],
        cwd=project.folder,
        env=project.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["id"] == before[0]
        process.stdout.close()  # as `head` does
        assert process.stderr.read() == b""
        assert process.wait(60) == 0
    assert sorted(row["id"] for row in project.events()) == before
    assert len(lines(project.manage("signals_export", "--format", "jsonl").stdout)) == len(before)


@pytest.mark.processes
@pytest.mark.applies(os.name == "posix")
def test_a_real_ctrl_c(project: Project) -> None:
    process = subprocess.Popen(
        [sys.executable, "manage.py", "signals_export"],
        cwd=project.folder,
        env=project.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        process.stdout.readline()  # the rest fills the pipe
        process.send_signal(signal.SIGINT)
        _rest, said = process.communicate(timeout=60)
    assert said == "CommandError: Interrupted: the output is not complete.\n"
    assert process.returncode == 130


@pytest.mark.processes
@pytest.mark.applies(Path("/dev/full").exists())
@pytest.mark.parametrize(
    "command", ["signals_export", "signals_tail --no-follow", "signals_list --all"]
)
def test_a_full_disk_ends_a_command_with_a_sentence(project: Project, command: str) -> None:
    with Path("/dev/full").open("w") as full:
        process = subprocess.run(
            [sys.executable, "manage.py", *command.split()],
            cwd=project.folder,
            env=project.environment,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    said = "CommandError: The output cannot be written: No space left on device.\n"
    assert (process.stderr, process.returncode) == (said, 1)


SEVERAL_COMMANDS = """
from django.core.management import execute_from_command_line
for options in (
    ["signals_export"],
    ["signals_export", "--format", "jsonl", "--signal", "post_save"],
    ["signals_tail", "--json", "--no-follow", "--signal", "post_save"],
    ["signals_tail", "--no-follow"],
):
    execute_from_command_line(["manage.py", *options])
    print("\\x1e", flush=True)
"""


@pytest.mark.processes
@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_the_encoding_of_the_output_loses_nothing(project: Project, encoding: str) -> None:
    name = "Zoë \N{SNOWMAN} \N{FEARFUL FACE}"
    project.run(f"Group.objects.create(name={name!r})")
    (project.folder / "script.py").write_text(SETUP + SEVERAL_COMMANDS)
    environment = project.environment | {"PYTHONIOENCODING": encoding}
    del environment["PYTHONUTF8"]
    command = [sys.executable, "-X", "utf8=0", "script.py"]
    said = subprocess.check_output(command, cwd=project.folder, env=environment, timeout=60)
    exported, *as_json, shown = said.split(b"\x1e\n")[:-1]
    assert name in exported.decode()
    assert len(as_json) == 2
    for text in as_json:
        assert lines(text.decode())[-1]["changes"]["name"] == [None, name]
    assert "\\u2603 \\U0001f628" in shown.decode(encoding)


# The page


def downloaded(client: Client, query: str) -> str:
    response = client.get(f"{EXPORT}?{query}")
    assert response.status_code == 200
    assert isinstance(response, StreamingHttpResponse)
    return response.getvalue().decode()


def test_only_those_who_may_read_may_download(client: Client, reader: Client) -> None:
    assert downloaded(reader, "")
    other = Client()
    assert other.get(EXPORT).status_code == 302
    other.force_login(UserFactory.create(is_staff=True))
    assert other.get(EXPORT).status_code == 403
    assert reader.post(EXPORT).status_code == 405


def test_the_list_links_to_what_it_shows(reader: Client) -> None:
    checkout_trace(occurred_at=datetime(2026, 11, 21, tzinfo=UTC))
    saved = SignalEvent.objects.filter(signal="post_save").order_by("occurred_at")
    page = reader.get(f"{LIST}?signal=post_save&p=1").content.decode()
    links = [link for link in Markup(page).links if link.startswith("export/")]
    assert len(links) == 2
    texts = [downloaded(reader, link.partition("?")[2]) for link in links]
    expected = [event.pk for event in saved]
    assert [int(row["id"]) for row in table(texts[0])] == expected
    assert [row["id"] for row in lines(texts[1])] == expected


def test_an_empty_list_offers_no_download(reader: Client) -> None:
    page = reader.get(f"{LIST}?signal=post_save").content.decode()
    assert not [link for link in Markup(page).links if link.startswith("export/")]


def test_a_download_is_a_file_with_a_name(reader: Client) -> None:
    response = reader.get(f"{EXPORT}?format=jsonl")
    assert response["Content-Type"] == "application/x-ndjson"
    assert response["Content-Disposition"].startswith('attachment; filename="events-')
    assert response["Content-Disposition"].endswith('.jsonl"')
    assert reader.get(EXPORT)["Content-Type"] == "text/csv; charset=utf-8"


@pytest.mark.parametrize(
    "query", ["format=xml", "colour=red", "time=x", "view=x", "signal=%00", "q=what+is+this%3F"]
)
def test_an_address_that_means_nothing_is_refused_in_words(reader: Client, query: str) -> None:
    response = reader.get(f"{EXPORT}?{query}")
    assert response.status_code == 400
    assert response["Content-Type"].startswith("text/plain")
    assert response.content


# What is ticked in the list


def ticked(client: Client, action: str, *keys: Any, query: str = "") -> Any:
    return client.post(f"{LIST}?{query}", {"action": action, "_selected_action": keys})


@pytest.mark.parametrize(
    ("action", "read"), [("download_csv", table), ("download_json_lines", lines)]
)
def test_ticked_events_are_downloaded_oldest_first(
    reader: Client, action: str, read: Callable[[str], Any]
) -> None:
    day = datetime(2026, 11, 21, tzinfo=UTC)
    events = [
        SignalEventFactory.create(signal="post_save", occurred_at=day + timedelta(hours=hour))
        for hour in range(4)
    ]
    response = ticked(reader, action, events[3].pk, events[1].pk, query="signal=post_save")
    assert response["Content-Disposition"].startswith("attachment")
    found = [int(row["id"]) for row in read(response.getvalue().decode())]
    assert found == [events[1].pk, events[3].pk]


def test_all_across_the_pages_are_those_that_the_list_shows(reader: Client) -> None:
    day = datetime(2026, 11, 21, tzinfo=UTC)
    inside, *_others = [
        SignalEventFactory.create(signal=signal, occurred_at=day + timedelta(days=days))
        for signal, days in (("post_save", 0), ("post_save", 9), ("pre_save", 0))
    ]
    everything = {"action": "download_csv", "_selected_action": inside.pk, "select_across": "1"}
    query = "signal=post_save&time=2026-11-20/2026-11-22"
    response = reader.post(f"{LIST}?{query}", everything)
    assert [int(row["id"]) for row in table(response.getvalue().decode())] == [inside.pk]


def test_nothing_ticked_says_so(reader: Client) -> None:
    SignalEventFactory.create()
    response = reader.post(LIST, {"action": "download_csv", "index": "0"}, follow=True)
    assert "Items must be selected" in response.content.decode()


@pytest.mark.parametrize("key", ["x", "1.5", "-1", "", "9" * 40, "\0"])
def test_a_key_that_is_none_is_refused_in_words(reader: Client, key: str) -> None:
    response = ticked(reader, "download_csv", key)
    assert response.status_code == 400
    assert response.content == b"There is no such event."


def test_only_those_who_may_read_may_download_what_they_tick(client: Client) -> None:
    event = SignalEventFactory.create()
    client.force_login(UserFactory.create(is_staff=True))
    assert ticked(client, "download_csv", event.pk).status_code == 403


def test_asking_for_the_head_alone_reads_nothing(reader: Client) -> None:
    SignalEventFactory.create()
    response = reader.head(f"{EXPORT}?format=jsonl")
    assert response.status_code == 200
    assert response.getvalue() == b""


@pytest.mark.django_db(transaction=True)
def test_under_asgi_it_is_sent_piece_by_piece(settings: Any) -> None:
    settings.SIGNALS_DEMO = {"ENABLED": False}
    user = UserFactory.create(is_staff=True, is_superuser=True)
    SignalEventFactory.create_batch(1100)

    async def pieces() -> list[bytes]:
        client = AsyncClient()
        await client.aforce_login(user)
        response = await client.get(f"{EXPORT}?format=jsonl")
        return [piece async for piece in response]

    found = asyncio.run(pieces())
    assert len(found) == 3
    assert len(lines(b"".join(found).decode())) == 1100
