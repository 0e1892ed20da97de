"""Disconnect receivers for a block, and reconnect them exactly as they were."""

from types import TracebackType
from typing import Any
from weakref import ReferenceType

from django.dispatch import Signal
from django.dispatch.dispatcher import _make_id  # type: ignore[attr-defined]

from signals_demo.catalog.receiver_list import Entry, TakenOut, put_back, take_out
from signals_demo.serialize.model_info import model_named
from signals_demo.testing import names
from signals_demo.testing.names import SignalLike, advice, wrong_type
from signals_demo.tracing.api import ContextBlock


def receiver_in(entry: Entry) -> Any:
    """Return the receiver of an entry, or None if it no longer exists."""
    found = entry[1]
    return found() if isinstance(found, ReferenceType) else found


def path_of(receiver: Any) -> str:
    """Return the dotted path of a receiver."""
    function = getattr(receiver, "func", receiver)  # of a partial
    if not hasattr(function, "__qualname__"):  # an instance that can be called
        function = type(function)
    return f"{function.__module__}.{function.__qualname__}"


def is_ours(receiver: Any) -> bool:
    """Return whether a receiver is the recorder's, which captures need."""
    return str(getattr(receiver, "__module__", "")).startswith("signals_demo.")


class muted(ContextBlock):  # noqa: N801
    """Disconnect receivers for a block: a context manager and decorator (also of coroutines).

    It disconnects all receivers of the signals, those connected for `sender`, or only
    `receiver`: a function, its dotted path or its dispatch_uid. The recorder's receivers stay.
    Afterwards order, weak references and dispatch_uids are as before. Raise ValueError if
    there is no such receiver.
    """

    def __init__(
        self, *signals: SignalLike, sender: object = None, receiver: object = None
    ) -> None:
        if not signals:
            raise TypeError("muted() takes the signals to mute, such as 'post_save'.")
        if not (receiver is None or callable(receiver) or isinstance(receiver, str)):
            raise wrong_type("receiver=", "a receiver, its dotted path or dispatch_uid", receiver)
        self._signals = {names.signal_of(signal): str(signal) for signal in signals}
        self._sender = model_named(sender) or sender if isinstance(sender, str) else sender
        self._receiver = receiver
        self._blocks: list[list[tuple[Signal, list[TakenOut]]]] = []

    def _recreate_cm(self) -> "muted":
        return muted(*self._signals, sender=self._sender, receiver=self._receiver)

    def __enter__(self) -> None:
        block: list[tuple[Signal, list[TakenOut]]] = []
        self._blocks.append(block)
        try:
            for signal, name in self._signals.items():
                chosen = take_out(signal, self._is_meant)
                block.append((signal, chosen))
                if not chosen and (self._sender is not None or self._receiver is not None):
                    raise ValueError(self._nothing_meant(signal, name))
        except ValueError:
            self.__exit__(None, None, None)
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for signal, chosen in self._blocks.pop():
            put_back(signal, chosen)

    def _is_meant(self, entry: Entry) -> bool:
        receiver = receiver_in(entry)
        if receiver is None or is_ours(receiver):
            return False
        if self._sender is not None and entry[0][1] != _make_id(self._sender):
            return False
        wanted = self._receiver
        if isinstance(wanted, str):
            return wanted in (path_of(receiver), entry[0][0])
        return wanted is None or bool(receiver == wanted)

    def _nothing_meant(self, signal: Signal, name: str) -> str:
        receivers = [receiver_in(entry) for entry in signal.receivers]
        paths = [path_of(each) for each in receivers if each is not None and not is_ours(each)]
        of_sender = "" if self._sender is None else f" connected for the sender {self._sender!r}"
        wanted = self._receiver
        if wanted is None:
            return f"{name} has no receiver{of_sender}. {advice('', paths)}"
        shown = wanted if isinstance(wanted, str) else path_of(wanted)
        return f"{name} has no receiver {shown!r}{of_sender}. {advice(shown, paths)}"
