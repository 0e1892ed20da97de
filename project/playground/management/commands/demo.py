"""Set up the demo project and serve it."""

import errno
import logging
import os
import socket
from argparse import ArgumentParser
from io import StringIO
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.management.commands import runserver
from django.core.management import CommandError, call_command
from django.core.management.base import OutputWrapper
from django.db import connections
from django.utils.autoreload import DJANGO_AUTORELOAD_ENV

from project.playground.sample import ADMIN, make_admin, stock


class Command(runserver.Command):
    """`runserver`, after creating a database, a superuser and sample data."""

    help = (
        "Runs migrate, creates the superuser admin/admin and a small bookshop, then serves the "
        "playground. Existing data is kept. With --verbosity 0, prints nothing but errors."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--no-serve", action="store_false", dest="serve", help="Only set up, do not serve."
        )

    def run(self, **options: Any) -> None:
        if options["verbosity"] == 0:
            self.stdout = OutputWrapper(StringIO())
            _log_problems_alone()
        # The reloader runs this command again, in another process, after each change.
        if os.environ.get(DJANGO_AUTORELOAD_ENV) != "true":
            self._set_up(serve=options["serve"])
            self._report(serve=options["serve"])
        if options["serve"]:
            super().run(**options)

    def get_handler(self, *args: Any, **options: Any) -> Any:
        handler = super().get_handler(*args, **options)
        if options["verbosity"] == 0:  # making it has configured logging again
            _log_problems_alone()
        return handler

    def _set_up(self, *, serve: bool) -> None:
        if not settings.DEBUG:
            raise CommandError("The demo has a well-known password. Set DEBUG = True to run it.")
        if serve:
            self._check_port()
        call_command("migrate", verbosity=0)
        make_admin()
        stock()
        connections.close_all()

    def _report(self, *, serve: bool) -> None:
        self.stdout.write(self.style.SUCCESS("The demo is set up."))
        if serve:
            host = "localhost" if self.addr in ("0", "0.0.0.0", "127.0.0.1") else self.addr
            site = f"http://{f'[{host}]' if self._raw_ipv6 else host}:{self.port}"
            self.stdout.write(
                f"\n  Playground  {site}/\n"
                f"  Admin       {site}/admin/  log in as {ADMIN}, password {ADMIN}\n"
            )

    def _check_port(self) -> None:
        family = socket.AF_INET6 if self.use_ipv6 else socket.AF_INET
        try:
            socket.create_server((self.addr, int(self.port)), family=family).close()
        except OSError as error:
            reason = "it is in use" if error.errno == errno.EADDRINUSE else error.strerror
            raise CommandError(
                f"Cannot serve on port {self.port}: {reason}. "
                f"Try another one: manage.py demo {int(self.port) + 1}"
            ) from error


def _log_problems_alone() -> None:
    for name in ("django.server", "django.utils.autoreload"):
        logging.getLogger(name).setLevel(logging.WARNING)
