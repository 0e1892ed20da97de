"""A unit of work, and who did it."""

import random
from itertools import count
from typing import Any, NamedTuple

from django.db.models import Model
from django.http import HttpRequest

from signals_demo.forks import after_fork
from signals_demo.serialize.introspection import primary_key, unwrapped
from signals_demo.serialize.limits import cut
from signals_demo.serialize.model_info import redactor
from signals_demo.serialize.names import key_text
from signals_demo.serialize.secret_paths import masked_path


class Actor(NamedTuple):
    """Who did it, as text: `pk` is empty for a name without a user."""

    pk: str
    name: str


def actor_of(user: object) -> Actor | None:
    """Return a user as an `Actor`, from what is loaded; None for an anonymous or unloaded one."""
    user = unwrapped(user)
    kind = type(user)
    if issubclass(kind, str):
        return Actor("", cut(str.__str__(user), 200))
    if not issubclass(kind, Model):
        return None
    pk = primary_key(user)  # type: ignore[arg-type]
    if pk is None:
        return None
    name = user.__dict__.get(getattr(kind, "USERNAME_FIELD", ""), "")
    return Actor(key_text(pk), cut(name, 200) if type(name) is str else key_text(name))


# Not the module's own generator: tests seed that one, and would see trace ids twice.
_random = random.Random()  # noqa: S311
after_fork(_random.seed)


class Trace:
    """One unit of work: a request, a command, a task, a `trace()` block, a thread."""

    __slots__ = (
        "_name",
        "_path_info",
        "actor",
        "construction",
        "folds",
        "is_ignored",
        "is_over",
        "loop",
        "origin",
        "positions",
        "remote_address",
        "request",
        "stored_without_actor",
        "trace_id",
    )  # fmt: skip

    def __init__(
        self,
        origin: str,
        name: str,
        *,
        trace_id: str = "",
        actor: Actor | None = None,
        remote_address: str = "",
        is_ignored: bool = False,
        path_info: str = "",
    ) -> None:
        self.origin = origin
        self._name = name
        # Of a request: the end of its name, in which secrets have yet to be masked.
        self._path_info = path_info
        self.trace_id = trace_id or f"{_random.getrandbits(128):032x}"
        self.actor = actor
        self.remote_address = remote_address
        self.request: Any = None
        self.is_over = False
        self.is_ignored = is_ignored
        self.stored_without_actor = False
        self.positions = count(1)
        # Of `capture.init_signals`: its folds, the construction and the loop that go on.
        self.folds: dict[Any, Any] = {}
        self.construction: Any = None
        self.loop: Any = None

    @property
    def origin_name(self) -> str:
        """Return the name of a request, a command, a task or a block, without secrets.

        The URL patterns that know which part of a path is one are loaded by the time that an
        event is stored, and the project's thread does not wait for the search.
        """
        if self._path_info:
            known = {} if self.request is None else self.request.__dict__
            path = masked_path(self._path_info, redactor(), known.get("urlconf"))
            self._name, self._path_info = self._name.removesuffix(self._path_info) + path, ""
        return cut(self._name, 200)

    def find_actor(self) -> Actor | None:
        """Return the actor, looking at a user that the project has loaded by now."""
        if self.actor is None and self.request is not None:
            known = self.request.__dict__
            self.actor = (
                actor_of(known.get("user"))
                or actor_of(known.get("_cached_user"))
                or actor_of(known.get("_acached_user"))
            )
        return self.actor

    def learn_of(self, request: object) -> None:
        """Take note of the request, if this is one and it has not been noted yet."""
        if self.origin == "request" and self.request is None:
            self.request = request if issubclass(type(request), HttpRequest) else None

    def let_go(self) -> None:
        """Note the actor for good and drop the request, when the work is done."""
        self.find_actor()
        self.request = None
        self.is_over = True
