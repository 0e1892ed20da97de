"""Who a user object stands for, read from what is loaded: none of the project's code runs."""

import re
from collections import namedtuple
from collections.abc import Iterable, Iterator, Mapping
from types import CodeType, FunctionType, MemberDescriptorType
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db.models import Model

from signals_demo.serialize.introspection import (
    class_dict,
    dotted,
    mro,
    own_dict,
    qualname,
    unwrapped,
)
from signals_demo.serialize.limits import cut
from signals_demo.serialize.model_info import model_named, redactor
from signals_demo.serialize.names import key_text


class Actor(NamedTuple):
    """Who did it, as text: `pk` is empty for a name without a user, both for nobody.

    `impersonator` is who stands behind it, where someone acts in the name of another.
    """

    pk: str
    name: str
    impersonator: "Actor | None" = None


NOBODY = Actor("", "")

# A user that is no model has its key and its name under the first of these names that it has.
_KEYS = ("pk", "id", "user_id", "uid", "sub")
_NAMES = ("username", "user_name", "preferred_username", "full_name", "name", "email")
_FULL_NAMES = ("full_name", "display_name", "name")
# Where a user out of a token keeps what the token says.
_CLAIMS = ("claims", "payload", "token", "_claims", "_payload", "_token")

_RANDOM = re.compile(
    r"\d+|[0-9a-f]{16,}|[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}|(?=(.*\d){3})[\w-]{20,}",
    re.IGNORECASE | re.ASCII,
)
"""A login name that says nothing: a number, a UUID, a hash, 20 or more random characters."""

_FIELD_GETTER = type(namedtuple("_Probe", "field").__dict__["field"])
_READABLE = (MemberDescriptorType, _FIELD_GETTER)
_ANONYMOUS = "django.contrib.auth.models.AnonymousUser"


def actor_of(user: object) -> Actor | None:
    """Return a user, or a name, as an `Actor`; None for an anonymous or unloaded one."""
    user = unwrapped(user)
    kind = type(user)
    if issubclass(kind, str):
        return Actor("", cut(str.__str__(user), 200))
    if issubclass(kind, Model):
        return _of_model(user)
    if user is None or _is_anonymous(user, kind):
        return None
    return _of_object(user, kind)


def is_user(value: object) -> bool:
    """Return whether something is a user by its class: not a token, which is a secret."""
    kind = type(value)
    return "is_authenticated" in own_dict(value) or any(
        "is_authenticated" in class_dict(cls) for cls in mro(kind)
    )


def _of_model(user: Any) -> Actor | None:
    values = user.__dict__
    if _says(user, type(user), "is_anonymous"):
        return None
    pk = _key_of_model(user)
    name = _name_of_model(values, type(user))
    if pk is None:
        # Deleting an instance takes its key away, and its name is still there.
        state = values.get("_state")
        is_deleted = state is not None and not state.__dict__.get("adding", True)
        return Actor("", name) if is_deleted and name else None
    return Actor(pk, name)


def _key_of_model(user: Model) -> str | None:
    """Return the key of the project's user, also of a proxy or a child of it.

    The user of another model has its label in front: its keys are not those of users.
    """
    values, opts = user.__dict__, user._meta
    own: Any = opts.concrete_model
    known: Any = model_named(settings.AUTH_USER_MODEL)
    is_ours = known is not None and own is not None
    if is_ours and issubclass(own, known._meta.concrete_model):
        opts, label = known._meta, ""
    else:
        label = "" if is_ours and issubclass(known, own) else f"{opts.label} "
    pk = tuple(values.get(field.attname) for field in opts.pk_fields)
    if any(part is None for part in pk):
        return None
    return cut(label + key_text(pk[0] if len(pk) == 1 else pk), 200)


def _name_of_model(values: Mapping[str, Any], kind: type) -> str:
    """Return the login name; the full name or the e-mail address, if that one says nothing."""
    is_secret = redactor().is_secret

    def text(field: object) -> str:
        return "" if type(field) is not str or is_secret(field) else _text(values.get(field))

    login_field = getattr(kind, "USERNAME_FIELD", "")
    if login_field and login_field not in values:  # it is deferred
        return ""
    login = text(login_field)
    if login and not _RANDOM.fullmatch(login):
        return login
    names = (text("first_name"), text("last_name"))
    full = cut(" ".join(filter(None, names)), 200) or _first(map(text, _FULL_NAMES))
    return full or text(getattr(kind, "EMAIL_FIELD", "email")) or login or text("username")


def _of_object(user: Any, kind: type) -> Actor | None:
    """Return a user that is no model: one out of a token, or a service."""
    if _says(user, kind, "is_authenticated") is False or _says(user, kind, "is_anonymous"):
        return None
    places = list(_places(user, kind))
    key = _first(_text(place.get(name)) for place in places for name in _spelled(_KEYS))
    names = [_text(place.get(name)) for place in places for name in _spelled(_NAMES)]
    name = _first(each for each in names if not _RANDOM.fullmatch(each)) or _first(names)
    if not (key or name or _says(user, kind, "is_authenticated")):
        return None
    return Actor(key, name or qualname(kind))


def _spelled(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        yield name
        yield f"_{name}"


def _places(user: Any, kind: type) -> Iterator[Mapping[str, Any]]:
    """Yield where the key and the name of a user that is no model may be."""
    own: dict[str, Any] = dict.copy(user) if issubclass(kind, dict) else _attributes(user, kind)
    yield own
    for name in _CLAIMS:
        held: Any = own.get(name)
        if issubclass(type(held), dict):
            yield dict.copy(held)
        elif held is not None:  # a token of simplejwt has a payload
            inner = _attributes(held, type(held), ("payload", "_payload", "claims"))
            yield from (dict.copy(each) for each in inner.values() if issubclass(type(each), dict))


def _attributes(
    value: Any, kind: type, names: Iterable[str] = (*_spelled(_KEYS), *_spelled(_NAMES), *_CLAIMS)
) -> dict[str, Any]:
    """Return the attributes of these names that can be read without running code."""
    found: dict[str, Any] = {}
    own = own_dict(value)
    for name in names:
        if name in own:
            found[name] = own[name]
            continue
        attribute = _of_class(kind, name)
        if issubclass(type(attribute), _READABLE):
            try:
                found[name] = attribute.__get__(value)
            except AttributeError:  # a slot that is empty
                continue
        elif type(attribute) in (str, int, bool):
            found[name] = attribute
    return found


def _of_class(kind: type, name: str) -> Any:
    return next((class_dict(cls)[name] for cls in mro(kind) if name in class_dict(cls)), None)


def _is_anonymous(user: Any, kind: type) -> bool:
    return any(dotted(cls) == _ANONYMOUS for cls in mro(kind))


def _says(user: Any, kind: type, name: str) -> bool | None:
    """Return what a user says of itself, None if that takes running its code."""
    value = _attributes(user, kind, (name,)).get(name, _of_class(kind, name))
    if type(value) is property:
        value = value.fget
    code = value.__code__ if type(value) is FunctionType else None
    if code is not None:
        return _constant(code)
    return value if type(value) is bool else None


def _constant(code: CodeType) -> bool | None:
    """Return the truth that a function returns whatever is the case, None if it may differ."""
    truths = [each for each in code.co_consts if type(each) is bool]
    is_plain = not (code.co_names or code.co_freevars or code.co_cellvars or len(truths) != 1)
    return truths[0] if is_plain and len(code.co_code) <= 12 else None


def _text(value: Any) -> str:
    kind = type(value)
    if kind is str:
        return cut(value, 200)
    return cut(str(value), 200) if kind is int or kind is UUID else ""


def _first(texts: Iterable[str]) -> str:
    return next(filter(None, texts), "")
