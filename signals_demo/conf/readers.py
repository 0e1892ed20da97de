"""How the value of each key is read: what it may be, and what an error says of it."""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from signals_demo import catalog
from signals_demo.conf.patterns import problem_of


class Invalid(ValueError):
    """A value that is not valid; the text says what to use instead.

    `usable` is the part of the value that is used all the same, or None.
    """

    def __init__(self, text: str, usable: Any = None) -> None:
        super().__init__(text)
        self.usable = usable


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


def _dotted_path(value: object) -> str:
    if not isinstance(value, str) or not _is_dotted_path(value):
        raise Invalid(
            f'use the dotted path of a function, such as "shop.audit.who"; {value!r} is not one'
        )
    return value


def _peers(value: object) -> bool | tuple[str, ...]:
    if isinstance(value, bool):
        return value
    shape = 'use True, False or a list of addresses such as ["10.0.0.0/8", "unix"]'
    if isinstance(value, str) or not isinstance(value, (list, tuple, set, frozenset)):
        raise Invalid(shape)
    for peer in value:
        try:
            known = peer == "unix" or (type(peer) is str and ip_network(peer, strict=False))
        except ValueError:
            known = False
        if not known:
            raise Invalid(f"{shape}; {peer!r} is not an address")
    return tuple(value)


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


def _fields(value: object) -> Mapping[str, tuple[str, ...]]:
    """Return the names by label in lower case."""
    shape = 'use {"shop.Product": ["search_vector"]}'
    if not isinstance(value, dict):
        raise Invalid(shape)
    found: dict[str, tuple[str, ...]] = {}
    for label, names in value.items():
        if not isinstance(label, str) or label.count(".") != 1:
            raise Invalid(f"{shape}; {label!r} is not the label of a model")
        if isinstance(names, str) or not isinstance(names, (list, tuple, set, frozenset)):
            raise Invalid(f"{shape}; {label!r} needs a list of names of fields")
        if not all(isinstance(name, str) and name for name in names):
            raise Invalid(f"{shape}; a name of {label!r} is not a string")
        found[label.lower()] = (*found.get(label.lower(), ()), *names)
    return found


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
    problems = {pattern: problem_of(pattern) for pattern in _texts(value)}
    usable = tuple(pattern for pattern, problem in problems.items() if not problem)
    for problem in filter(None, problems.values()):
        raise Invalid(problem, usable)
    return usable


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
    "EXCLUDE_FIELDS": _fields,
    "MODE": _mode,
    "DATABASE": _text,
    "SINKS": _or_none(_sinks),
    "FLUSH_INTERVAL": _seconds,
    "BATCH_SIZE": _count(1),
    "BUFFER_LIMIT": _count(1),
    "JOURNAL_DIR": _or_none(_folder),
    "SHUTDOWN_TIMEOUT": _seconds,
    "FOLD_AFTER": _or_none(_count(0)),
    "CALL_SITES": _flag,
    "CHANGES": _flag,
    "REDACT": _patterns,
    "REMOTE_ADDRESS": _flag,
    "TRUSTED_PROXIES": _count(0),
    "ACTOR": _or_none(_dotted_path),
    "CLIENT_ADDRESS": _or_none(_dotted_path),
    "TRUST_TRACEPARENT": _peers,
    "RECORD_TESTS": _flag,
    "STRICT": _flag,
}
