# The tables of SignalEvent, and of SignalTrace and SignalHour, which the writer fills.

from django.db import migrations, models

import signals_demo.fields


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="SignalEvent",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "recorder",
                    models.UUIDField(
                        help_text="The process that recorded this event.", verbose_name="recorder"
                    ),
                ),
                (
                    "sequence",
                    models.PositiveBigIntegerField(
                        help_text="The number of this event in its process: 1, 2, 3 …",
                        verbose_name="sequence",
                    ),
                ),
                ("occurred_at", models.DateTimeField(verbose_name="time")),
                ("signal", models.CharField(max_length=255, verbose_name="signal")),
                ("sender", models.CharField(blank=True, max_length=255, verbose_name="sender")),
                (
                    "trace_id",
                    signals_demo.fields.TraceIdField(
                        blank=True,
                        default="",
                        help_text="What it is part of, across processes, as a W3C trace id.",
                        verbose_name="trace",
                    ),
                ),
                (
                    "span_id",
                    signals_demo.fields.SpanIdField(
                        blank=True,
                        default="",
                        help_text="The request, command, task or block in which it fired, "
                        "as a W3C span id.",
                        verbose_name="unit of work",
                    ),
                ),
                (
                    "position",
                    models.PositiveBigIntegerField(
                        default=0,
                        help_text="Order within the unit of work.",
                        verbose_name="position",
                    ),
                ),
                (
                    "depth",
                    models.PositiveIntegerField(
                        default=0,
                        help_text="Number of signal pairs that were open when it fired.",
                        verbose_name="depth",
                    ),
                ),
                (
                    "count",
                    models.PositiveIntegerField(
                        default=1,
                        help_text="Number of firings that this row stands for.",
                        verbose_name="count",
                    ),
                ),
                (
                    "duration",
                    models.DurationField(
                        blank=True,
                        help_text="Time since the opening signal of the pair.",
                        null=True,
                        verbose_name="duration",
                    ),
                ),
                (
                    "origin",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("request", "request"),
                            ("command", "command"),
                            ("task", "task"),
                            ("block", "trace() block"),
                            ("shell", "shell"),
                            ("test", "test"),
                            ("process", "process"),
                        ],
                        max_length=10,
                        verbose_name="origin",
                    ),
                ),
                (
                    "origin_name",
                    models.CharField(blank=True, max_length=255, verbose_name="origin name"),
                ),
                (
                    "actor_pk",
                    models.CharField(blank=True, max_length=255, verbose_name="actor key"),
                ),
                ("actor", models.CharField(blank=True, max_length=255, verbose_name="actor")),
                (
                    "remote_address",
                    models.CharField(blank=True, max_length=64, verbose_name="remote address"),
                ),
                (
                    "object_pk",
                    models.CharField(blank=True, max_length=255, verbose_name="object key"),
                ),
                (
                    "database",
                    models.CharField(blank=True, max_length=255, verbose_name="database"),
                ),
                (
                    "outcome",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("committed", "committed"),
                            ("rolled_back", "rolled back"),
                            ("open", "open"),
                        ],
                        max_length=11,
                        verbose_name="outcome",
                    ),
                ),
                (
                    "call_site",
                    models.CharField(
                        blank=True,
                        help_text="The line of the project's code that made it fire.",
                        max_length=500,
                        verbose_name="call site",
                    ),
                ),
                (
                    "arguments",
                    models.JSONField(blank=True, default=dict, verbose_name="arguments"),
                ),
                (
                    "changes",
                    models.JSONField(
                        blank=True,
                        default=dict,
                        help_text="The old and the new value of each changed field.",
                        verbose_name="changes",
                    ),
                ),
                ("exception", models.TextField(blank=True, verbose_name="exception")),
                ("digest", models.CharField(blank=True, max_length=64, verbose_name="digest")),
            ],
            options={
                "verbose_name": "signal event",
                "verbose_name_plural": "signal events",
                "get_latest_by": "occurred_at",
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(fields=["occurred_at"], name="signals_demo_time"),
                    models.Index(fields=["trace_id", "position"], name="signals_demo_trace"),
                    models.Index(fields=["signal", "occurred_at"], name="signals_demo_signal"),
                    models.Index(fields=["sender", "occurred_at"], name="signals_demo_sender"),
                    models.Index(
                        condition=models.Q(("object_pk__gt", "")),
                        fields=["object_pk", "sender", "occurred_at"],
                        name="signals_demo_object",
                    ),
                    models.Index(
                        condition=models.Q(("actor_pk__gt", "")),
                        fields=["actor_pk", "occurred_at"],
                        name="signals_demo_actor",
                    ),
                    models.Index(
                        condition=models.Q(
                            ("outcome", "rolled_back"), ("outcome", "open"), _connector="OR"
                        ),
                        fields=["outcome", "occurred_at"],
                        name="signals_demo_outcome",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("recorder", "sequence"), name="signals_demo_event_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="SignalTrace",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "recorder",
                    models.UUIDField(
                        help_text="The process that recorded its events.", verbose_name="recorder"
                    ),
                ),
                ("trace_id", signals_demo.fields.TraceIdField(verbose_name="trace")),
                (
                    "span_id",
                    signals_demo.fields.SpanIdField(
                        blank=True, default="", verbose_name="unit of work"
                    ),
                ),
                (
                    "origin",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("request", "request"),
                            ("command", "command"),
                            ("task", "task"),
                            ("block", "trace() block"),
                            ("shell", "shell"),
                            ("test", "test"),
                            ("process", "process"),
                        ],
                        max_length=10,
                        verbose_name="origin",
                    ),
                ),
                (
                    "origin_name",
                    models.CharField(blank=True, max_length=255, verbose_name="origin name"),
                ),
                (
                    "actor_pk",
                    models.CharField(blank=True, max_length=255, verbose_name="actor key"),
                ),
                ("actor", models.CharField(blank=True, max_length=255, verbose_name="actor")),
                (
                    "remote_address",
                    models.CharField(blank=True, max_length=64, verbose_name="remote address"),
                ),
                (
                    "started_at",
                    models.DateTimeField(
                        help_text="When its first event fired.", verbose_name="time"
                    ),
                ),
                (
                    "ended_at",
                    models.DateTimeField(
                        help_text="When its last event fired.", verbose_name="end"
                    ),
                ),
                (
                    "duration",
                    models.DurationField(
                        help_text="Time from its first event to its last.",
                        verbose_name="duration",
                    ),
                ),
                ("firings", models.PositiveBigIntegerField(verbose_name="firings")),
                (
                    "changes",
                    models.PositiveBigIntegerField(
                        help_text="Saves, deletes and changed many-to-many relations.",
                        verbose_name="changes",
                    ),
                ),
                (
                    "errors",
                    models.PositiveBigIntegerField(
                        help_text="Events with an exception.", verbose_name="errors"
                    ),
                ),
                (
                    "rolled_back",
                    models.PositiveBigIntegerField(
                        help_text="Events whose transaction was rolled back.",
                        verbose_name="rolled back",
                    ),
                ),
                ("general_name", models.CharField(blank=True, max_length=255)),
            ],
            options={
                "verbose_name": "trace",
                "verbose_name_plural": "traces",
                "default_permissions": (),
                "indexes": [
                    models.Index(fields=["started_at", "id"], name="signals_demo_t_time"),
                    models.Index(fields=["duration", "id"], name="signals_demo_t_duration"),
                    models.Index(fields=["firings", "id"], name="signals_demo_t_firings"),
                    models.Index(fields=["changes", "id"], name="signals_demo_t_changes"),
                    models.Index(fields=["errors", "started_at"], name="signals_demo_t_errors"),
                    models.Index(
                        fields=["rolled_back", "started_at"], name="signals_demo_t_undone"
                    ),
                    models.Index(
                        fields=["actor_pk", "started_at", "id"], name="signals_demo_t_actor"
                    ),
                    models.Index(
                        fields=["origin", "started_at", "id"], name="signals_demo_t_origin"
                    ),
                    models.Index(
                        fields=["general_name", "started_at", "id"], name="signals_demo_t_name"
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("trace_id", "recorder", "span_id"),
                        name="signals_demo_trace_once",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="SignalHour",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("hour", models.DateTimeField()),
                ("kind", models.CharField(max_length=10)),
                ("name", models.CharField(max_length=255)),
                ("detail", models.CharField(max_length=255)),
                ("firings", models.PositiveBigIntegerField()),
                ("longest", models.DurationField()),
            ],
            options={
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("kind", "hour", "name", "detail"), name="signals_demo_hour_once"
                    )
                ],
            },
        ),
    ]
