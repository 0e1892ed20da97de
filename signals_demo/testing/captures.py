"""Captures the signals that fire in a block or a test; stores nothing."""

import inspect
from collections.abc import Callable, Iterator
from functools import wraps
from types import TracebackType
from typing import Any, TypeVar, Unpack

from django.core.exceptions import ImproperlyConfigured

from signals_demo.conf import config
from signals_demo.testing.events import CapturedEvent, Firings
from signals_demo.testing.filters import Filter, Filters, filter_of
from signals_demo.testing.names import SignalLike
from signals_demo.testing.trees import tree

F = TypeVar("F", bound=Callable[..., Any])


class Capture:
    """The signals that have fired, in firing order: all of them, or those that match filters."""

    def __init__(self, firings: Firings, *conditions: Callable[[CapturedEvent], bool]) -> None:
        self._firings = firings
        self._conditions = conditions

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
        fired = list(self._firings.events)
        return [event for event in fired if all(meets(event) for meets in self._conditions)]

    @property
    def names(self) -> list[str]:
        """Return the names of the signals so far."""
        return [event.signal for event in self.events]

    def filter(self, *signals: SignalLike, **filters: Unpack[Filters]) -> "Capture":
        """Return a capture of the signals that match these filters, including later ones."""
        return self._matching(filter_of(signals, filters).matches)

    def exclude(self, *signals: SignalLike, **filters: Unpack[Filters]) -> "Capture":
        """Return a capture of the signals that `filter()` with these arguments would leave out."""
        without = filter_of(signals, filters)
        return self._matching(lambda event: not without.matches(event))

    def _matching(self, condition: Callable[[CapturedEvent], bool]) -> "Capture":
        return Capture(self._firings, *self._conditions, condition)

    def capturing(self, *signals: SignalLike, **filters: Unpack[Filters]) -> "capture_signals":
        """Open a separate capture for a block."""
        return capture_signals(*signals, **filters)

    def clear(self) -> None:
        """Forget the events so far."""
        self._firings.events.clear()

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
            self.events, self._firings.trace_id,
            ids=ids, times=times, addresses=addresses, changes=changes, sites=sites,
        )  # fmt: skip


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
        self._open: list[Firings] = []

    def __enter__(self) -> Capture:
        require_enabled()
        firings = Firings()
        self._open.append(firings)
        firings.begin()
        return Capture(firings, self._filter.matches)

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
