"""The `SIGNALS_DEMO` setting: typed, read at access, cleared when it changes."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from django.conf import settings
from django.core.signals import setting_changed

from signals_demo.conf.readers import READERS, Invalid

logger = logging.getLogger("signals_demo")

SETTING = "SIGNALS_DEMO"
DATABASE_SINK = {"default": {"BACKEND": "signals_demo.sinks.database.DatabaseSink"}}


_NO_FIELDS: Mapping[str, tuple[str, ...]] = MappingProxyType({})


class Mistake(NamedTuple):
    """A mistake in the setting: what is wrong and how to fix it."""

    key: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Config:
    """The values in force; docs/settings.md says what each means."""

    enabled: bool = True
    signals: frozenset[str] | None = None
    extra_signals: tuple[str, ...] = ()
    include_models: tuple[str, ...] | None = None
    exclude_models: tuple[str, ...] = ()
    exclude_paths: tuple[str, ...] = ()
    exclude_fields: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: _NO_FIELDS)
    mode: str = "background"
    database: str = "default"
    sinks: Mapping[str, Mapping[str, Any]] | None = None
    flush_interval: float = 0.5
    batch_size: int = 1000
    buffer_limit: int = 100_000
    journal_dir: Path | None = None
    shutdown_timeout: float = 30.0
    fold_after: int | None = 0
    call_sites: bool = True
    changes: bool = True
    redact: tuple[str, ...] = ()
    remote_address: bool = True
    trusted_proxies: int = 0
    actor: str | None = None
    client_address: str | None = None
    trust_traceparent: bool | tuple[str, ...] = False
    record_tests: bool = False
    strict: bool = False

    @property
    def inline(self) -> bool:
        """Return whether events are written at once, on the caller's connection."""
        return self.mode == "inline"

    def wants(self, name: str) -> bool:
        """Return whether a built-in signal is recorded."""
        return self.signals is None or name in self.signals


def read(raw: object) -> tuple[Config, list[Mistake]]:
    """Return the configuration that `raw` describes, and what is wrong with it.

    A key with a mistake keeps its default, so that one mistake loses no events; `REDACT` keeps
    its other patterns, so that one mistake shows no secrets.
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
            if error.usable is not None:
                values[key.lower()] = error.usable
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
