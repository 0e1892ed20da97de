"""What the signals of a model's instances were sent with, as small, redacted descriptions.

Text is made later, except where a value could change until then. Runs no query and none of the
project's code.
"""

from itertools import islice
from typing import Any

from django.db.models import Model
from django.db.models.base import DEFERRED, ModelBase

from signals_demo.serialize.arguments import Description, Named
from signals_demo.serialize.limits import MAX_ITEMS
from signals_demo.serialize.model_info import ModelInfo, info_of
from signals_demo.serialize.names import alias_of, instance_text, key_of
from signals_demo.serialize.redaction import MASK
from signals_demo.serialize.text import BOOLEANS, encode, quoted
from signals_demo.serialize.values import is_plain, json_of

_MASKED = quoted(MASK)


def pre_init(info: ModelInfo, named: Named) -> Description:
    args, kwargs = named.get("args", ()), named.get("kwargs", {})
    if (
        info.plain_names.issuperset(kwargs)
        and not (args and info.has_secrets)
        and len(args) <= len(info.names)
        and all(map(is_plain, args))
        and all(map(is_plain, kwargs.values()))
    ):
        return Description(info.label, (_plain_init, args, kwargs.copy()), "", "", "")
    return Description(info.label, _init(info, args, kwargs))


def _plain_init(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    return encode({"args": args, "kwargs": kwargs})


def _init(info: ModelInfo, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    is_secret, hidden, mask = info.redactor.is_secret, info.secret_names, info.redactor
    values = [
        _MASKED if secret and value is not None and value is not DEFERRED else json_of(value, mask)
        for value, secret in zip(args, info.secrets, strict=False)
    ]
    if len(args) > len(values):
        values.append(quoted(f"… ({len(args) - len(values):,} more)"))
    given = [
        f"{quoted(name)}:{_MASKED}"
        if value is not None and (name in hidden or is_secret(name))
        else f"{quoted(name)}:{json_of(value, mask)}"
        for name, value in islice(kwargs.items(), len(info.names) + MAX_ITEMS)
    ]
    if len(kwargs) > len(given):
        given.append(f'"…":{quoted(f"{len(kwargs) - len(given):,} more")}')
    return f'{{"args":[{",".join(values)}],"kwargs":{{{",".join(given)}}}}}'


def post_init(info: ModelInfo, instance: Model) -> Description:
    key, pk = key_of(instance, info)
    return Description(info.label, (_made, info.reference, key), pk, "", "")


def _made(reference: str, key: str | int) -> str:
    return f'{{"instance":{instance_text(reference, key)}}}'


def save(info: ModelInfo, named: Named) -> Description:
    key, pk = key_of(named["instance"], info)
    fields = named.get("update_fields")
    if fields is not None:
        fields = tuple(sorted(map(str.__str__, fields)))
    using = alias_of(named.get("using"))
    raw = bool(named.get("raw"))
    arguments = _saved, info.reference, key, raw, using, fields, named.get("created")
    return Description(info.label, arguments, pk, using, "")


def _saved(
    reference: str,
    key: str | int,
    raw: bool,
    using: str,
    fields: tuple[str, ...] | None,
    created: bool | None,
) -> str:
    instance = instance_text(reference, key)
    written = "null" if fields is None else encode(fields)
    # Sent with post_save alone.
    more = "" if created is None else f',"created":{BOOLEANS[bool(created)]}'
    return (
        f'{{"instance":{instance},"raw":{BOOLEANS[raw]},"using":{quoted(using)},'
        f'"update_fields":{written}{more}}}'
    )


def delete(info: ModelInfo, named: Named) -> Description:
    key, pk = key_of(named["instance"], info)
    instance = instance_text(info.reference, key)
    using = alias_of(named.get("using"))
    origin = named.get("origin")
    source = instance if origin is named["instance"] else json_of(origin, info.redactor)
    arguments = f'{{"instance":{instance},"using":{quoted(using)},"origin":{source}}}'
    return Description(info.label, arguments, pk, using)


def m2m_changed(info: ModelInfo, named: Named) -> Description:
    instance = named["instance"]
    model_info = info_of(type(instance), info.config)
    key, pk = key_of(instance, model_info)
    about = instance_text(model_info.reference, key)
    using = alias_of(named.get("using"))
    model: Any = named.get("model")
    keys = named.get("pk_set")
    if keys and issubclass(type(model), ModelBase) and info_of(model, info.config).key_is_secret:
        keys = [MASK] * len(keys)
    mask = info.redactor
    raw = f',"raw":{BOOLEANS[bool(named["raw"])]}' if "raw" in named else ""  # from Django 6.1
    arguments = (
        f'{{"instance":{about},"action":{json_of(named.get("action"), mask)},'
        f'"reverse":{BOOLEANS[bool(named.get("reverse"))]},"model":{json_of(model, mask)},'
        f'"pk_set":{json_of(keys, mask)},"using":{quoted(using)}{raw}}}'
    )
    return Description(info.label, arguments, pk, using)
