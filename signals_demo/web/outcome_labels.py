"""What became of the transaction of an event, in words."""

from collections.abc import Mapping
from html import escape

from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from signals_demo.catalog.types import LazyText
from signals_demo.models import Outcome, SignalEvent

_OUTCOMES: Mapping[str, LazyText] = {
    Outcome.COMMITTED: _("Its transaction was committed."),
    Outcome.ROLLED_BACK: _(
        "Its transaction was rolled back. The database kept none of its changes."
    ),
    Outcome.OPEN: _("Unknown: its transaction was still open when the event was stored."),
    "": _("No transaction was involved."),
}


def outcome_meaning(event: SignalEvent) -> LazyText:
    """Return what the outcome of an event means, in a sentence."""
    return _OUTCOMES.get(event.outcome, "")


def outcome_badge(event: SignalEvent) -> SafeString | str:
    """Return the outcome of an event as a badge; empty where no transaction was involved."""
    if not event.outcome:
        return ""
    return SafeString(
        f'<span class="signals-outcome signals-{escape(event.outcome)}">'
        f"{escape(str(event.get_outcome_display()))}</span>"
    )
