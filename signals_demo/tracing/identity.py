"""Who acts in a unit of work, from which of its events on.

A request is asked at each event who its user is by then: two looks at a dict, as long as nothing
changes. What is known is kept, as text, until the unit ends. Nobody is loaded for it.
"""

from collections.abc import Iterator
from operator import is_not
from types import FrameType
from typing import Any

from django.http import HttpRequest
from django.utils.functional import LazyObject

from signals_demo.serialize.introspection import own_dict, unwrapped
from signals_demo.tracing.actors import NOBODY, Actor, actor_of, is_user
from signals_demo.tracing.impersonation import impersonator, session_user, unread_session
from signals_demo.tracing.project_functions import actor_by_project

LAST = 2**63 - 1
"""Above the number of any event."""

Part = tuple[int, int, Actor]
"""The numbers of the first and the last event of a part of a unit, and who acts in it."""

_UNSEEN = (None, None, None, None)


class Identity:
    """Who acts, from which event on: `changes` has the numbers of these events.

    Its first entry holds from the beginning: who it was became known only then. The project's
    threads add to it, the worker reads it.
    """

    __slots__ = (
        "_frame", "_is_settled", "_seen", "_session_pk", "_source", "_user", "_values",
        "_waits_for_end", "changes", "incomplete", "is_followed", "is_over", "request",
        "session_key", "stored",
    )  # fmt: skip

    def __init__(self, actor: Actor | None = None) -> None:
        self.changes: list[tuple[int, Actor]] = [] if actor is None else [(0, actor)]
        self.is_followed = False
        """Whether it is that of a request that goes on, and may change."""
        self.is_over = True
        """Whether it does not change any more."""
        self.incomplete: set[tuple[str, str]] = set()
        """The trace id and span id of each unit of which rows were stored without an actor."""
        self.stored: set[tuple[str, str]] = set()
        """The same of rows that were stored with one, while it could still change."""
        self.session_key = ""
        """Of a request that has ended: the session that says who it is, which nobody has read."""
        self.request: HttpRequest | None = None
        self._values: dict[str, Any] | None = None
        self._source: object = None
        self._frame: FrameType | None = None
        self._waits_for_end = False
        # The user when last looked at, and whether that is somebody; all that was looked at.
        self._user: object = None
        self._is_settled = False
        self._seen: tuple[Any, ...] = _UNSEEN
        # Whose session it is, as long as nobody has asked Django whether that is still valid.
        self._session_pk = ""

    @classmethod
    def of_request(
        cls, source: object, frame: FrameType | None = None, *, waits_for_end: bool = False
    ) -> "Identity":
        """Return that of a request, by the environ or the scope that it will be made of.

        `frame` is the call that will have it in its variable `request`, if that is known. With
        `waits_for_end` it is known only when the project has answered.
        """
        made = cls()
        made.is_followed, made.is_over = True, False
        made._source, made._frame, made._waits_for_end = source, frame, waits_for_end
        return made

    def at(self, number: int) -> Actor | None:
        """Return who acted at the event of this number; None as long as that is not known."""
        if self._waits_for_end:
            return None
        found = None
        for start, actor in self.changes:
            if start > number and found is not None:
                break
            found = actor
        return found

    def parts(self) -> Iterator[Part]:
        """Yield who acted in which part of the unit."""
        ends = [*(start - 1 for start, _actor in self.changes[1:]), LAST]
        for (start, actor), end in zip(self.changes, ends, strict=False):
            if actor != NOBODY:
                yield start, end, actor

    def learn(self, request: Any) -> None:
        """Take note of the request, if it is that of this unit, or wraps it."""
        if not self.is_followed or self._values is not None:
            return
        if not issubclass(type(request), HttpRequest):
            request = own_dict(request).get("_request")  # Django REST framework's
            if not issubclass(type(request), HttpRequest):
                return
        values = own_dict(request)
        source = values.get("environ", values.get("scope"))
        if source is not None and source is self._source:
            self.request, self._values, self._frame = request, values, None

    def has_other_user(self) -> bool:
        """Return whether the request has got another user since the last event."""
        return self._values is not None and self._values.get("user") is not self._user

    def follow(self, number: int) -> bool:
        """Note who acts from the event of this number on; return whether it is another one."""
        values = self._values
        if values is None:
            found = None if self._frame is None else self._frame.f_locals.get("request")
            if found is not None:
                self.learn(found)
            values = self._values
            if values is None:
                return False
        user = values.get("user")
        if self._is_settled and user is self._user:
            return False
        self._user = user
        now = (
            unwrapped(user), values.get("_cached_user"), values.get("_acached_user"),
            values.get("auth"),
        )  # fmt: skip
        if not self._session_pk and not self.changes and "session" in values:
            self._session_pk = session_user(values)
        # One by one: to compare tuples would compare users.
        if any(map(is_not, now, self._seen)):
            before = len(self.changes)
            self._look(values, now, number)
            return len(self.changes) > before
        return False

    def _look(self, values: dict[str, Any], now: tuple[Any, ...], number: int) -> None:
        user, cached, acached, auth = now
        if _is_unloaded(user):
            user = cached if cached is not None else acached
        actor = actor_of(user)
        if actor is None and auth is not self._seen[3] and is_user(auth):  # of django-ninja
            actor = actor_of(auth)
        self._seen, self._is_settled = now, actor is not None
        if actor is not None:
            self._change(values, number, actor)
        elif user is not None:
            if self.changes and self.changes[-1][1] != NOBODY:
                self.changes.append((number, NOBODY))
            self._session_pk = ""  # Django has looked: it is not valid

    def _change(self, values: dict[str, Any], number: int, actor: Actor) -> None:
        if not actor.pk and self._session_pk:  # an account that was deleted before it was seen
            actor = actor._replace(pk=self._session_pk)
        actor = actor._replace(impersonator=impersonator(values, actor))
        if not self.changes:
            self.changes.append((0, self._before(values, actor) or actor))
        if actor != self.changes[-1][1]:
            self.changes.append((number, actor))

    def _before(self, values: dict[str, Any], actor: Actor) -> Actor | None:
        """Return who acted before, where that becomes known together with `actor`."""
        for name in ("_cached_user", "_acached_user"):
            other = actor_of(values.get(name))
            if other is not None and other.pk and other.pk != actor.pk:
                return other
        # The session has another user by now: somebody has logged in.
        was, now = self._session_pk, session_user(values)
        return Actor(was, "") if was and was != actor.pk and now not in ("", was) else None

    def ask(self) -> None:
        """Have `ACTOR` say who it is, once; None leaves it to the user that was found."""
        if self._waits_for_end and self.request is not None:
            actor = actor_by_project(self.request)
            if actor is not None:
                self.changes, self.is_followed = [(0, actor)], False
            self._waits_for_end = False

    def end(self) -> None:
        """Note who acted for good, and let go of the request: it is over."""
        if self.is_over:
            return
        if not self.changes:
            self.follow(LAST)
        if not self.changes and self._session_pk:
            self.changes.append((0, Actor(self._session_pk, "")))
        values = self._values or {}
        if not self.changes and "session" in values and all(map(_is_unloaded, self._seen[:3])):
            self.session_key = unread_session(values)
        is_impersonated = self._find_impersonator(values)
        self.is_followed = self._waits_for_end = False
        self.is_over = True
        if is_impersonated:
            self.incomplete |= self.stored
        self.request = self._values = self._source = self._frame = self._user = None
        self._seen = _UNSEEN

    def _find_impersonator(self, values: dict[str, Any]) -> bool:
        """Note who stands behind the last one to act, if the session has come to say that since.

        django-hijack logs in first, and then notes who it was.
        """
        if not self.changes or not own_dict(values.get("session")).get("modified"):
            return False
        start, actor = self.changes[-1]
        if actor == NOBODY or actor.impersonator is not None:
            return False
        behind = impersonator(values, actor)
        self.changes[-1] = start, actor._replace(impersonator=behind)
        return behind is not None

    def name_session_user(self, pk: str) -> None:
        """Note whose session it was, "" if nobody's."""
        if pk:
            self.changes.append((0, Actor(pk, "")))
        self.session_key = ""

    def return_at(self, number: int) -> None:
        """Note that whoever sent the request acts at this event: it closes the request."""
        if self.changes and self.changes[0][1] != self.changes[-1][1]:
            self.changes.append((number, self.changes[0][1]))


def _is_unloaded(user: object) -> bool:
    """Return whether nobody has asked for a user."""
    return user is None or issubclass(type(user), LazyObject)
