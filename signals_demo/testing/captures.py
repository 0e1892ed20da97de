"""Capture the signals that fire in a block, on any thread, without storing them."""

import inspect
import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import cached_property, wraps
from types import TracebackType
from typing import Any, TypeVar, Unpack

from django.core.exceptions import ImproperlyConfigured

from signals_demo import catalog
from signals_demo.capture import lazy
from signals_demo.capture.connect import connect_test_signals, follow_test_run
from signals_demo.capture.recorder import here, tidy
from signals_demo.conf import config
from signals_demo.delivery.rows import row_of
from signals_demo.delivery.writer import writer
from signals_demo.events import Event, Row
from signals_demo.testing.filters import Filter, Filters, filter_of
from signals_demo.testing.names import SignalLike
from signals_demo.testing.outcomes import TestTransaction, update_blocks
from signals_demo.testing.trees import tree
from signals_demo.tracing import test_runs

F = TypeVar("F", bound=Callable[..., Any])

# At import, not with the first capture: tests often change objects that were created before.
lazy.load()


class CapturedEvent:
    """A firing as a test sees it: the fields of `SignalEvent`, as they would be stored now."""

    sequence: int
    occurred_at: datetime
    signal: str
    sender: str
    trace_id: str
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
        self._test = None if event.outcome is None else TestTransaction(event.database)
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
        if row is None or (row.origin == "request" and not row.actor):
            row = self._known = row_of(self._event, writer.recorder, "")
        return row

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
        tidy()  # notes a save that has just failed
        return self._test.outcome_of(outcome)


class Capture:
    """The signals that have fired, in firing order: all of them, or those that match filters."""

    def __init__(self, *tests: Callable[[CapturedEvent], bool]) -> None:
        self._all: list[CapturedEvent] = []
        self._tests = tests
        self._ground = here().trace.trace_id

    def __iter__(self) -> Iterator[CapturedEvent]:
        return iter(self.events)

    def __len__(self) -> int:
        return len(self.events)

    def __getitem__(self, index: int) -> CapturedEvent:
        events = self.events
        try:
            return events[index]
        except IndexError:
            fired = ", ".join(event.signal for event in events) or "none of them"
            raise IndexError(f"There is no [{index}] in this capture. Fired: {fired}.") from None

    def __repr__(self) -> str:
        return f"<Capture: {', '.join(self.names) or 'nothing fired'}>"

    def __deepcopy__(self, memo: object) -> "Capture":
        return self

    @property
    def events(self) -> list[CapturedEvent]:
        """Return the events so far."""
        require_enabled()
        return [event for event in list(self._all) if all(test(event) for test in self._tests)]

    @property
    def names(self) -> list[str]:
        """Return the names of the signals so far."""
        return [event.signal for event in self.events]

    def filter(self, *signals: SignalLike, **filters: Unpack[Filters]) -> "Capture":
        """Return a capture of the signals that match these filters, including later ones."""
        return self._narrowed(filter_of(signals, filters).matches)

    def exclude(self, *signals: SignalLike, **filters: Unpack[Filters]) -> "Capture":
        """Return a capture of the signals that `filter()` with these arguments would leave out."""
        without = filter_of(signals, filters)
        return self._narrowed(lambda event: not without.matches(event))

    def _narrowed(self, test: Callable[[CapturedEvent], bool]) -> "Capture":
        narrowed = Capture(*self._tests, test)
        narrowed._all, narrowed._ground = self._all, self._ground
        return narrowed

    def capturing(self, *signals: SignalLike, **filters: Unpack[Filters]) -> "capture_signals":
        """Open a separate capture for a block."""
        return capture_signals(*signals, **filters)

    def clear(self) -> None:
        """Forget the events so far."""
        self._all.clear()

    def tree(
        self,
        *,
        ids: bool = False,
        times: bool = False,
        addresses: bool = False,
        changes: bool = False,
        sites: bool = False,
    ) -> str:
        """Return the signals as text, one per line, indented inside their pairs.

        The text is the same in each run. What may differ is left out unless you ask for it:
        keys of objects, durations, client addresses, old and new values, call sites.
        """
        return tree(
            self.events, self._ground,
            ids=ids, times=times, addresses=addresses, changes=changes, sites=sites,
        )  # fmt: skip

    def begin(self) -> None:
        """Start capturing."""
        test_runs.observers.append(self._take)
        connect_test_signals()
        follow_test_run()

    def end(self) -> None:
        """Stop capturing; the events stay readable."""
        test_runs.observers.remove(self._take)
        follow_test_run()
        update_blocks()

    def _take(self, event: Event) -> None:
        self._all.append(CapturedEvent(event))


def require_enabled() -> None:
    """Raise ImproperlyConfigured if nothing can be captured."""
    if not config().enabled:
        raise ImproperlyConfigured(
            "No signal can be captured: SIGNALS_DEMO['ENABLED'] is False, so nothing is "
            "connected. Switch it on for this test with "
            'override_settings(SIGNALS_DEMO={"ENABLED": True}).'
        )


class capture_signals:  # noqa: N801
    """Capture the signals that fire in a block, on any thread: a context manager and decorator.

    `with capture_signals("post_save", sender=Order) as signals:` gives a `Capture`. A decorated
    function, sync or async, gets it as the argument `signals`. Filters: signals, and `family`,
    `sender`, `object`, `database`, `outcome`. Raise ValueError for a name that does not exist
    or is not recorded, TypeError for an argument of the wrong type.
    """

    def __init__(self, *signals: SignalLike, **filters: Unpack[Filters]) -> None:
        if len(signals) == 1 and inspect.isfunction(signals[0]):
            raise TypeError("As a decorator, write @capture_signals().")
        self._filter: Filter = filter_of(signals, filters)
        self._open: list[Capture] = []

    def __enter__(self) -> Capture:
        require_enabled()
        capture = Capture(self._filter.matches)
        self._open.append(capture)
        capture.begin()
        return capture

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._open.pop().end()

    def _anew(self) -> "capture_signals":
        again = capture_signals()
        again._filter = self._filter
        return again

    def __call__(self, func: F) -> F:
        signature = inspect.signature(func)
        if "signals" not in signature.parameters:
            raise TypeError(f"{func.__qualname__}() needs an argument named 'signals'.")
        inner = (
            _async_inner(self, func) if inspect.iscoroutinefunction(func) else _inner(self, func)
        )
        # Without the argument that is filled in, or pytest would look for a fixture with its name.
        others = [p for name, p in signature.parameters.items() if name != "signals"]
        inner.__signature__ = signature.replace(parameters=others)  # type: ignore[attr-defined]
        return inner  # type: ignore[return-value]


def _inner(capturing: capture_signals, func: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(func)
    def inner(*args: Any, **kwargs: Any) -> Any:
        with capturing._anew() as signals:
            return func(*args, signals=signals, **kwargs)

    return inner


def _async_inner(capturing: capture_signals, func: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(func)
    async def inner(*args: Any, **kwargs: Any) -> Any:
        with capturing._anew() as signals:
            return await func(*args, signals=signals, **kwargs)

    return inner
