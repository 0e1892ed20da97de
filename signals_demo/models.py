"""The models of the log. `sinks.database` writes their rows."""

from datetime import timedelta
from typing import Any, ClassVar

from django.core.checks import CheckMessage
from django.db import connections, models, router, transaction
from django.utils.translation import gettext_lazy as _

from signals_demo.conf.tenants import is_shared
from signals_demo.fields import SpanIdField, TraceIdField, of_key
from signals_demo.tracing.schemas import SEPARATOR, has_schemas, schema_of


class Origin(models.TextChoices):
    """What started the unit of work in which a signal fired."""

    REQUEST = "request", _("request")
    COMMAND = "command", _("command")
    TASK = "task", _("task")
    BLOCK = "block", _("trace() block")
    SHELL = "shell", _("shell")
    TEST = "test", _("test")
    PROCESS = "process", _("process")


class Outcome(models.TextChoices):
    """The outcome of the transaction in which a signal fired."""

    COMMITTED = "committed", _("committed")
    ROLLED_BACK = "rolled_back", _("rolled back")
    OPEN = "open", _("open")


def in_schema_of(instance: models.Model) -> models.Q:
    """Return what the events of the tenant have in common in whose schema an instance is."""
    alias = instance._state.db or router.db_for_read(type(instance), instance=instance)
    connection = connections[alias]
    app_label = instance._meta.app_label
    if not has_schemas(connection) or is_shared(app_label):
        return models.Q()
    schema = schema_of(connection, app_label)
    if schema:
        return models.Q(database__endswith=f"{SEPARATOR}{schema}")
    return ~models.Q(database__contains=SEPARATOR) & ~models.Q(database="")


class SignalEventQuerySet(models.QuerySet["SignalEvent"]):
    """The queries that the indexes of `SignalEvent` serve."""

    def in_trace(self, trace_id: str) -> "SignalEventQuerySet":
        """Return the events of one unit of work, in the order in which they fired."""
        return self.filter(trace_id=trace_id).order_by("position", "pk")

    def of_object(self, instance: models.Model) -> "SignalEventQuerySet":
        """Return the events about one model instance, oldest first.

        With tenants in schemas, these are the events of the tenant that is active.
        """
        found = self.filter(**of_key("object_pk", str(instance.pk)), sender=instance._meta.label)
        return found.filter(in_schema_of(instance)).order_by("occurred_at", "pk")

    def delete(self) -> tuple[int, dict[str, int]]:
        """Delete the events, and the traces of which no event is left.

        The sums of other traces, of hours and of days stay: they say what has been recorded.
        """
        # Not by their ids, which may be very many: the traces lie where the events were. Asked
        # before the transaction, which on SQLite must not read before it writes.
        span = self.aggregate(first=models.Min("occurred_at"), last=models.Max("occurred_at"))
        if span["first"] is None:
            return super().delete()
        own = {name: models.OuterRef(name) for name in ("trace_id", "recorder", "span_id")}
        left = SignalEvent.objects.using(self.db).filter(**own)
        near = {"started_at__lte": span["last"], "ended_at__gte": span["first"]}
        with transaction.atomic(using=self.db, savepoint=False):
            events, by_event = super().delete()
            empty = SignalTrace.objects.using(self.db).filter(~models.Exists(left), **near)
            traces, by_trace = empty.delete()
        return events + traces, {**by_event, **by_trace}

    delete.alters_data = True  # type: ignore[attr-defined]
    delete.queryset_only = True  # type: ignore[attr-defined]

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
    trace_id = TraceIdField(
        _("trace"),
        default="",
        blank=True,
        help_text=_("What it is part of, across processes, as a W3C trace id."),
    )
    span_id = SpanIdField(
        _("unit of work"),
        default="",
        blank=True,
        help_text=_("The request, command, task or block in which it fired, as a W3C span id."),
    )
    position = models.PositiveBigIntegerField(
        _("position"), default=0, help_text=_("Order within the unit of work.")
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
        # The key decides between events of one time, and is no column here: SQLite and MySQL have
        # it at the end of each index, and PostgreSQL sorts the few rows of one time.
        indexes = [
            models.Index(fields=["occurred_at"], name="signals_demo_time"),  # list, exports
            models.Index(fields=["trace_id", "position"], name="signals_demo_trace"),  # its parts
            models.Index(fields=["signal", "occurred_at"], name="signals_demo_signal"),  # views
            models.Index(fields=["sender", "occurred_at"], name="signals_demo_sender"),  # a model
            models.Index(  # the history of an object, or of a key alone; many events have none
                fields=["object_pk", "sender", "occurred_at"],
                name="signals_demo_object",
                condition=models.Q(object_pk__gt=""),
            ),
            models.Index(  # what a person did
                fields=["actor_pk", "occurred_at"],
                name="signals_demo_actor",
                condition=models.Q(actor_pk__gt=""),
            ),
            # Only the few rows that were not committed: the others cost nothing.
            models.Index(
                fields=["outcome", "occurred_at"],
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
    """One unit of work, with sums over the events that one process recorded."""

    id = models.BigAutoField(primary_key=True, verbose_name=_("ID"))
    recorder = models.UUIDField(
        _("recorder"), help_text=_("The process that recorded its events.")
    )
    trace_id = TraceIdField(_("trace"))
    span_id = SpanIdField(_("unit of work"), default="", blank=True)
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
    general_name = models.CharField(max_length=255, blank=True)  # with `*` in place of keys

    class Meta:
        verbose_name = _("trace")
        verbose_name_plural = _("traces")
        default_permissions = ()  # they are part of the log
        constraints = [
            models.UniqueConstraint(
                fields=["trace_id", "recorder", "span_id"], name="signals_demo_trace_once"
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
