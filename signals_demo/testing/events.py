"""The events of a capture, as a test sees them."""

import json
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from signals_demo import catalog
from signals_demo.capture import lazy
from signals_demo.capture.connect import connect_test_signals, follow_test_run, keep_values
from signals_demo.capture.pairs import current_scope, leave_ended_pairs
from signals_demo.delivery.rows import row_of
from signals_demo.delivery.writer import writer
from signals_demo.events import Event, Row
from signals_demo.testing.outcomes import TestTransaction, update_blocks
from signals_demo.tracing import test_runs
from signals_demo.tracing.actors import Actor
from signals_demo.tracing.schemas import alias_in

# At import, not with the first capture: tests often change objects that were created before.
lazy.load()
keep_values()


class CapturedEvent:
    """A firing as a test sees it: the fields of `SignalEvent`, as they would be stored now."""

    sequence: int
    occurred_at: datetime
    signal: str
    sender: str
    trace_id: str
    span_id: str
    position: int
    depth: int
    count: int
    duration: timedelta | None
    origin: str
    origin_name: str
    actor_pk: str
    actor: str
    remote_address: str
    object_pk: str
    database: str
    call_site: str
    exception: str

    def __init__(self, event: Event) -> None:
        self._event = event
        # Read on the firing thread: a connection belongs to its thread.
        self._test = None if event.outcome is None else TestTransaction(alias_in(event.database))
        self._known: Row | None = None

    def __getattr__(self, name: str) -> Any:
        if name not in CapturedEvent.__annotations__:
            raise AttributeError(f"A captured event has no {name!r}.")
        return getattr(self._row, name)

    def __repr__(self) -> str:
        shown = filter(None, (self.signal, self.sender, self.object_pk, self.outcome))
        return f"<{' '.join(shown)}>"

    def __deepcopy__(self, memo: object) -> "CapturedEvent":
        # Django copies what setUpTestData() keeps; a trace and a transaction cannot be copied.
        return self

    @property
    def _row(self) -> Row:
        row = self._known
        # The user of a request may become known after the first of its signals.
        if row is None or not (row.actor or row.actor_pk or self._actor is None):
            row = self._known = row_of(self._event, writer.recorder, "")
        return row

    @property
    def _actor(self) -> Actor | None:
        return self._event.trace.who.at(self._event.sequence)

    @property
    def family(self) -> str:
        """Return the family of the signal, or "" for one that is not Django's."""
        known = catalog.get(self.signal)
        return str(known.family) if known else ""

    @cached_property
    def arguments(self) -> dict[str, Any]:
        """Return the signal's arguments, masked."""
        return dict(json.loads(self._row.arguments))

    @cached_property
    def changes(self) -> dict[str, list[Any]]:
        """Return `{field: [old, new]}`."""
        return dict(json.loads(self._row.changes))

    @property
    def outcome(self) -> str:
        """Return `committed`, `rolled_back`, `open`, or "" if no transaction is involved.

        Inside Django's `TestCase`, what reaches the test's own transaction is `committed`,
        although the test ends with a rollback.
        """
        outcome = self._event.outcome
        if outcome is None or self._test is None:
            return ""
        leave_ended_pairs()  # notes a save that has just failed
        return self._test.outcome_of(outcome)


class Firings:
    """Collects the events that fire between `begin()` and `end()`, on any thread."""

    def __init__(self) -> None:
        self.events: list[CapturedEvent] = []
        self.trace_id = current_scope().trace.trace_id
        """The trace of the test itself."""

    def begin(self) -> None:
        """Start collecting."""
        test_runs.observers.append(self._add)
        connect_test_signals()
        follow_test_run()

    def end(self) -> None:
        """Stop collecting; the events stay readable."""
        test_runs.observers.remove(self._add)
        follow_test_run()
        update_blocks()

    def _add(self, event: Event) -> None:
        self.events.append(CapturedEvent(event))
