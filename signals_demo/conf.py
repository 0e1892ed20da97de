"""The `SIGNALS_DEMO` setting: typed, read at access, cleared when it changes."""

import logging
import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings
from django.core.signals import setting_changed

from signals_demo import catalog

logger = logging.getLogger("signals_demo")

SETTING = "SIGNALS_DEMO"
DATABASE_SINK = {"default": {"BACKEND": "signals_demo.sinks.database.DatabaseSink"}}


class Mistake(NamedTuple):
    """A mistake in the setting: what is wrong and how to fix it."""

    key: str
    message: str
    hint: str


class Config(NamedTuple):
    """The values in force; docs/settings.md says what each means."""

    enabled: bool = True
    signals: frozenset[str] | None = None
    extra_signals: tuple[str, ...] = ()
    include_models: tuple[str, ...] | None = None
    exclude_models: tuple[str, ...] = ()
    exclude_paths: tuple[str, ...] = ()
    mode: str = "background"
    database: str = "default"
    sinks: Mapping[str, Mapping[str, Any]] | None = None
    flush_interval: float = 0.5
    batch_size: int = 1000
    buffer_limit: int = 100_000
    journal_dir: Path | None = None
    fold_after: int | None = 25
    call_sites: bool = True
    changes: bool = True
    redact: tuple[str, ...] = ()
    trusted_proxies: int = 0
    record_tests: bool = False
    strict: bool = False

    @property
    def inline(self) -> bool:
        """Return whether events are written at once, on the caller's connection."""
        return self.mode == "inline"

    def wants(self, name: str) -> bool:
        """Return whether a built-in signal is recorded."""
        return self.signals is None or name in self.signals


class Invalid(ValueError):
    """A value that is not valid; the text says what to use instead."""


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise Invalid("use True or False")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise Invalid("use a string")
    return value


def _mode(value: object) -> str:
    if value not in ("background", "inline"):
        raise Invalid('use "background" or "inline"')
    return str(value)


def _texts(value: object) -> tuple[str, ...]:
    # A lone string is an iterable of letters: the commonest mistake, and a silent one.
    if isinstance(value, str) or not isinstance(value, (list, tuple, set, frozenset)):
        raise Invalid("use a list of strings")
    if not all(isinstance(item, str) and item for item in value):
        raise Invalid("use a list of strings; one of the items is not a string")
    return tuple(value)


def _is_dotted_path(text: str) -> bool:
    return "." in text and all(part.isidentifier() for part in text.split("."))


def _dotted_paths(value: object) -> tuple[str, ...]:
    paths = _texts(value)
    for path in paths:
        if not _is_dotted_path(path):
            raise Invalid(f'use dotted paths such as "shop.signals.paid"; {path!r} is not one')
    return paths


def _labels(value: object) -> tuple[str, ...]:
    labels = _texts(value)
    for label in labels:
        if label.count(".") != 1:
            raise Invalid(f'use labels such as "shop.Order" or "shop.*"; {label!r} is neither')
    return labels


def _request_paths(value: object) -> tuple[str, ...]:
    paths = _texts(value)
    example = 'use paths such as "/healthz" or "/static/*"'
    for path in paths:
        if not path.startswith(("/", "*")):
            raise Invalid(f'{example}; {path!r} does not start with "/"')
        if "?" in path:
            raise Invalid(f"{example}; {path!r} has a query string, which is not compared")
    return paths


def _signals(value: object) -> frozenset[str]:
    names = _texts(value)
    known = [signal.name for signal in catalog.BUILT_IN]
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            use = repr(near[0]) if near else f"some of {', '.join(known)}"
            raise Invalid(f"use {use} instead of {name!r}, which is not a built-in signal")
    return frozenset(names)


def _patterns(value: object) -> tuple[str, ...]:
    patterns = _texts(value)
    for pattern in patterns:
        try:
            re.compile(pattern)
        except (re.error, OverflowError, RecursionError) as error:
            raise Invalid(f"use regular expressions; {pattern!r} is not one ({error})") from error
    return patterns


def _count(least: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise Invalid(f"use a whole number, {least} or more")
        return value

    return read


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 3600:
        raise Invalid("use a number of seconds above 0 and below 3600")
    return float(value)


def _folder(value: object) -> Path:
    if not isinstance(value, (str, Path)) or not Path(value).is_absolute():
        raise Invalid("use the absolute path of a directory")
    return Path(value)


def _sinks(value: object) -> Mapping[str, Mapping[str, Any]]:
    shape = 'use {"alias": {"BACKEND": "dotted.Class", "OPTIONS": {}}}'
    if not isinstance(value, dict) or not value:
        raise Invalid(shape)
    for alias, params in value.items():
        if not isinstance(alias, str):
            raise Invalid(f"{shape}; {alias!r} is not a string")
        backend = params.get("BACKEND") if isinstance(params, dict) else None
        if not isinstance(backend, str) or not _is_dotted_path(backend):
            raise Invalid(f"{shape}; {alias!r} needs a BACKEND that is a dotted path")
        if unknown := set(params) - {"BACKEND", "OPTIONS"}:
            raise Invalid(
                f"{shape}; {alias!r} has unknown keys: {', '.join(sorted(map(repr, unknown)))}"
            )
        if not isinstance(params.get("OPTIONS", {}), dict):
            raise Invalid(f"{shape}; OPTIONS of {alias!r} is not a dict")
    return value


def _or_none(read: Callable[[object], Any]) -> Callable[[object], Any]:
    return lambda value: None if value is None else read(value)


READERS: dict[str, Callable[[object], Any]] = {
    "ENABLED": _flag,
    "SIGNALS": _or_none(_signals),
    "EXTRA_SIGNALS": _dotted_paths,
    "INCLUDE_MODELS": _or_none(_labels),
    "EXCLUDE_MODELS": _labels,
    "EXCLUDE_PATHS": _request_paths,
    "MODE": _mode,
    "DATABASE": _text,
    "SINKS": _or_none(_sinks),
    "FLUSH_INTERVAL": _seconds,
    "BATCH_SIZE": _count(1),
    "BUFFER_LIMIT": _count(1),
    "JOURNAL_DIR": _or_none(_folder),
    "FOLD_AFTER": _or_none(_count(1)),
    "CALL_SITES": _flag,
    "CHANGES": _flag,
    "REDACT": _patterns,
    "TRUSTED_PROXIES": _count(0),
    "RECORD_TESTS": _flag,
    "STRICT": _flag,
}


def read(raw: object) -> tuple[Config, list[Mistake]]:
    """Return the configuration that `raw` describes, and what is wrong with it.

    A key with a mistake keeps its default, so that one mistake loses no events.
    """
    if not isinstance(raw, Mapping):
        return Config(), [
            Mistake("", f"{SETTING} is not a dict.", f'Write {SETTING} = {{"ENABLED": True}}.')
        ]
    values: dict[str, Any] = {}
    mistakes: list[Mistake] = []
    for key, value in raw.items():
        reader = READERS.get(key) if isinstance(key, str) else None
        if reader is None:
            near = get_close_matches(str(key).upper(), READERS, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"The keys are {', '.join(READERS)}."
            mistakes.append(Mistake(str(key), f"{SETTING} has an unknown key: {key!r}.", hint))
            continue
        try:
            values[key.lower()] = reader(value)
        except Invalid as error:
            mistakes.append(Mistake(key, f"{SETTING}[{key!r}] is not valid.", f"Please {error}."))
    return Config(**values), mistakes


# In a list that is replaced as a whole: what a thread began to read before the setting changed
# ends up in the old list.
_config: list[Config] = []


def config() -> Config:
    """Return the configuration in force. Mistakes are logged here and reported by the checks."""
    cached = _config
    if not cached:
        found, mistakes = read(getattr(settings, SETTING, {}))
        cached.append(found)
        for mistake in mistakes:
            logger.error("%s %s", mistake.message, mistake.hint)
    return cached[0]


def clear(*, setting: str, **kwargs: object) -> None:
    """Read the setting again at the next access (receiver of `setting_changed`)."""
    global _config
    if setting == SETTING:
        _config = []


setting_changed.connect(clear, dispatch_uid="signals_demo.conf")
