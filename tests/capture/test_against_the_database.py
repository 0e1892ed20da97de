"""Whatever a project does with its rows, the log says what the database says.

Programs that hypothesis makes up create, change, reload and delete rows, in blocks inside blocks
that commit or fail. After each step, the test asks the database what the row holds.
"""

import copy
import datetime
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count
from typing import Any, NamedTuple

import pytest
from django.db import transaction
from django.db.models import signals
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signals_demo import trace
from signals_demo.events import Row
from signals_demo.serialize.redaction import Redactor
from signals_demo.serialize.values import jsonable
from tests.capture.firings import connected
from tests.recording import kept
from tests.serialize.kinds import Kinds
from tests.shapes import tables

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.stored]

KEYS = count(1)  # SQLite gives the key of a row that was rolled back to another one
SIGNALS = {
    name: getattr(signals, name)
    for name in ("pre_init", "post_init", "pre_save", "post_save", "pre_delete", "post_delete")
}

TEXT = st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=12)
WHOLE = st.integers(-(10**6), 10**6)
AMOUNT = st.decimals(-9999, 9999, places=2)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "day": (days := st.dates(datetime.date(1900, 1, 1))) | days.map(str),
    "at": st.datetimes(
        datetime.datetime(1980, 1, 1), datetime.datetime(2037, 1, 1),
        timezones=st.just(datetime.UTC),
    ),
    "clock": (clocks := st.times()) | clocks.map(str),
    "span": st.timedeltas(datetime.timedelta(-999), datetime.timedelta(999)),
    # MariaDB refuses what is no UUID of RFC 4122.
    "code": (codes := st.uuids(version=4)) | codes.map(str) | codes.map(lambda c: c.hex.upper()),
    "address": st.ip_addresses(v=4).map(str) | st.ip_addresses(v=6).map(str),
    "number": WHOLE | WHOLE.map(str) | st.sampled_from([1, 2]),
    "price": AMOUNT | AMOUNT.map(str) | st.integers(-9999, 9999),
    "ratio": st.floats(-1e6, 1e6, width=32) | WHOLE,
    "flag": st.booleans() | st.sampled_from([0, 1]),
    "text": TEXT | WHOLE,
    "name": TEXT | AMOUNT,
    "data": st.recursive(
        st.none() | st.booleans() | WHOLE | TEXT,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
        max_leaves=6,
    ),
    "blob": st.binary(max_size=12),
    "mail": TEXT,
}  # fmt: skip
FIELDS = tuple(VALUES)
GIVEN = st.fixed_dictionaries({}, optional={n: st.none() | v for n, v in VALUES.items()})


class Create(NamedTuple):
    values: dict[str, Any]


class Change(NamedTuple):
    row: int
    values: dict[str, Any]
    only_these: bool
    """Whether the save is given `update_fields`."""
    loads: bool
    """Whether another instance of the row is loaded before."""


class ChangeInPlace(NamedTuple):
    row: int
    value: Any


class Refresh(NamedTuple):
    row: int


class Delete(NamedTuple):
    row: int
    by_query: bool


class Block(NamedTuple):
    steps: Sequence[Any]
    fails: bool


ROW = st.integers(0, 3)
STEP = (
    st.builds(Create, GIVEN)
    | st.builds(Change, ROW, GIVEN, st.booleans(), st.booleans())
    | st.builds(ChangeInPlace, ROW, TEXT | WHOLE)
    | st.builds(Refresh, ROW)
    | st.builds(Delete, ROW, st.booleans())
)
STEPS = st.lists(
    st.recursive(
        STEP,
        lambda inner: st.builds(Block, st.lists(inner, max_size=5), st.booleans()),
        max_leaves=12,
    ),
    min_size=1,
    max_size=8,
)


class Expected(NamedTuple):
    """A save or delete, with what the row held before and after it; None if there was none."""

    signal: str
    key: Any
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    around: tuple[int, ...]
    """The numbers of the blocks that it is in."""


class Failed(Exception):
    """Rolls a block back."""


class Program:
    """Does the steps, and notes what the log has to say of them."""

    def __init__(self) -> None:
        self.expected: list[Expected] = []
        self.failed: set[int] = set()
        self._rows: list[Kinds] = []
        self._read: dict[int, list[Kinds]] = {}
        self._around: tuple[int, ...] = ()
        self._blocks = 0

    def run(self, steps: Sequence[Any]) -> None:
        for step in steps:
            if isinstance(step, Block):
                self._run_block(step)
            elif isinstance(step, Create):
                one = Kinds(pk=next(KEYS), **copy.deepcopy(step.values))
                self._rows.append(self._save(one))
            elif self._rows:
                self._do(step, step.row % len(self._rows))

    def _run_block(self, block: Block) -> None:
        self._blocks += 1
        number, around = self._blocks, self._around
        self._around = (*around, number)
        try:
            with transaction.atomic():
                self.run(block.steps)
                if block.fails:
                    raise Failed
        except Failed:
            self.failed.add(number)
            # What an instance read in it may never have been there: that is not followed.
            read = self._read.pop(number, [])
            self._rows = [one for one in self._rows if not any(one is each for each in read)]
        self._around = around

    def _do(self, step: Any, index: int) -> None:
        one = self._rows[index]
        if isinstance(step, Change):
            if step.loads and Kinds.objects.filter(pk=one.pk).exists():
                one = self._rows[index] = Kinds.objects.get(pk=one.pk)
                self._note_read(one)
            for name, value in copy.deepcopy(step.values).items():
                setattr(one, name, value)
            self._save(one, list(step.values) if step.only_these and step.values else None)
        elif isinstance(step, ChangeInPlace):
            if isinstance(one.data, list):
                one.data.append(step.value)
            elif isinstance(one.data, dict):
                one.data["changed"] = step.value
            self._save(one)
        elif isinstance(step, Refresh):
            if self._snapshot(one.pk) is not None:
                one.refresh_from_db()
                self._note_read(one)
        else:
            self._delete(one, by_query=step.by_query)

    def _note_read(self, one: Kinds) -> None:
        for number in self._around:
            self._read.setdefault(number, []).append(one)

    def _snapshot(self, pk: Any) -> dict[str, Any] | None:
        return Kinds.objects.filter(pk=pk).values(*FIELDS).first()

    def _save(self, one: Kinds, fields: list[str] | None = None) -> Kinds:
        before = self._snapshot(one.pk)
        if before is None:
            fields = None  # there is nothing to update
        one.save(update_fields=fields)
        after = self._snapshot(one.pk)
        self.expected.append(Expected("post_save", one.pk, before, after, self._around))
        return one

    def _delete(self, one: Kinds, *, by_query: bool) -> None:
        pk, before = one.pk, self._snapshot(one.pk)
        if by_query:
            Kinds.objects.filter(pk=pk).delete()
        else:
            one.delete()
        if before is not None or not by_query:
            self.expected.append(Expected("post_delete", pk, before, None, self._around))
        self._rows = [each for each in self._rows if each is not one]


def changed(one: Expected) -> dict[str, list[Any]]:
    """Return the changes that the database has seen, as they are shown."""
    nothing = dict.fromkeys(FIELDS)
    before, after = one.before or nothing, one.after or nothing
    return {
        name: [jsonable(row[name], Redactor()) for row in (before, after)]
        for name in FIELDS
        if before[name] != after[name]
    }


def told(row: Row) -> dict[str, list[Any]]:
    pairs = json.loads(row.changes)
    return {name: pair for name, pair in pairs.items() if name in FIELDS and pair != [None, None]}


@contextmanager
def counting(fired: Counter[str]) -> Iterator[None]:
    """Count what fires."""
    with ExitStack() as stack:
        for name, signal in SIGNALS.items():

            def note(name: str = name, **kwargs: Any) -> None:
                fired[name] += 1

            stack.enter_context(connected(signal, note, Kinds))
        yield


@pytest.fixture(autouse=True)
def _kinds(memory: None) -> Iterator[None]:
    with tables(Kinds):
        yield


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
def test_the_log_says_what_the_database_says(steps: list[Any]) -> None:
    fired: Counter[str] = Counter()
    program = Program()
    with trace("unit") as unit, counting(fired):
        program.run(steps)
    rows = kept(unit)
    stored: Counter[str] = Counter()
    for row in rows:
        stored[row.signal] += row.count
    assert {name: stored[name] for name in SIGNALS} == {name: fired[name] for name in SIGNALS}
    done = [row for row in rows if row.signal in ("post_save", "post_delete")]
    assert [(row.signal, row.object_pk) for row in done] == [
        (one.signal, str(one.key)) for one in program.expected
    ]
    for row, one in zip(done, program.expected, strict=True):
        is_undone = not program.failed.isdisjoint(one.around)
        assert row.outcome == ("rolled_back" if is_undone else "committed")
        assert told(row) == changed(one), one
