"""The playground's own receivers: both ways to connect one, for every family of signals.

The lessons show this code. Each receiver leaves a note on the noticeboard.
"""

import inspect
import os
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import django
from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.core.signals import got_request_exception, request_started, setting_changed
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper as Wrapper
from django.db.backends.signals import connection_created
from django.db.models.signals import (
    m2m_changed,
    post_delete,
    post_migrate,
    post_save,
    pre_delete,
    pre_migrate,
)
from django.dispatch import Signal, receiver
from django.http import HttpRequest
from django.template.base import Template
from django.test.signals import template_rendered
from django.utils.autoreload import BaseReloader, autoreload_started, file_changed

from project.playground.models import Book, Order, Tag
from project.playground.noticeboard import pin
from signals_demo.catalog import Family

# auth


def welcome(user: AbstractBaseUser, **kwargs: Any) -> None:
    pin(f"Welcome, {user.get_username()}.")


def connect_auth() -> None:
    user_logged_in.connect(
        welcome,
        sender=get_user_model(),
        weak=True,
        dispatch_uid="playground.welcome",
    )


@receiver([user_logged_out, user_login_failed])
def watch_the_door(signal: Signal, **kwargs: Any) -> None:
    left = signal is user_logged_out
    pin("A user logged out." if left else "A login failed.")


# model


def confirm(instance: Order, created: bool, **kwargs: Any) -> None:
    if created:
        pin(f"Thank you, {instance.reader}: order {instance.pk} is saved.")


def connect_model() -> None:
    post_save.connect(
        confirm,
        sender=Order,
        weak=True,
        dispatch_uid="playground.confirm",
    )


@receiver(post_save, sender=Book)
def count_copies(instance: Book, **kwargs: Any) -> None:
    pin(f"“{instance.title}” was saved: {instance.copies} copies.")


@receiver([pre_delete, post_delete], sender=Book)
def clear_the_shelf(signal: Signal, instance: Book, **kwargs: Any) -> None:
    what = "will be deleted" if signal is pre_delete else "is deleted"
    pin(f"“{instance.title}” {what}.")


@receiver(m2m_changed, sender=Book.tags.through)
def note_tags(instance: Book | Tag, action: str, reverse: bool, **kwargs: Any) -> None:
    # The sender is the through model: in `tag.books.clear()`, `instance` is a Tag.
    of_whom = f"Books tagged “{instance.name}”" if reverse else f"Tags of “{instance.title}”"
    pin(f"{of_whom}: {action}.")


# management


def report_migration(using: str, **kwargs: Any) -> None:
    pin(f"The bookshop's tables in {using!r} are up to date.")


def connect_management() -> None:
    post_migrate.connect(
        report_migration,
        sender=apps.get_app_config("playground"),
        weak=True,
        dispatch_uid="playground.migration",
    )


@receiver(pre_migrate, sender=apps.get_app_config("playground"))
def announce_migration(using: str, **kwargs: Any) -> None:
    pin(f"A migration of {using!r} starts.")


# request


def apologise(request: HttpRequest, **kwargs: Any) -> None:
    pin(f"Sorry about {request.path}.")


def connect_request() -> None:
    got_request_exception.connect(
        apologise,
        weak=True,
        dispatch_uid="playground.apologise",
    )


@receiver(request_started)
def greet_request(**kwargs: Any) -> None:
    pin("A request has arrived.")


# test


def note_setting(setting: str, value: Any, **kwargs: Any) -> None:
    pin(f"{setting} is {value!r} now.")


def connect_test() -> None:
    setting_changed.connect(
        note_setting,
        weak=True,
        dispatch_uid="playground.setting",
    )


@receiver(template_rendered)
def note_template(template: Template, **kwargs: Any) -> None:
    pin(f"A test has rendered {template.name}.")


# database


def connect_database() -> None:
    # Nothing else refers to this nested function, so it needs weak=False.
    def note_connection(connection: Wrapper, **kwargs: Any) -> None:
        pin(f"{connection.alias!r} has a new connection.")

    connection_created.connect(
        note_connection,
        weak=False,
        dispatch_uid="playground.opened",
    )


@receiver(connection_created, sender=type(connections["default"]))
def note_database(connection: Wrapper, **kwargs: Any) -> None:
    pin(f"Connected to {connection.display_name}.")


# task

if django.VERSION >= (6, 0):
    from django.tasks import TaskResult
    from django.tasks.signals import task_enqueued, task_started

    def queue_up(task_result: TaskResult, **kwargs: Any) -> None:
        pin(f"{task_result.task.name} is in the queue.")

    def connect_task() -> None:
        task_enqueued.connect(
            queue_up,
            weak=True,
            dispatch_uid="playground.queue",
        )

    @receiver(task_started)
    def start_work(task_result: TaskResult, **kwargs: Any) -> None:
        pin(f"{task_result.task.name} has started.")


# autoreload


def watch_folder(sender: BaseReloader, **kwargs: Any) -> None:
    if folder := os.environ.get("PLAYGROUND_WATCH"):
        sender.watch_dir(folder, "*.txt")
        pin("The reloader watches one more folder.")


def connect_autoreload() -> None:
    autoreload_started.connect(
        watch_folder,
        weak=True,
        dispatch_uid="playground.watch",
    )


@receiver(file_changed)
def note_change(file_path: Path, **kwargs: Any) -> None:
    # A true return value would prevent the reload.
    pin(f"{file_path.name} has changed.")


@dataclass(frozen=True, slots=True)
class Example:
    """A receiver of this module and, if no decorator connects it, the function that does."""

    caption: str
    receiver: Callable[..., None] | None
    connect: Callable[[], None] | None = None

    @property
    def code(self) -> str:
        """Return the source of both."""
        functions = filter(None, [self.receiver, self.connect])
        return "\n\n".join(textwrap.dedent(inspect.getsource(each)) for each in functions)


BY_HAND = "With connect()"
ONE = "With the decorator, for one signal"
SEVERAL = "With the decorator, for several signals"
SENDER = " and a sender"

EXAMPLES = {
    Family.AUTH: (
        Example(BY_HAND, welcome, connect_auth),
        Example(SEVERAL, watch_the_door),
    ),
    Family.MODEL: (
        Example(BY_HAND, confirm, connect_model),
        Example(ONE + SENDER, count_copies),
        Example(SEVERAL + SENDER, clear_the_shelf),
        Example(ONE + SENDER, note_tags),
    ),
    Family.MANAGEMENT: (
        Example(BY_HAND, report_migration, connect_management),
        Example(ONE + SENDER, announce_migration),
    ),
    Family.REQUEST: (
        Example(BY_HAND, apologise, connect_request),
        Example(ONE, greet_request),
    ),
    Family.TEST: (
        Example(BY_HAND, note_setting, connect_test),
        Example(ONE, note_template),
    ),
    Family.DATABASE: (
        Example(BY_HAND, None, connect_database),
        Example(ONE + SENDER, note_database),
    ),
    Family.AUTORELOAD: (
        Example(BY_HAND, watch_folder, connect_autoreload),
        Example(ONE, note_change),
    ),
}
if django.VERSION >= (6, 0):
    EXAMPLES[Family.TASK] = (
        Example(BY_HAND, queue_up, connect_task),
        Example(ONE, start_work),
    )


def connect_by_hand() -> None:
    """Connect every receiver that no decorator has connected."""
    for examples in EXAMPLES.values():
        for example in examples:
            if example.connect is not None:
                example.connect()
