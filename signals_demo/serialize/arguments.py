"""What a signal was sent with, as a small, redacted description.

Runs no query and none of the project's code.
"""

import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from django.db.models import Model
from django.template.context import BaseContext

from signals_demo.conf import Config
from signals_demo.serialize.introspection import unwrapped
from signals_demo.serialize.model_info import info_of, redactor_of
from signals_demo.serialize.names import alias_of, error_text, object_pk_of, sender_label
from signals_demo.serialize.redaction import MASK
from signals_demo.serialize.requests import credentials_shown, environ_text, scope_shown
from signals_demo.serialize.tasks import task_shown
from signals_demo.serialize.text import Text, encode
from signals_demo.serialize.values import jsonable

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


def _about(sender: Any, arguments: dict[str, Any], *others: Any, **named: Any) -> Description:
    return Description(sender_label(sender), encode(arguments), *others, **named)


def _user(sender: Any, named: Named, config: Config) -> Description:
    mask = redactor_of(config)
    user = unwrapped(named.get("user"))
    pk = object_pk_of(user, info_of(type(user), config)) if issubclass(type(user), Model) else ""
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
    if "environ" in named:
        return Description(sender_label(sender), environ_text(named["environ"], mask))
    scope = named.get("scope")
    return _about(sender, {} if scope is None else {"scope": scope_shown(scope, mask)})


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
    alias = alias_of(getattr(connection, "alias", ""))
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
    return _about(sender, arguments, database=alias_of(named.get("using")))


def _task(sender: Any, named: Named, config: Config) -> Description:
    result = task_shown(named.get("task_result"), redactor_of(config))
    failure = ", ".join(result.get("errors", ()))
    if place := result.get("raised_at"):
        failure += f" ({place})"
    return _about(sender, {"task_result": result}, exception=failure)


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
    pk = object_pk_of(instance, info_of(type(instance), config))
    return _about(sender, arguments, pk, alias_of(named.get("using")))


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
