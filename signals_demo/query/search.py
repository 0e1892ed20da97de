"""What a person may look for in the log: a trace, a model, an object, a user or a signal.

Each form of search is served by an index of `SignalEvent`, so it never scans the table.
"""

import re
from dataclasses import dataclass

from django.apps import apps
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from signals_demo import catalog
from signals_demo.conf import config
from signals_demo.query.predicates import Filter
from signals_demo.tracing.traceparent import trace_id_of

_TRACE = re.compile(r"[0-9a-f]{32}")
_LONGEST = 255

FORMS = (
    (
        "4bf92f3577b34da6a3ce929d0e0e4736",
        _("a trace: the events of one request, command or task; a traceparent works too"),
    ),
    ("auth.User", _("a model")),
    ("auth.User 5", _("one object: its model and key")),
    ("5", _("an object key, of any model")),
    ("admin", _("a username: what that user did")),
    ("post_save", _("a signal")),
)
"""An example of each form of search, and what it looks for."""


@dataclass(frozen=True, slots=True)
class Search:
    """How a text was understood, in a sentence and as conditions, of which one has to hold.

    There are none for a text that cannot be looked for. `trace_id` is set for a trace, whose
    events are read in the order in which they fired.
    """

    meaning: str
    conditions: Filter = ()
    """Each is served by one index."""
    trace_id: str = ""


def understand(text: str) -> Search:
    """Return what `text` looks for. Runs one query, for a user of that name, at most."""
    text = text.strip()
    if len(text) > _LONGEST:
        return _not_understood()
    if trace_id := trace_id_in(text):
        return Search(gettext("One trace, in firing order."), [{"trace_id": trace_id}], trace_id)
    if name := signal_named(text):
        return Search(gettext("The signal {name}.").format(name=name), [{"signal": name}])
    first, _space, key = text.partition(" ")
    if model := model_named(first):
        return _about(model, key.strip())
    if text.isdecimal():
        return _key_or_sender(text)
    user_pk = _user_named(text)
    if user_pk:
        return Search(gettext("What {name} did.").format(name=text), [{"actor_pk": user_pk}])
    return _not_understood() if " " in text else _key_or_sender(text)


def trace_id_in(text: str) -> str:
    """Return the trace id that `text` is, or has as a `traceparent` header; else nothing."""
    text = text.strip().lower()
    return text if _TRACE.fullmatch(text) else trace_id_of(text)


def signal_named(text: str) -> str:
    """Return the name of a built-in signal, given it or its path, or an extra signal's path."""
    if catalog.get(text) or text in config().extra_signals:
        return text
    return next((known.name for known in catalog.built_in().values() if known.path == text), "")


def model_named(label: str) -> type[Model] | None:
    """Return the model of this label, or None if the project has none."""
    if label.count(".") != 1:
        return None
    try:
        return apps.get_model(label)
    except LookupError:
        return None


def _user_named(name: str) -> str:
    model = get_user_model()
    try:
        users = model._default_manager.filter(**{model.USERNAME_FIELD: name})
    except (ValidationError, ValueError):  # names that are numbers, for one
        return ""
    # The key alone: building the user would fire two signals.
    return "".join(map(str, users.values_list("pk", flat=True)[:1]))


def _about(model: type[Model], key: str) -> Search:
    label = model._meta.label
    if not key:
        return Search(gettext("The model {label}.").format(label=label), [{"sender": label}])
    return Search(
        gettext("The object {label} {key}.").format(label=label, key=key),
        [{"sender": label, "object_pk": key}],
    )


def _key_or_sender(text: str) -> Search:
    # A sender that is no model of this project: a class, an app, a model that is gone.
    return Search(
        gettext("The object key {text}, or a sender with this name.").format(text=text),
        [{"object_pk": text}, {"sender": text}],
    )


def _not_understood() -> Search:
    return Search(gettext("This search is not supported. You can search for:"))
