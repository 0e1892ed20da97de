"""The audit model. It records nothing itself: rows are written by `sinks.database`."""

from datetime import timedelta
from typing import Any, ClassVar

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
    """What became of the transaction in which a signal fired."""

    COMMITTED = "committed", _("committed")
    ROLLED_BACK = "rolled_back", _("rolled back")
    OPEN = "open", _("open")


class SignalEventQuerySet(models.QuerySet["SignalEvent"]):
    """The reads that the indexes of `SignalEvent` serve."""

    def in_trace(self, trace_id: str) -> "SignalEventQuerySet":
        """Return the events of one unit of work, in the order in which they fired."""
        return self.filter(trace_id=trace_id).order_by("position", "sequence")

    def of_object(self, instance: models.Model) -> "SignalEventQuerySet":
        """Return the events about one model instance, oldest first."""
        return self.filter(sender=instance._meta.label, object_pk=str(instance.pk)).order_by(
            "occurred_at", "sequence"
        )

    def firings(self) -> int:
        """Return the number of firings: folded rows stand for `count` of them."""
        return self.aggregate(total=models.Sum("count"))["total"] or 0


class SignalEvent(models.Model):
    """One firing of a signal, or a folded run of like init firings."""

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
        help_text=_("The unit of work in which it fired: a W3C trace id."),
    )
    position = models.PositiveIntegerField(
        _("position"), default=0, help_text=_("Order within the trace.")
    )
    depth = models.PositiveIntegerField(
        _("depth"), default=0, help_text=_("How many pairs of signals were open around it.")
    )
    count = models.PositiveIntegerField(
        _("count"), default=1, help_text=_("How many firings this row stands for.")
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
        help_text=_("The line of the project that made it fire."),
    )
    arguments = models.JSONField(_("arguments"), default=dict, blank=True)
    changes = models.JSONField(
        _("changes"),
        default=dict,
        blank=True,
        help_text=_("For each field: the old and the new value."),
    )
    exception = models.TextField(_("exception"), blank=True)
    digest = models.CharField(_("digest"), max_length=64, blank=True)

    objects: ClassVar[models.Manager["SignalEvent"]] = SignalEventQuerySet.as_manager()

    class Meta:
        verbose_name = _("signal event")
        verbose_name_plural = _("signal events")
        get_latest_by = "occurred_at"
        # Nobody may add, change or delete a row by hand, so only reading is a permission.
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(
                fields=["recorder", "sequence"], name="signals_demo_event_once"
            ),
        ]
        # Each ends in the order in which its rows are read, so that no read sorts.
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
        ]

    def __str__(self) -> str:
        return " ".join(filter(None, [self.signal, self.sender, self.object_pk]))

    @property
    def fields_changed(self) -> list[tuple[str, Any, Any]]:
        """Return `(field, old, new)` for each changed field."""
        return [(name, old, new) for name, (old, new) in self.changes.items()]

    @property
    def milliseconds(self) -> float | None:
        """Return `duration` in milliseconds, or None for an event that closes no pair."""
        return None if self.duration is None else self.duration / timedelta(milliseconds=1)
