"""What a signal was sent with, as a small, redacted description.

Runs no query and none of the project's code.
"""

import sys
from collections.abc import Callable
from itertools import islice
from typing import Any, NamedTuple

from django.db.models import Model
from django.db.models.base import DEFERRED, ModelBase
from django.template.context import BaseContext

from signals_demo.conf import Config
from signals_demo.serialize.limits import MAX_ITEMS
from signals_demo.serialize.model_info import ModelInfo, info_of, redactor_of
from signals_demo.serialize.names import error_text, instance_text, key_of, sender_label
from signals_demo.serialize.raw import unwrapped
from signals_demo.serialize.redaction import MASK
from signals_demo.serialize.requests import credentials_shown, environ_shown, scope_shown
from signals_demo.serialize.tasks import task_shown
from signals_demo.serialize.text import BOOLEANS, Text, encode, quoted
from signals_demo.serialize.values import is_plain, json_of, jsonable

Named = dict[str, Any]
"""The keyword arguments of a firing."""


class Description(NamedTuple):
    """What one firing was about."""

    sender: str
    arguments: Text
    object_pk: str | int = ""
    database: str = ""
    exception: str = ""


Describer = Callable[[Any, Named, Config], Description]


def _alias(value: Any) -> str:
    return value if type(value) is str else ""


# The model signals. Their sender is a model; `info` is what is known of it.


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
    using = _alias(named.get("using"))
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
    using = _alias(named.get("using"))
    origin = named.get("origin")
    source = instance if origin is named["instance"] else json_of(origin, info.redactor)
    arguments = f'{{"instance":{instance},"using":{quoted(using)},"origin":{source}}}'
    return Description(info.label, arguments, pk, using)


def m2m_changed(info: ModelInfo, named: Named) -> Description:
    instance = named["instance"]
    model_info = info_of(type(instance), info.config)
    key, pk = key_of(instance, model_info)
    about = instance_text(model_info.reference, key)
    using = _alias(named.get("using"))
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


# The others.


def _about(sender: Any, arguments: dict[str, Any], *others: Any, **named: Any) -> Description:
    return Description(sender_label(sender), encode(arguments), *others, **named)


def _user(sender: Any, named: Named, config: Config) -> Description:
    mask = redactor_of(config)
    user = unwrapped(named.get("user"))
    pk = key_of(user, info_of(type(user), config))[1] if issubclass(type(user), Model) else ""
    arguments = {"request": jsonable(named.get("request"), mask), "user": jsonable(user, mask)}
    return _about(sender, arguments, pk)


def _login_failed(sender: Any, named: Named, config: Config) -> Description:
    mask = redactor_of(config)
    request = named.get("request")
    arguments = {
        "credentials": credentials_shown(named.get("credentials"), request, mask),
        "request": jsonable(request, mask),
    }
    return _about(sender, arguments)


def _request_started(sender: Any, named: Named, config: Config) -> Description:
    mask = redactor_of(config)
    arguments = {}
    if "environ" in named:
        arguments["environ"] = environ_shown(named["environ"], mask)
    if "scope" in named:
        arguments["scope"] = scope_shown(named["scope"], mask)
    return _about(sender, arguments)


def _request_exception(sender: Any, named: Named, config: Config) -> Description:
    mask = redactor_of(config)
    arguments = {"request": jsonable(named.get("request"), mask)}
    return _about(sender, arguments, exception=error_text(sys.exc_info()[1], mask))


def _setting_changed(sender: Any, named: Named, config: Config) -> Description:
    mask = redactor_of(config)
    setting = named.get("setting")
    value = named.get("value")
    if type(setting) is str and value is not None and mask.is_secret(setting):
        value = MASK
    arguments = {
        "setting": jsonable(setting, mask),
        "value": jsonable(value, mask),
        "enter": bool(named.get("enter")),
    }
    return _about(sender, arguments)


def _template_rendered(sender: Any, named: Named, config: Config) -> Description:
    keys: set[str] = set()
    context = named.get("context")
    if issubclass(type(context), BaseContext):
        for layer in context.__dict__.get("dicts", ()):
            # The project's own mapping would run its code to list its keys.
            if issubclass(type(layer), dict):
                keys.update(key for key in list(dict.__iter__(layer)) if type(key) is str)
    mask = redactor_of(config)
    arguments = {
        "template": jsonable(named.get("template"), mask),
        "context": jsonable(sorted(keys - {"True", "False", "None"}), mask),
    }
    return _about(sender, arguments)


def _connection_created(sender: Any, named: Named, config: Config) -> Description:
    connection = named.get("connection")
    alias = _alias(getattr(connection, "alias", ""))
    arguments = {"connection": {"alias": alias, "vendor": getattr(connection, "vendor", "")}}
    return _about(sender, arguments, database=alias)


def _migrate(sender: Any, named: Named, config: Config) -> Description:
    mask = redactor_of(config)
    arguments: dict[str, Any] = {
        name: jsonable(named[name], mask)
        for name in ("app_config", "verbosity", "interactive", "stdout", "using", "apps")
        if name in named
    }
    if "app_config" in arguments:
        arguments["app_config"] = sender_label(named["app_config"])
    if "plan" in named:
        arguments["plan"] = jsonable(
            [
                [f"{migration.app_label}.{migration.name}", bool(backwards)]
                for migration, backwards in named["plan"]
            ],
            mask,
        )
    return _about(sender, arguments, database=_alias(named.get("using")))


def _task(sender: Any, named: Named, config: Config) -> Description:
    result = task_shown(named.get("task_result"), redactor_of(config))
    return _about(sender, {"task_result": result}, exception=", ".join(result.get("errors", ())))


def any_signal(sender: Any, named: Named, config: Config) -> Description:
    """Describe a signal that the catalog does not know, with whatever it was sent with."""
    mask = redactor_of(config)
    arguments = {
        name: MASK if mask.is_secret(name) and value is not None else jsonable(value, mask)
        for name, value in named.items()
    }
    instance: Any = named.get("instance")
    if not issubclass(type(instance), Model):
        return _about(sender, arguments)
    pk = key_of(instance, info_of(type(instance), config))[1]
    return _about(sender, arguments, pk, _alias(named.get("using")))


def _nothing(sender: Any, named: Named, config: Config) -> Description:
    return _about(sender, {})


def _file_changed(sender: Any, named: Named, config: Config) -> Description:
    path = jsonable(named.get("file_path"), redactor_of(config))
    return _about(sender, {"file_path": path})


OTHERS: dict[str, Describer] = {
    "class_prepared": _nothing,
    "user_logged_in": _user,
    "user_logged_out": _user,
    "user_login_failed": _login_failed,
    "request_started": _request_started,
    "request_finished": _nothing,
    "got_request_exception": _request_exception,
    "setting_changed": _setting_changed,
    "template_rendered": _template_rendered,
    "connection_created": _connection_created,
    "pre_migrate": _migrate,
    "post_migrate": _migrate,
    "task_enqueued": _task,
    "task_started": _task,
    "task_finished": _task,
    "autoreload_started": _nothing,
    "file_changed": _file_changed,
}
