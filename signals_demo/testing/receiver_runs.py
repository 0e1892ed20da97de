"""Note which receivers ran."""

import inspect
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from django.dispatch import Signal

from signals_demo.serialize.names import sender_label
from signals_demo.testing import names
from signals_demo.testing.muting import is_ours, path_of
from signals_demo.testing.names import SenderLike, SignalLike
from signals_demo.tracing.patches import Function, Patch


@dataclass(slots=True)
class ReceiverRun:
    """One call of a receiver; `error` is what it raised."""

    receiver: str
    """Its dotted path."""
    signal: str
    sender: str
    error: BaseException | None = None


class ReceiverRuns:
    """The calls of receivers in a block, in the order in which they started."""

    def __init__(self, signals: dict[Signal, str], sender: str) -> None:
        self._signals = signals
        self._sender = sender
        self.runs: list[ReceiverRun] = []

    @property
    def names(self) -> list[str]:
        """Return the dotted paths of the receivers that ran."""
        return [run.receiver for run in self.runs]

    def __repr__(self) -> str:
        return f"<ReceiverRuns: {', '.join(self.names) or 'none ran'}>"

    def concerns(self, signal: Signal, sender: Any) -> bool:
        """Return whether the calls of this firing are noted."""
        if self._signals and signal not in self._signals:
            return False
        return not self._sender or sender_label(sender) == self._sender

    def begin(self, signal: Signal, sender: Any, receiver: Any) -> ReceiverRun:
        """Note the start of a call."""
        name = self._signals.get(signal) or names.name_of(signal) or "a signal"
        self.runs.append(ReceiverRun(path_of(receiver), name, sender_label(sender)))
        return self.runs[-1]


class _Spy:
    """A stand-in for a receiver that calls it and notes the call."""

    def __init__(self, receiver: Any, begin: Callable[[], list[ReceiverRun]]) -> None:
        self._receiver = receiver
        self._begin = begin

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        runs = self._begin()
        try:
            result = self._receiver(*args, **kwargs)
        except BaseException as error:
            _note(runs, error)
            raise
        return _awaited(result, runs) if inspect.isawaitable(result) else result

    # The result of `send()` contains the receivers: there it compares equal to the original.

    def __eq__(self, other: object) -> bool:
        return bool(self._receiver == other)

    def __hash__(self) -> int:
        return hash(self._receiver)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._receiver, name)


async def _awaited(result: Any, runs: list[ReceiverRun]) -> Any:
    try:
        return await result
    except BaseException as error:
        _note(runs, error)
        raise


def _note(runs: list[ReceiverRun], error: BaseException) -> None:
    for run in runs:
        run.error = error


_watching: list[ReceiverRuns] = []
_lock = threading.Lock()


def _wrap(live_receivers: Function) -> Function:
    def spied_receivers(self: Signal, sender: Any) -> Any:
        found = live_receivers(self, sender)
        watching = [each for each in list(_watching) if each.concerns(self, sender)]
        if not watching:
            return found

        def spied(receiver: Any) -> Any:
            if is_ours(receiver):
                return receiver
            return _Spy(
                receiver, lambda: [each.begin(self, sender, receiver) for each in watching]
            )

        return tuple([spied(receiver) for receiver in group] for group in found)

    return spied_receivers


_patch = Patch(Signal, "_live_receivers", _wrap)


class receivers_run:  # noqa: N801
    """Note which receivers run in a block, on any thread, except the recorder's.

    `with receivers_run("post_save", sender=Order) as ran:` gives a `ReceiverRuns`. Without a
    signal, it notes those of every signal. Raise ValueError or TypeError for a wrong name.
    """

    def __init__(self, *signals: SignalLike, sender: SenderLike | None = None) -> None:
        self._signals = {
            names.signal_of(signal): signal if isinstance(signal, str) else ""
            for signal in signals
        }
        paths = [names.name_of(signal) or "its own" for signal in self._signals]
        self._sender = "" if sender is None else names.sender_name(sender, paths)
        self._open: list[ReceiverRuns] = []

    def __enter__(self) -> ReceiverRuns:
        runs = ReceiverRuns(self._signals, self._sender)
        self._open.append(runs)
        with _lock:
            _watching.append(runs)
            _patch.install()
        return runs

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with _lock:
            _watching.remove(self._open.pop())
            if not _watching:
                _patch.uninstall()
