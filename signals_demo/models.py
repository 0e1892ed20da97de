"""The models of the log. `sinks.database` writes their rows."""

from datetime import timedelta
from typing import Any, ClassVar

from django.core.checks import CheckMessage
from django.db import models
from django.utils.translation import gettext_lazy as _


class Origin(models.TextChoices):
    """What started the unit of work in which a signal fired."""

    REQUEST = "request", _("request")
    COMMAND = "command", _("command")
    TASK = "task", _("task")
    BLOCK = "block", _("block")
    SHELL = "shell", _("shell")
    TEST = "test", _("test")
    PROCESS = "process", _("process")


class Outcome(models.TextChoices):
    """The outcome of the transaction in which a signal fired."""

    COMMITTED = "committed", _("committed")
    ROLLED_BACK = "rolled_back", _("rolled back")
    OPEN = "open", _("open")


class SignalEventQuerySet(models.QuerySet["SignalEvent"]):
    """The queries that the indexes of `SignalEvent` serve."""

    def in_trace(self, trace_id: str) -> "SignalEventQuerySet":
        """Return the events of one unit of work, in the order in which they fired."""
        return self.filter(trace_id=trace_id).order_by("position", "sequence")

    def of_object(self, instance: models.Model) -> "SignalEventQuerySet":
        """Return the events about one model instance, oldest first."""
        return self.filter(sender=instance._meta.label, object_pk=str(instance.pk)).order_by(
            "occurred_at", "sequence"
        )

    def at_once(self, **queries: models.Subquery) -> dict[str, Any]:
        """Return the values of several single-value queries, in one query.

        All are None if there are no events.
        """
        first = self.order_by("-pk").annotate(**queries).values(*queries)[:1]
        return next(iter(first), dict.fromkeys(queries))

    def firings(self) -> int:
        """Return the number of firings; a folded row stands for `count` of them."""
        return self.aggregate(total=models.Sum("count"))["total"] or 0


class SignalEvent(models.Model):
    """One firing of a signal, or several similar firings folded into one row."""

    id = models.BigAutoField(primary_key=True, verbose_name=_("ID"))
    recorder = models.UUIDField(
        _("recorder"), help_text=_("The process that recorded this event.")
    )
    sequence = models.PositiveBigIntegerField(
        _("sequence"), help_text=_("The number of this event in its process: 1, 2, 3 …")
    )
    occurred_at = models.DateTimeField(_("time"))
    signal = models.CharField(_("signal"), max_length=255)
    sender = models.CharField(_("sender"), max_length=255, blank=True)
    trace_id = models.CharField(
        _("trace"),
        max_length=32,
        blank=True,
        help_text=_("The unit of work in which it fired, as a W3C trace id."),
    )
    position = models.PositiveIntegerField(
        _("position"), default=0, help_text=_("Order within the trace.")
    )
    depth = models.PositiveIntegerField(
        _("depth"), default=0, help_text=_("Number of signal pairs that were open when it fired.")
    )
    count = models.PositiveIntegerField(
        _("count"), default=1, help_text=_("Number of firings that this row stands for.")
    )
    duration = models.DurationField(
        _("duration"),
        null=True,
        blank=True,
        help_text=_("Time since the opening signal of the pair."),
    )
    origin = models.CharField(_("origin"), max_length=10, choices=Origin, blank=True)
    origin_name = models.CharField(_("origin name"), max_length=255, blank=True)
    actor_pk = models.CharField(_("actor key"), max_length=255, blank=True)
    actor = models.CharField(_("actor"), max_length=255, blank=True)
    remote_address = models.CharField(_("remote address"), max_length=64, blank=True)
    object_pk = models.CharField(_("object key"), max_length=255, blank=True)
    database = models.CharField(_("database"), max_length=255, blank=True)
    outcome = models.CharField(_("outcome"), max_length=11, choices=Outcome, blank=True)
    call_site = models.CharField(
        _("call site"),
        max_length=500,
        blank=True,
        help_text=_("The line of the project's code that made it fire."),
    )
    arguments = models.JSONField(_("arguments"), default=dict, blank=True)
    changes = models.JSONField(
        _("changes"),
        default=dict,
        blank=True,
        help_text=_("The old and the new value of each changed field."),
    )
    exception = models.TextField(_("exception"), blank=True)
    digest = models.CharField(_("digest"), max_length=64, blank=True)

    objects: ClassVar[models.Manager["SignalEvent"]] = SignalEventQuerySet.as_manager()

    class Meta:
        verbose_name = _("signal event")
        verbose_name_plural = _("signal events")
        get_latest_by = "occurred_at"
        # Rows are never added, changed or deleted by hand, so viewing is the only permission.
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(
                fields=["recorder", "sequence"], name="signals_demo_event_once"
            ),
        ]
        # Each ends with the columns that its rows are read in order of, so that no query sorts.
        indexes = [
            models.Index(fields=["occurred_at", "sequence"], name="signals_demo_time"),
            models.Index(fields=["trace_id", "position"], name="signals_demo_trace"),
            models.Index(fields=["signal", "occurred_at", "sequence"], name="signals_demo_signal"),
            models.Index(fields=["sender", "occurred_at", "sequence"], name="signals_demo_sender"),
            models.Index(
                fields=["object_pk", "sender", "occurred_at", "sequence"],
                name="signals_demo_object",
            ),
            models.Index(
                fields=["actor_pk", "occurred_at", "sequence"], name="signals_demo_actor"
            ),
            # Only the few rows that were not committed: the others cost nothing.
            models.Index(
                fields=["outcome", "occurred_at", "sequence"],
                name="signals_demo_outcome",
                condition=models.Q(outcome="rolled_back") | models.Q(outcome="open"),
            ),
        ]

    def __str__(self) -> str:
        return " ".join(filter(None, [self.signal, self.sender, self.object_pk]))

    @classmethod
    def check(cls, **kwargs: Any) -> list[CheckMessage]:
        """Drop the warning that MariaDB ignores an index's condition: the index still works."""
        return [each for each in super().check(**kwargs) if each.id != "models.W037"]

    @property
    def fields_changed(self) -> list[tuple[str, Any, Any]]:
        """Return `(field, old, new)` for each changed field."""
        return [(name, old, new) for name, (old, new) in self.changes.items()]

    @property
    def milliseconds(self) -> float | None:
        """Return `duration` in milliseconds, or None for an event that closes no pair."""
        return None if self.duration is None else self.duration / timedelta(milliseconds=1)


class SignalTrace(models.Model):
    """One trace, with sums over the events that one process recorded."""

    id = models.BigAutoField(primary_key=True, verbose_name=_("ID"))
    recorder = models.UUIDField(
        _("recorder"), help_text=_("The process that recorded its events.")
    )
    trace_id = models.CharField(_("trace"), max_length=32)
    origin = models.CharField(_("origin"), max_length=10, choices=Origin, blank=True)
    origin_name = models.CharField(_("origin name"), max_length=255, blank=True)
    actor_pk = models.CharField(_("actor key"), max_length=255, blank=True)
    actor = models.CharField(_("actor"), max_length=255, blank=True)
    remote_address = models.CharField(_("remote address"), max_length=64, blank=True)
    started_at = models.DateTimeField(_("time"), help_text=_("When its first event fired."))
    ended_at = models.DateTimeField(_("end"), help_text=_("When its last event fired."))
    duration = models.DurationField(
        _("duration"), help_text=_("Time from its first event to its last.")
    )
    firings = models.PositiveBigIntegerField(_("firings"))
    changes = models.PositiveBigIntegerField(
        _("changes"), help_text=_("Saves, deletes and changed many-to-many relations.")
    )
    errors = models.PositiveBigIntegerField(_("errors"), help_text=_("Events with an exception."))
    rolled_back = models.PositiveBigIntegerField(
        _("rolled back"), help_text=_("Events whose transaction was rolled back.")
    )
    general_name = models.CharField(max_length=255, blank=True)  # with `…` in place of keys

    class Meta:
        verbose_name = _("trace")
        verbose_name_plural = _("traces")
        default_permissions = ()  # they are part of the log
        constraints = [
            models.UniqueConstraint(
                fields=["trace_id", "recorder"], name="signals_demo_trace_once"
            ),
        ]
        # One for each sort order, and one for each filter that few rows pass.
        indexes = [
            models.Index(fields=["started_at", "id"], name="signals_demo_t_time"),
            models.Index(fields=["duration", "id"], name="signals_demo_t_duration"),
            models.Index(fields=["firings", "id"], name="signals_demo_t_firings"),
            models.Index(fields=["changes", "id"], name="signals_demo_t_changes"),
            models.Index(fields=["errors", "started_at"], name="signals_demo_t_errors"),
            models.Index(fields=["rolled_back", "started_at"], name="signals_demo_t_undone"),
            models.Index(fields=["actor_pk", "started_at", "id"], name="signals_demo_t_actor"),
            models.Index(fields=["origin", "started_at", "id"], name="signals_demo_t_origin"),
            models.Index(fields=["general_name", "started_at", "id"], name="signals_demo_t_name"),
        ]

    def __str__(self) -> str:
        return " ".join(filter(None, [self.origin, self.origin_name])) or self.trace_id


class SignalHour(models.Model):
    """The firings of one hour or day, summed up by `kind`; see `rollups.hours`.

    `signal`: by signal (`name`) and sender (`detail`). `origin`: by origin and by its name
    without keys. `signal/day` and `origin/day`: the same for a day, from midnight UTC.
    `total`: of an hour, by signal alone. One extra row, `done`, has in `firings` the number of
    the last event that was added up.
    """

    id = models.BigAutoField(primary_key=True)
    hour = models.DateTimeField()
    kind = models.CharField(max_length=10)
    name = models.CharField(max_length=255)
    detail = models.CharField(max_length=255)
    firings = models.PositiveBigIntegerField()
    longest = models.DurationField()  # of the pairs that ended in it

    class Meta:
        default_permissions = ()  # only the pages of the log show it
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "hour", "name", "detail"], name="signals_demo_hour_once"
            ),
        ]

    def __str__(self) -> str:
        return " ".join(filter(None, [f"{self.hour:%Y-%m-%d %H:%M}", self.name, self.detail]))
