"""A journal says all that was known of its events when the process died."""

import textwrap
from collections import Counter

import pytest

from tests.delivery.journals import BUSY, files, killed, recovered, setting
from tests.recording import Project

pytestmark = pytest.mark.processes


def test_folded_rows_are_counted_to_the_last(project: Project) -> None:
    killed(project, "Group.objects.bulk_create(Group(name=str(n)) for n in range(500))\n" + BUSY)
    recovered(project)
    counted: Counter[str] = Counter()
    for row in project.events("sender = 'auth.Group'"):
        counted[row["signal"]] += row["count"]
    # 500 that are only made, 32 that are saved, 531 that are read.
    assert counted["pre_init"] == counted["post_init"] == 500 + 32 + 531
    assert counted["post_save"] == 32


def test_a_transaction_that_was_open_stays_open(project: Project) -> None:
    killed(project, "import os, signal\nblock = transaction.atomic()\nblock.__enter__()\n" + BUSY)
    recovered(project)
    found = Counter(row["outcome"] for row in project.events("signal = 'post_save'"))
    assert found == {"open": 31, "rolled_back": 1}


def test_rows_stored_as_open_get_their_outcome(apart: Project) -> None:
    project, own = apart, setting(apart, DATABASE="events")
    code = """
    import os, signal
    with transaction.atomic():
        Group.objects.create(name="one")
        assert flush()
    """
    killed(project, textwrap.dedent(code), DATABASE="events")
    outcomes = (
        "SELECT outcome FROM signals_demo_signalevent WHERE object_pk = '1'"
        " AND signal = 'post_save' AND sender = 'auth.Group'"
    )
    assert [row[0] for row in project.query(outcomes, "events.sqlite3")] == ["open"]
    project.manage("signals_recover", setting=own)
    assert [row[0] for row in project.query(outcomes, "events.sqlite3")] == ["committed"]


def test_who_did_it_is_known_also_of_what_came_before_that_was_known(project: Project) -> None:
    code = """
    import os, signal
    from django.test import Client
    ada = User.objects.create_user("ada")
    client = Client()
    client.force_login(ada)
    assert client.get("/who/").content == b"ada"
    """
    killed(project, textwrap.dedent(code))
    recovered(project)
    rows = project.events("origin_name = 'GET /who/'")
    assert rows[0]["signal"] == "request_started"
    assert {row["actor"] for row in rows} == {"ada"}


def test_a_torn_last_line_and_what_is_none_of_ours_are_passed_over(project: Project) -> None:
    killed(project)
    [segment] = (project.folder / "journal").glob("*.jsonl")
    whole = segment.read_bytes()
    torn = whole[: whole.rindex(b'"post_save"') + 20]
    foreign = b'\x00\xff\n[]\n{}\n[1]\n["again"]\n["again", {}]\n["event"]\n["outcome", 1]\n'
    segment.write_bytes(foreign + torn)
    (project.folder / "journal" / "README.txt").write_text("keep")
    recovered(project)
    assert len(project.events("signal = 'post_save'")) == 31
    assert [path.name for path in files(project)] == ["README.txt"]
