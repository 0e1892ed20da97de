"""A unit of work: a request, a command, a task, a `trace()` block, a thread."""

import random
from itertools import count
from typing import Any

from signals_demo.forks import after_fork
from signals_demo.serialize.introspection import own_dict
from signals_demo.serialize.limits import cut
from signals_demo.serialize.model_info import redactor
from signals_demo.serialize.secret_paths import masked_path
from signals_demo.tracing.identity import Identity

# Not the module's own generator: tests seed that one, and would see trace ids twice.
_random = random.Random()  # noqa: S311
after_fork(_random.seed)


class Trace:
    """One unit of work. Several may share a trace id, and each has a span id of its own."""

    __slots__ = (
        "_name",
        "_path_info",
        "construction",
        "folds",
        "is_ignored",
        "loops",
        "origin",
        "positions",
        "remote_address",
        "span_id",
        "trace_id",
        "urlconf",
        "who",
    )  # fmt: skip

    def __init__(
        self,
        origin: str,
        name: str,
        *,
        trace_id: str = "",
        who: Identity | None = None,
        remote_address: str = "",
        is_ignored: bool = False,
        path_info: str = "",
    ) -> None:
        self.origin = origin
        self._name = name
        # Of a request: the end of its name, in which secrets have yet to be masked.
        self._path_info = path_info
        self.urlconf: Any = None
        self.trace_id = trace_id or f"{_random.getrandbits(128):032x}"
        # `fields.SpanIdField` says why 63.
        self.span_id = f"{_random.getrandbits(63):016x}"
        self.who = who or Identity()
        self.remote_address = remote_address
        self.is_ignored = is_ignored
        self.positions = count(1)
        # Of `capture.folding`: the firings of each kind so far.
        self.folds: dict[Any, Any] = {}
        # Of `capture.init_signals`: the construction that goes on, and each model's latest loop.
        self.construction: Any = None
        self.loops: dict[Any, Any] = {}

    @property
    def origin_name(self) -> str:
        """Return the name of a request, a command, a task or a block, without secrets.

        The URL patterns that know which part of a path is one are loaded by the time that an
        event is stored, and the project's thread does not wait for the search.
        """
        if self._path_info:
            urlconf = own_dict(self.who.request).get("urlconf", self.urlconf)
            path = masked_path(self._path_info, redactor(), urlconf)
            self._name, self._path_info = self._name.removesuffix(self._path_info) + path, ""
        return cut(self._name, 200)

    def end_folds(self) -> None:
        """Let similar firings that follow have rows of their own: somebody else acts."""
        for fold in list(self.folds.values()):  # other threads may add to them
            fold.event = None

    def end(self) -> None:
        """Note who acted, and let go of the request: it is over."""
        self.folds.clear()
        self.urlconf = own_dict(self.who.request).get("urlconf")
        self.who.end()
