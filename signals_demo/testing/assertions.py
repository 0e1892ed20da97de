"""Assertions for `unittest`, in the style of Django's."""

from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Unpack

from signals_demo import catalog
from signals_demo.testing.captures import Capture, capture_signals
from signals_demo.testing.events import CapturedEvent
from signals_demo.testing.filters import Filter, Filters, filter_of, fired
from signals_demo.testing.names import SignalLike, wrong_type

_LONGEST = 100  # lines of a failure's tree

Check = Callable[[Capture], str]
"""Return what is wrong with the signals that fired, or ""."""


class SignalTestMixin:
    """Assertions about signals, for a test case: `class BuyingTests(SignalTestMixin, TestCase)`.

    Each is a context manager that gives the `Capture` of its block. With `within=` it checks an
    existing capture. The filters are those of `capture_signals`.
    """

    def assertSignals(  # noqa: N802
        self,
        expected: Iterable[SignalLike | Filter],
        *,
        within: Capture | None = None,
        msg: object = None,
        **filters: Unpack[Filters],
    ) -> "SignalAssertion":
        """Fail unless exactly these signals fire, in this order.

        An item is a signal or a `fired("post_save", outcome="rolled_back")`. `pre_init` and
        `post_init`, which fire for every row read, count only if `expected` has one.
        """
        wanted = [item if isinstance(item, Filter) else fired(item) for item in _items(expected)]
        return self._assert(lambda found: _in_order(found, wanted), (), filters, within, msg)

    def assertSignalSent(  # noqa: N802
        self,
        signal: SignalLike,
        *,
        within: Capture | None = None,
        msg: object = None,
        **filters: Unpack[Filters],
    ) -> "SignalAssertion":
        """Fail unless this signal fires, once or more often."""
        wanted = fired(signal, **filters)
        return self._assert(lambda found: _sent(found, wanted), (), {}, within, msg)

    def assertSignalNotSent(  # noqa: N802
        self,
        signal: SignalLike,
        *,
        within: Capture | None = None,
        msg: object = None,
        **filters: Unpack[Filters],
    ) -> "SignalAssertion":
        """Fail if this signal fires."""
        unwanted = fired(signal, **filters)
        return self._assert(lambda found: _not_sent(found, unwanted), (), {}, within, msg)

    def assertNumSignals(  # noqa: N802
        self,
        number: int,
        *signals: SignalLike,
        within: Capture | None = None,
        msg: object = None,
        **filters: Unpack[Filters],
    ) -> "SignalAssertion":
        """Fail unless this many signals fire; without filters, init signals count too."""
        if isinstance(number, bool) or not isinstance(number, int):
            raise wrong_type("number", "a whole number", number)
        return self._assert(lambda found: _counted(found, number), signals, filters, within, msg)

    def _assert(
        self,
        check: Check,
        signals: tuple[SignalLike, ...],
        filters: Filters,
        within: Capture | None,
        msg: object,
    ) -> "SignalAssertion":
        if within is not None and not isinstance(within, Capture):
            raise wrong_type("within=", "what capture_signals() gives", within)
        assertion = SignalAssertion(
            self, check, capture_signals(), filter_of(signals, filters), msg
        )
        if within is not None:
            assertion.check(within)
        return assertion


class SignalAssertion:
    """A block of a test whose signals are checked at its end, unless it raises."""

    def __init__(
        self, test: Any, check: Check, block: capture_signals, only: Filter, msg: object
    ) -> None:
        self._test = test
        self._check = check
        self._block = block
        self._only = only
        self._msg = msg

    def __enter__(self) -> Capture:
        self._capture = self._block.__enter__()
        return self._capture

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._block.__exit__(kind, error, traceback)
        if kind is None:
            self.check(self._capture)

    def check(self, capture: Capture) -> None:
        """Raise the test case's failure if the check finds something wrong."""
        problem = self._check(capture._matching(self._only.matches))
        if problem:
            text = f"{problem}\n{_shown(capture, self._only)}"
            raise self._test.failureException(self._test._formatMessage(self._msg, text))


def _items(expected: object) -> list[Any]:
    # A lone string is an iterable of letters.
    if isinstance(expected, (str, bytes)) or not isinstance(expected, Iterable):
        raise wrong_type("expected", "a list of signals", expected)
    return list(expected)


def _in_order(found: Capture, wanted: list[Filter]) -> str:
    named = {name for each in wanted for name in each.signals}
    events = [event for event in found if event.signal not in set(catalog.INIT) - named]
    for number, (each, event) in enumerate(zip(wanted, events, strict=False), 1):
        if not each.matches(event):
            return _difference(wanted, f"Number {number} is {_named(event)}, not {each}.")
    if len(events) > len(wanted):
        extra = ", ".join(map(_named, events[len(wanted) :][:3]))
        return _difference(wanted, f"After them, this fired: {extra}.")
    if len(events) < len(wanted):
        return _difference(wanted, f"Number {len(events) + 1}, {wanted[len(events)]}, is missing.")
    return ""


def _named(event: CapturedEvent) -> str:
    return " ".join(filter(None, (event.signal, event.sender, event.outcome)))


def _difference(wanted: list[Filter], what: str) -> str:
    lines = [f"  {number}. {each}" for number, each in enumerate(wanted, 1)]
    expected = "\n".join(["Expected exactly, in this order:", *lines])
    return f"{what}\n{expected if wanted else 'Expected no signal.'}"


def _sent(found: Capture, wanted: Filter) -> str:
    return "" if any(map(wanted.matches, found)) else f"Expected, and did not fire: {wanted}"


def _not_sent(found: Capture, unwanted: Filter) -> str:
    number = sum(map(unwanted.matches, found))
    return f"Not expected, and fired {_times(number)}: {unwanted}" if number else ""


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _counted(found: Capture, number: int) -> str:
    return "" if len(found) == number else f"Expected {number} signals, and {len(found)} fired."


def _shown(capture: Capture, only: Filter) -> str:
    """Return the signals that fired, as a tree with their call sites."""
    title = "Fired:" if only == Filter() else f"Fired (of which count: {only}):"
    lines = capture.tree(sites=True, ids=True).splitlines() or ["nothing"]
    left_out = len(lines) - _LONGEST
    if left_out > 0:
        lines[_LONGEST:] = [f"… and {left_out} more"]
    return "\n".join([title, *(f"  {line}" for line in lines)])
