"""What the signals of a model's instances were sent with, as small, redacted descriptions.

What the other columns of an event say, and what is usual (`raw` is false), is left out: it would
be in nearly every row. `web.values` shows it. Text is made later, except where a value could
change until then. Runs no query and none of the project's code.
"""

from collections.abc import Callable
from functools import partial
from itertools import islice
from typing import Any

from django.db.models import Model
from django.db.models.base import DEFERRED, ModelBase

from signals_demo.serialize.arguments import Description, Named
from signals_demo.serialize.limits import MAX_ITEMS
from signals_demo.serialize.model_info import ModelInfo, info_of
from signals_demo.serialize.names import alias_of, instance_text, key_of, object_pk_of
from signals_demo.serialize.redaction import MASK
from signals_demo.serialize.same import can_wait
from signals_demo.serialize.text import BOOLEANS, Text, encode, quoted, render, with_members
from signals_demo.serialize.values import json_of

_MASKED = quoted(MASK)

# `Description(…)` is a function in Python that calls this one.
_new: Callable[[tuple[str, Text, str | int, str, str]], Description]
_new = partial(tuple.__new__, Description)


def pre_init(info: ModelInfo, named: Named) -> Description:
    args, kwargs = named.get("args", ()), named.get("kwargs", {})
    is_short = len(args) + len(kwargs) <= len(info.names) + MAX_ITEMS
    if is_short and can_wait(args) and can_wait(kwargs.values()):
        return _new((info.label, (_init, info, args, kwargs.copy()), "", "", ""))
    return _new((info.label, _init(info, args, kwargs), "", "", ""))


def _init(info: ModelInfo, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    is_secret, hidden, mask = info.redactor.is_secret, info.secret_names, info.redactor
    values = [
        _MASKED if secret and value is not None and value is not DEFERRED else json_of(value, mask)
        for value, secret in zip(args, info.secrets, strict=False)
    ]
    if len(args) > len(values):
        values.append(quoted(f"... ({len(args) - len(values):,} more)"))
    given = [
        f"{quoted(name)}:{_MASKED}"
        if value is not None and (name in hidden or is_secret(name))
        else f"{quoted(name)}:{json_of(value, mask)}"
        for name, value in islice(kwargs.items(), len(info.names) + MAX_ITEMS)
    ]
    if len(kwargs) > len(given):
        given.append(f'"...":{quoted(f"{len(kwargs) - len(given):,} more")}')
    members = [f'"args":[{",".join(values)}]'] if values else []
    if given:
        members.append(f'"kwargs":{{{",".join(given)}}}')
    return f"{{{','.join(members)}}}"


def post_init(info: ModelInfo, instance: Model) -> Description:
    return _new((info.label, "{}", object_pk_of(instance, info), "", ""))


_CREATED = ('{"created":false}', '{"created":true}')


def save(info: ModelInfo, named: Named) -> Description:
    fields, created = named.get("update_fields"), named.get("created")
    # `created` is sent with post_save alone.
    arguments = "{}" if created is None else _CREATED[bool(created)]
    if fields is not None or named.get("raw"):
        arguments = _unusual(arguments, fields, raw=bool(named.get("raw")))
    pk = object_pk_of(named["instance"], info)
    return _new((info.label, arguments, pk, alias_of(named.get("using")), ""))


def _unusual(arguments: str, fields: Any, *, raw: bool) -> str:
    if raw:
        arguments = with_members(arguments, '"raw":true')
    if fields is not None:
        written = encode(sorted(map(str.__str__, fields)))
        arguments = with_members(arguments, f'"update_fields":{written}')
    return arguments


def overwriting(about: Description, values: Text) -> Description:
    """Return the description of a save of which the old values of some fields are unknown."""
    return about._replace(arguments=(_overwriting, about.arguments, values))


def _overwriting(arguments: Text, values: Text) -> str:
    return with_members(render(arguments), f'"old_values":"unknown","new_values":{render(values)}')


def unknown(about: Description) -> Description:
    """Return the description of a delete of which some values of the row are unknown."""
    arguments = with_members(render(about.arguments), '"old_values":"unknown"')
    return about._replace(arguments=arguments)


def delete(info: ModelInfo, named: Named) -> Description:
    origin = named.get("origin")
    is_own = origin is named["instance"]
    arguments = "{}" if is_own else f'{{"origin":{json_of(origin, info.redactor)}}}'
    pk = object_pk_of(named["instance"], info)
    return _new((info.label, arguments, pk, alias_of(named.get("using")), ""))


def m2m_changed(info: ModelInfo, named: Named) -> Description:
    instance = named["instance"]
    model_info = info_of(type(instance), info.config)
    about = instance_text(model_info.reference, key_of(instance, model_info))
    using = alias_of(named.get("using"))
    model: Any = named.get("model")
    keys = named.get("pk_set")
    if keys and issubclass(type(model), ModelBase) and info_of(model, info.config).key_is_secret:
        keys = [MASK] * len(keys)
    mask = info.redactor
    raw = ',"raw":true' if named.get("raw") else ""
    arguments = (
        f'{{"instance":{about},"action":{json_of(named.get("action"), mask)},'
        f'"reverse":{BOOLEANS[bool(named.get("reverse"))]},"model":{json_of(model, mask)},'
        f'"pk_set":{json_of(keys, mask)}{raw}}}'
    )
    pk = object_pk_of(instance, model_info)
    return _new((info.label, arguments, pk, using, ""))
