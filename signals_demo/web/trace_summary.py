"""What is said about a trace as a whole."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from django.utils.translation import gettext as _

from signals_demo import catalog
from signals_demo.models import Outcome
from signals_demo.query.trace_parts import Glance
from signals_demo.web.times import in_words
from signals_demo.web.waterfall import Span


@dataclass(frozen=True)
class TraceSummary:
    """The facts of a trace, from a glance at each of its events.

    `is_partial` says that it has more events than were looked at.
    """

    glances: Sequence[Glance]
    is_partial: bool = False

    @cached_property
    def began(self) -> datetime:
        """Return when the first event fired."""
        return min(glance.occurred_at for glance in self.glances)

    @cached_property
    def span(self) -> Span:
        """Return when it began and how long it took.

        It took as long as the longest of its outermost pairs, and at least from the first event
        to the last.
        """
        last = max(glance.occurred_at for glance in self.glances)
        pairs = (each.duration for each in self.glances if each.depth == 0 and each.duration)
        return Span(self.began, max(last - self.began, *pairs, timedelta()))

    @property
    def took(self) -> str:
        """Return how long it took, in words."""
        return in_words((self.span.length or timedelta()) / timedelta(milliseconds=1))

    @property
    def firings(self) -> int:
        """Return the number of firings."""
        return sum(glance.count for glance in self.glances)

    @property
    def inits(self) -> int:
        """Return the number of firings of init signals."""
        return sum(glance.count for glance in self.glances if glance.signal in catalog.INIT)

    @property
    def changes(self) -> int:
        """Return the number of saves, deletes and changed many-to-many relations."""
        return sum(glance.is_change for glance in self.glances)

    @property
    def databases(self) -> list[str]:
        """Return the aliases of the databases that were concerned."""
        return sorted({glance.database for glance in self.glances} - {""})

    @property
    def exceptions(self) -> list[Glance]:
        """Return the events that report an exception."""
        return [glance for glance in self.glances if glance.exception]

    @property
    def status(self) -> str:
        """Return the HTTP status where a signal tells it: Django answers an exception with 500."""
        is_failure = any(glance.signal == "got_request_exception" for glance in self.glances)
        return "500" if is_failure else ""

    @property
    def outcome(self) -> str:
        """Return the worst of the outcomes."""
        worst_first = (Outcome.ROLLED_BACK, Outcome.OPEN, Outcome.COMMITTED)
        found = self._outcomes
        return next((str(outcome) for outcome in worst_first if found[outcome]), "")

    @property
    def outcome_label(self) -> str:
        """Return what became of it, in words."""
        found = self._outcomes
        is_whole = len(+found) == 1
        match self.outcome:
            case Outcome.ROLLED_BACK:
                return _("all rolled back") if is_whole else _("some rolled back")
            case Outcome.OPEN:
                return _("open") if is_whole else _("some open")
            case Outcome.COMMITTED:
                return _("all committed")
        return _("no transaction")

    @cached_property
    def _outcomes(self) -> Counter[str]:
        return Counter(glance.outcome for glance in self.glances if glance.outcome)
