"""Receivers that do nothing: what Django itself takes for sending a signal."""

from typing import Any

from django.conf import settings
from django.contrib.auth import signals as auth
from django.core import signals as core
from django.db.models import signals


def receive(**kwargs: Any) -> None:
    pass


SIGNALS = (
    signals.pre_init, signals.post_init, signals.pre_save, signals.post_save,
    signals.pre_delete, signals.post_delete, signals.m2m_changed,
    core.request_started, core.request_finished, core.got_request_exception,
    auth.user_logged_in, auth.user_logged_out, auth.user_login_failed,
)  # fmt: skip


def connect_if_wanted() -> None:
    if settings.BENCHMARK_NO_OPS:
        for signal in SIGNALS:
            signal.connect(receive, weak=False)
