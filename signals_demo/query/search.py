"""What a person may look for in the log: a trace, a model, an object, a user or a signal.

Each form of search is served by an index of `SignalEvent`, so it never scans the table.
"""

from dataclasses import dataclass

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from signals_demo.fields import of_key
from signals_demo.query.parsing import NotUnderstood, quoted, signal_named, trace_id_in
from signals_demo.query.predicates import EVERYTHING, Predicate
from signals_demo.serialize.model_info import model_named

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
    """What a text looks for, in a sentence and as conditions, each of which an index serves.

    `trace_id` is set for a trace, whose events are read in the order in which they fired.
    """

    meaning: str
    predicate: Predicate
    trace_id: str = ""


def understand(text: str) -> Search:
    """Return what `text` looks for: everything if it is blank.

    Runs one query, for a user of that name, at most. Raises `NotUnderstood`.
    """
    text = text.strip()
    if not text:
        return Search("", EVERYTHING)
    if len(text) > _LONGEST:
        raise _not_understood(text)
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
        return Search(
            gettext("The actor {name}.").format(name=text), [of_key("actor_pk", user_pk)]
        )
    if " " in text:
        raise _not_understood(text)
    return _key_or_sender(text)


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
        [{"sender": label, **of_key("object_pk", key)}],
    )


def _key_or_sender(text: str) -> Search:
    # A sender that is no model of this project: a class, an app, a model that is gone.
    return Search(
        gettext("The object key {text}, or a sender with this name.").format(text=text),
        [of_key("object_pk", text), {"sender": text}],
    )


def _not_understood(text: str) -> NotUnderstood:
    return NotUnderstood(
        gettext(
            "“{text}” is not a valid search. Use a trace id, a model, an object, a key, a "
            "username or a signal."
        ).format(text=quoted(text))
    )
