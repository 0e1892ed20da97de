"""Read the names in a test: signals, senders and so on. A wrong one fails at once, with advice."""

from collections.abc import Iterable
from difflib import get_close_matches

from django.apps import AppConfig, apps
from django.db import connections
from django.db.models import Model
from django.dispatch import Signal
from django.utils.module_loading import import_string

from signals_demo import catalog
from signals_demo.capture.connect import wants_model
from signals_demo.capture.model_signals import MODEL_SIGNALS
from signals_demo.catalog.outcomes import COMMITTED, OPEN, ROLLED_BACK
from signals_demo.catalog.types import Family
from signals_demo.conf import config
from signals_demo.serialize.model_info import OWN_LABELS, model_named
from signals_demo.serialize.names import sender_label

SignalLike = str | Signal
SenderLike = type | AppConfig | str


def advice(given: str, known: Iterable[str]) -> str:
    """Return a sentence with the names closest to the given one, or with all of them."""
    near = nearest(given, known)
    if near:
        return f"Did you mean {' or '.join(map(repr, near))}?"
    return f"There are: {', '.join(sorted(known)) or 'none'}."


def nearest(given: str, known: Iterable[str], cutoff: float = 0.6) -> list[str]:
    """Return up to three similar names, in any case or module."""
    by_form: dict[str, str] = {}
    for name in known:
        by_form[name.rpartition(".")[2].lower()] = name
    by_form |= {name.lower(): name for name in known}
    found = get_close_matches(given.lower(), by_form, n=6, cutoff=cutoff)
    return list(dict.fromkeys(by_form[form] for form in found))[:3]


def wrong_type(argument: str, takes: str, given: object) -> TypeError:
    """Return the error for an argument of the wrong type."""
    return TypeError(f"{argument} takes {takes}, not {type(given).__name__} ({given!r}).")


def known_signals() -> dict[str, Signal]:
    """Return every signal that could be recorded here, by its recorded name."""
    known = {name: built_in.load() for name, built_in in catalog.built_in().items()}
    for path in config().extra_signals:
        try:
            signal = import_string(path)
        except ImportError:
            continue
        if isinstance(signal, Signal) and not any(signal is other for other in known.values()):
            known[path] = signal
    return known


def signal_of(given: object) -> Signal:
    """Return the signal with this name, even if it is not recorded."""
    if isinstance(given, Signal):
        return given
    if not isinstance(given, str):
        raise wrong_type("signal", "a name such as 'post_save', or a Signal", given)
    known = known_signals()
    if given in known:
        return known[given]
    try:
        found = import_string(given)
    except ImportError:
        found = None
    if isinstance(found, Signal):
        return found
    for later in catalog.BUILT_IN:
        if later.name == given:
            raise ValueError(f"{given!r} needs Django {later.since[0]}.{later.since[1]}.")
    raise ValueError(f"There is no signal {given!r}. {advice(given, known)}")


def signal_name(given: object) -> str:
    """Return the recorded name of a signal; it is an error if it is not recorded."""
    signal = signal_of(given)
    name = name_of(signal)
    if not name:
        shown = given if isinstance(given, str) else f"the signal {given!r}"
        raise ValueError(
            f"{shown} is not recorded: add its dotted path to SIGNALS_DEMO['EXTRA_SIGNALS']."
        )
    signals = config().signals
    if signals is not None and name in catalog.built_in() and name not in signals:
        raise ValueError(f"{name} is not recorded: SIGNALS_DEMO['SIGNALS'] does not name it.")
    return name


def name_of(signal: Signal) -> str:
    """Return the recorded name of a signal, or "" if it is unknown."""
    return next((name for name, other in known_signals().items() if other is signal), "")


def sender_name(given: object, signals: Iterable[str]) -> str:
    """Return a sender as it is recorded; an unknown name is an error."""
    if isinstance(given, type):
        label = sender_label(given)
    elif isinstance(given, AppConfig):
        label = given.name
    elif isinstance(given, str):
        label = _named_sender(given, signals)
    else:
        hint = "; an instance goes to object=" if isinstance(given, Model) else ""
        raise wrong_type("sender=", f"a model, another class, or a name of it{hint}", given)
    return label


def _named_sender(given: str, signals: Iterable[str]) -> str:
    labels = {
        model._meta.label_lower: model._meta.label
        for model in apps.get_models(include_auto_created=True, include_swapped=True)
    }
    if given.lower() in labels:
        return labels[given.lower()]
    names = [app.name for app in apps.get_app_configs()]
    if given in names:
        return given
    try:
        found = import_string(given)
    except ImportError:
        found = None
    if isinstance(found, type):
        return sender_label(found)
    known = [*labels.values(), *names]
    # The sender of a signal that is not Django's may be any string.
    others = set(signals or config().extra_signals) - set(catalog.built_in())
    if others and not nearest(given, known, cutoff=0.8):
        return given
    raise ValueError(f"There is no sender {given!r}. {advice(given, known)}")


def require_recorded(label: str, signals: Iterable[str]) -> None:
    """Raise ValueError if a sender is a model whose signals the configuration leaves out."""
    names = set(signals)
    if names and names.isdisjoint(MODEL_SIGNALS):
        return
    if label in OWN_LABELS:
        raise ValueError(f"{label} is part of the log: its signals are not recorded.")
    model = model_named(label)
    if model is not None and not wants_model(model):
        raise ValueError(
            f"{label} is not recorded: SIGNALS_DEMO leaves it out "
            "(see INCLUDE_MODELS and EXCLUDE_MODELS)."
        )


def one_of(argument: str, given: object, known: Iterable[str]) -> str:
    """Return a name, which must be a known one."""
    known = [str(name) for name in known]
    if not isinstance(given, str):
        raise wrong_type(argument, f"one of {', '.join(map(repr, known))}", given)
    if str(given) not in known:
        raise ValueError(f"{argument} has no {given!r}. {advice(given, known)}")
    return str(given)


def family_name(given: object) -> str:
    """Return a family of signals."""
    return one_of("family=", given, Family)


def database_alias(given: object) -> str:
    """Return the alias of a database."""
    return one_of("database=", given, connections)


def outcome_name(given: object) -> str:
    """Return an outcome."""
    return one_of("outcome=", given, (COMMITTED, ROLLED_BACK, OPEN))
