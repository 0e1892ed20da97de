"""The benchmark can be run: what it measures is not asserted here."""

import re
import sqlite3
import subprocess
import sys
from collections import defaultdict
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from benchmarks import instructions
from benchmarks.scale.tables import Comparison, Try, table

CHECKOUT = Path(__file__).parent.parent.parent
HERE = ("--here", "--database", "sqlite", "--rounds", "1")


def run(module: str, *arguments: str) -> str:
    result = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{module}", *arguments],
        cwd=CHECKOUT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_compares_the_variants_and_writes_the_table_into_a_document(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- compare: begin -->\nold\n<!-- compare: end -->\nafter\n")
    variants = "no-op,background,inline"
    table = run("compare", *HERE, "--count", "3", "--only", variants, "--write", str(page))

    for title in ("bare Django", "signals_demo, background", "signals_demo, inline"):
        # What the caller waits, CPU, queries.
        assert table.count(f"| {title} |") == 3
    assert "A bare create on SQLite took" in table
    assert re.search(r"^\| row read: caller waits, µs \| .*ceiver that does nothing", table, re.M)
    assert "| any: queries on the project's connection | +0 | 0 | reached |" in table
    written = page.read_text()
    assert table.strip() in written
    assert "old" not in written
    assert written.startswith("before\n")
    assert written.endswith("after\n")

    _, _, queries = table.partition("**queries on the project's connection**")
    rows = {row.split("|")[1].strip(): row.split("|")[2:] for row in queries.splitlines()[1:5]}
    # A queryset delete loads its rows first, whoever listens.
    assert rows["signals_demo, background"] == rows["a receiver that does nothing"]


def test_a_sustained_load_loses_nothing_and_knows_each_outcome() -> None:
    said = run("sustained", *HERE, "throughput", "memory", "--events=1000", "--saves=1500")

    for way in ("saves", "instances"):
        row = next(line for line in said.splitlines() if line.startswith(f"| {way} |"))
        assert row.endswith("| 0 |")
    assert "2,996 committed, 4 rolled_back; all correct" in said


def test_names_the_functions_that_take_the_callers_time() -> None:
    said = run("where")

    for action in ("create", "row read", "login"):
        assert f"| {action} | " in said
    assert "capture/receive.py receive" in said


def test_instructions_may_not_grow_beyond_what_the_changelog_says() -> None:
    said, noted = instructions.noted()
    assert said.startswith("Python 3.11")
    assert {"create", "row read", "login", instructions.WORKER} <= noted.keys()
    instructions.check(noted)

    bare, more = noted["update"]
    # With another Python, both differ alike.
    instructions.check(noted | {"update": instructions.Count(bare * 2, more * 2.09)})
    with pytest.raises(SystemExit, match=r"update \(\+10\.0%\)"):
        instructions.check(noted | {"update": instructions.Count(bare, more * 1.1)})


FILLED = ("sqlite", "2000")
CHANGES = ("post_save", "post_delete", "m2m_changed")  # that close a pair, so have a duration


def events_and_sums(folder: Path) -> tuple[list[Any], list[Any], list[Any]]:
    """Fill a database for the pages at scale, and return the rows of the app's tables."""
    run("scale.measure", "fill", *FILLED, str(folder), "--longest", "400")
    with closing(sqlite3.connect(folder / "benchmark.sqlite3")) as connection:
        connection.row_factory = sqlite3.Row
        events, traces, hours = (
            connection.execute(f"SELECT * FROM signals_demo_signal{name}").fetchall()
            for name in ("event", "trace", "hour")
        )
    return events, traces, hours


def test_the_events_made_for_the_pages_and_their_sums_agree(tmp_path: Path) -> None:
    events, traces, hours = events_and_sums(tmp_path)
    assert 2_400 <= len(events) < 2_500

    parts: dict[tuple[str, str], list[Any]] = defaultdict(list)
    by_hour: dict[tuple[str, ...], int] = defaultdict(int)
    longest: dict[tuple[str, ...], int] = defaultdict(int)
    numbers = set()
    for event in events:
        parts[event["recorder"], event["trace_id"]].append(event)
        numbers.add((event["recorder"], event["sequence"]))
        key = (f"{event['occurred_at'][:13]}:00:00", "signal", event["signal"], event["sender"])
        by_hour[key] += event["count"]
        longest[key] = max(longest[key], event["duration"] or 0)
    assert len(numbers) == len(events)

    assert len(traces) == len(parts)
    for trace in traces:
        own = parts[trace["recorder"], trace["trace_id"]]
        assert [event["position"] for event in own] == list(range(1, len(own) + 1))
        moments = [event["occurred_at"] for event in own]
        assert (trace["started_at"], trace["ended_at"]) == (min(moments), max(moments))
        assert trace["firings"] == sum(event["count"] for event in own)
        assert trace["changes"] == sum(
            event["signal"] in CHANGES for event in own if event["duration"] is not None
        )
        assert trace["errors"] == sum(event["exception"] != "" for event in own)
        assert trace["rolled_back"] == sum(event["outcome"] == "rolled_back" for event in own)
        assert {event["actor_pk"] for event in own} == {trace["actor_pk"]}

    sums = {tuple(row)[1:5]: (row["firings"], row["longest"]) for row in hours}
    assert {key: sums.pop(key) for key in by_hour} == {
        key: (by_hour[key], longest[key]) for key in by_hour
    }
    kinds = {"origin", "origin/day", "signal/day", "total", "done"}
    assert {kind for _hour, kind, _name, _detail in sums} == kinds
    found = [(key, firings) for key, (firings, _longest) in sums.items()]
    for kind in kinds - {"done"}:
        assert sum(number for key, number in found if key[1] == kind) == sum(by_hour.values())
    assert [firings for key, firings in found if key[1] == "done"] == [events[-1]["id"]]


def test_the_table_has_the_ten_worst_pages_and_the_number_of_all() -> None:
    found = Comparison("sqlite", 1_000_000, {"Django": "5.2"})
    full = {"steep": 60.0} | {f"page {number}": 100.0 + number for number in range(11)}
    small: Try = {name: (100.0 if "page" in name else 9.0, 5.0, 900) for name in full}
    found.tries = [(small, {name: (time, 5.0, 900) for name, time in full.items()})]
    found.queries = (dict.fromkeys(full, 5), dict.fromkeys(full, 5))

    said = table(found)

    assert re.findall(r"^\| (steep|page \d+) \|", said, re.M) == [
        "steep",  # misses the aim, as more events make it more than twice as slow
        *(f"page {number}" for number in range(10, 1, -1)),
    ]
    assert "12 pages were measured, and 11 reached the aim. The table shows the 10 worst." in said


def test_measures_the_pages_with_few_events_and_with_many(tmp_path: Path) -> None:
    said = run(
        *("scale", "--here", "--database", "sqlite", "--events", "2000", "--tries", "1"),
        *("--folder", str(tmp_path / "logs"), "--only", "outcome=rolled_back"),
    )
    _, _, *rows = [line.split(" | ") for line in said.splitlines() if line.startswith("| ")]
    assert ["| list: outcome=rolled_back", "5"] in [[row[0], row[5]] for row in rows]
    assert f"{len(rows)} pages were measured" in said
    assert "medians of 1 tries" in said
    assert not list((tmp_path / "logs").glob("*"))
