"""What `manage.py check` says about the setting: each mistake and how to fix it."""

import os
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning
from django.db import connections, router
from django.dispatch import Signal
from django.utils.module_loading import import_string

from signals_demo.catalog import built_in
from signals_demo.conf import SETTING, config, read
from signals_demo.sinks import load

ROUTER = "signals_demo.routers.SignalEventRouter"
MIDDLEWARE = "signals_demo.middleware.SignalTraceMiddleware"


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
        *_database(),
        *_sinks(),
        *_journal(),
        *_changes(),
        *_asgi(),
    ]


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
                f"{SETTING}['EXTRA_SIGNALS']: {path!r} is a {type(found).__name__}, not a Signal.",
                hint="Use the dotted path of a django.dispatch.Signal.",
                id="signals_demo.E002",
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
            hint=f"Add {ROUTER!r} to DATABASE_ROUTERS, before the others.",
            id="signals_demo.E005",
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


def _changes() -> Iterator[CheckMessage]:
    signals = config().signals
    if config().changes and signals and "post_save" in signals and "post_init" not in signals:
        yield Warning(
            "The old values of changed fields will be unknown: post_init notes them, and "
            f"{SETTING}['SIGNALS'] leaves it out.",
            hint="Add 'post_init' to SIGNALS, or set CHANGES to False.",
            id="signals_demo.W001",
        )


def _asgi() -> Iterator[CheckMessage]:
    if getattr(settings, "ASGI_APPLICATION", None) and MIDDLEWARE not in settings.MIDDLEWARE:
        yield Warning(
            "Under ASGI, the actor of a request may be unknown.",
            hint=f"Add {MIDDLEWARE!r} to MIDDLEWARE.",
            id="signals_demo.W002",
        )
