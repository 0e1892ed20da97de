"""What `manage.py check` says about the setting: each mistake and how to fix it."""

import os
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Info, Warning
from django.db import connections, router
from django.dispatch import Signal
from django.utils.module_loading import import_string

from signals_demo.catalog import built_in
from signals_demo.conf import SETTING, config, read
from signals_demo.sinks import load

ROUTER = "signals_demo.routers.SignalEventRouter"
MIDDLEWARE = "signals_demo.middleware.SignalTraceMiddleware"

SQLITE_OPTIONS = (
    '"transaction_mode": "IMMEDIATE", '
    '"init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"'
)


def check_settings(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Check `SIGNALS_DEMO` and the settings it depends on."""
    if not apps.is_installed("signals_demo"):  # a test has removed it for a while
        return []
    mistakes = read(getattr(settings, SETTING, {}))[1]
    return [
        *(Error(message, hint=hint, id="signals_demo.E001") for _key, message, hint in mistakes),
        *_extra_signals(),
        *_models(),
        *_fields(),
        *_database(),
        *_sinks(),
        *_journal(),
        *([] if settings.DEBUG else _sqlite()),
        *_functions(),
        *_asgi(),
    ]


def check_deployment(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Check what matters on a site at work: `check --deploy`."""
    # Without DEBUG the other check says so too.
    return [*_sqlite()] if settings.DEBUG and apps.is_installed("signals_demo") else []


def _extra_signals() -> Iterator[CheckMessage]:
    for path in config().extra_signals:
        try:
            found = import_string(path)
        except Exception as error:  # noqa: BLE001 - a module of the project may raise anything
            yield Error(
                f"{SETTING}['EXTRA_SIGNALS']: {path!r} cannot be imported: {error}",
                hint="Use the dotted path of a Signal, such as 'shop.signals.paid'.",
                id="signals_demo.E002",
            )
            continue
        known = [signal for signal in built_in().values() if signal.load() is found]
        if known:
            yield Error(
                f"{SETTING}['EXTRA_SIGNALS']: {path!r} is a built-in signal.",
                hint=f"Remove it. {known[0].name!r} is recorded unless SIGNALS leaves it out.",
                id="signals_demo.E002",
            )
        elif not isinstance(found, Signal):
            yield Error(
                f"{SETTING}['EXTRA_SIGNALS']: {path!r} is a {_class(found)}, not a"
                " django.dispatch.Signal.",
                hint="Only signals of Django's class can be recorded. Use the dotted path of one.",
                id="signals_demo.E002",
            )


def _class(value: object) -> str:
    """Return the name of its class: with the module where Signal is not Django's."""
    kind = type(value)
    return (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )


def _models() -> Iterator[CheckMessage]:
    models = {
        model._meta.label_lower: model._meta.label
        for model in apps.get_models(include_auto_created=True, include_swapped=True)
    }
    known = set(models) | {f"{app.label}.*".lower() for app in apps.get_app_configs()}
    names = [*models.values(), *(f"{app.label}.*" for app in apps.get_app_configs())]
    for key in ("include_models", "exclude_models"):
        for label in getattr(config(), key) or ():
            if label.lower() not in known:
                near = get_close_matches(label, names, n=1)
                yield Error(
                    f"{SETTING}[{key.upper()!r}]: there is no model {label!r}.",
                    hint=f"Did you mean {near[0]!r}?" if near else "Use 'app.Model' or 'app.*'.",
                    id="signals_demo.E003",
                )


def _fields() -> Iterator[CheckMessage]:
    models = {model._meta.label_lower: model for model in apps.get_models(include_swapped=True)}
    apps_of_project = {f"{app.label}.*".lower() for app in apps.get_app_configs()}
    for label, names in config().exclude_fields.items():
        if label in apps_of_project:
            continue
        if label not in models:
            near = [models[each]._meta.label for each in get_close_matches(label, models, n=1)]
            yield Error(
                f"{SETTING}['EXCLUDE_FIELDS']: there is no model {label!r}.",
                hint=f"Did you mean {near[0]!r}?" if near else "Use labels such as 'app.Model'.",
                id="signals_demo.E008",
            )
            continue
        opts = models[label]._meta
        known = [field.name for field in opts.concrete_fields]
        for name in set(names).difference(known, (each.attname for each in opts.concrete_fields)):
            near = get_close_matches(name, known, n=1)
            yield Error(
                f"{SETTING}['EXCLUDE_FIELDS']: {opts.label} has no field {name!r}.",
                hint=f"Did you mean {near[0]!r}?" if near else f"Its fields: {', '.join(known)}.",
                id="signals_demo.E008",
            )


def _database() -> Iterator[CheckMessage]:
    alias = config().database
    if alias not in list(connections):
        aliases = ", ".join(map(repr, connections))
        yield Error(
            f"{SETTING}['DATABASE'] is {alias!r}, which is not in DATABASES.",
            hint=f"Use one of {aliases}, or add {alias!r} to DATABASES.",
            id="signals_demo.E004",
        )
        return
    event = apps.get_model("signals_demo", "SignalEvent")
    target = router.db_for_write(event)
    if target != alias or not router.allow_migrate_model(alias, event):
        problem = "keep its table away" if target == alias else f"send it to {target!r}"
        yield Error(
            f"{SETTING}['DATABASE'] is {alias!r}, but DATABASE_ROUTERS do not allow SignalEvent "
            f"there: they {problem}.",
            hint=f"Add {ROUTER!r} to DATABASE_ROUTERS, before the others. "
            f'Then run "manage.py migrate --database={alias}".',
            id="signals_demo.E005",
        )


def _sqlite() -> Iterator[CheckMessage]:
    """Say which options keep the writers of several processes apart."""
    alias = config().database
    if alias not in list(connections) or connections[alias].vendor != "sqlite":
        return
    database = connections[alias].settings_dict
    options = database["OPTIONS"]
    is_in_memory = any(word in str(database["NAME"]) for word in (":memory:", "mode=memory"))
    waits = str(options.get("transaction_mode") or "").upper() in ("IMMEDIATE", "EXCLUSIVE")
    if is_in_memory or (waits and "wal" in str(options.get("init_command", "")).lower()):
        return
    yield Info(
        "With several processes on SQLite, 'database is locked' is more frequent while signals "
        "are recorded.",
        hint=f"Add these to OPTIONS of DATABASES[{alias!r}]: {SQLITE_OPTIONS}.",
        id="signals_demo.I001",
    )


def _sinks() -> Iterator[CheckMessage]:
    for alias, params in (config().sinks or {}).items():  # the default has nothing to check
        try:
            yield from load(alias, params).check()
        except Exception as error:  # noqa: BLE001 - a sink of the project may raise anything
            yield Error(
                f"{SETTING}['SINKS'][{alias!r}] cannot be used: {error}.",
                hint="Set BACKEND to the dotted path of a subclass of signals_demo.sinks.BaseSink "
                "and OPTIONS to what it accepts.",
                id="signals_demo.E006",
            )


def _journal() -> Iterator[CheckMessage]:
    folder = config().journal_dir
    if folder is None:
        return
    # Created with the first event: a check must leave nothing behind.
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not there.is_dir():
        problem = f"{there} is not a directory"
    elif not os.access(there, os.W_OK | os.X_OK):
        problem = f"this user cannot write to {there}"
    else:
        return
    yield Error(
        f"{SETTING}['JOURNAL_DIR'] is {str(folder)!r}, but {problem}.",
        hint="Use a directory that the user who runs the server can write to. "
        "It is created if it does not exist.",
        id="signals_demo.E007",
    )


def _functions() -> Iterator[CheckMessage]:
    for key in ("ACTOR", "CLIENT_ADDRESS"):
        path = getattr(config(), key.lower())
        if path is None:
            continue
        try:
            found = import_string(path)
            problem = "" if callable(found) else f"is a {type(found).__name__}, not a function"
        except Exception as error:  # noqa: BLE001 - a module of the project may raise anything
            problem = f"cannot be imported: {error}"
        if problem:
            yield Error(
                f"{SETTING}[{key!r}]: {path!r} {problem}.",
                hint="Use the dotted path of a function that takes a request.",
                id="signals_demo.E009",
            )


def _asgi() -> Iterator[CheckMessage]:
    if getattr(settings, "ASGI_APPLICATION", None) and MIDDLEWARE not in settings.MIDDLEWARE:
        yield Warning(
            "Under ASGI, the actor of a request is known only when it ends, and not at all if its "
            "client leaves before.",
            hint=f"Add {MIDDLEWARE!r} to MIDDLEWARE.",
            id="signals_demo.W002",
        )
