"""No secret comes out anywhere: ways in (requests, forms, errors) by ways out."""

import logging
from collections.abc import Callable, Iterator, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.core.management import call_command
from django.dispatch import Signal
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path

from project.urls import urlpatterns as urls_of_the_project
from signals_demo import flush
from signals_demo.events import Row
from signals_demo.models import SignalEvent
from signals_demo.sinks import NotReady
from signals_demo.sinks.memory import MemorySink
from tests.factories import UserFactory
from tests.recording import recorded

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.one_database]

SECRET = "hunter2hunter2"
sent = Signal()


def fail(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    raise ValueError(f"cannot use {{'token': '{SECRET}'}} with Bearer {SECRET}")


def fine(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("fine")


urlpatterns = [
    *urls_of_the_project,
    path("reset/<str:token>/", fine),
    path("broken/<str:api_key>/", fail),
    path("fine/", fine),
]

WAYS_IN: dict[str, Callable[[Client], object]] = {
    "a path": lambda client: client.get(f"/reset/{SECRET}/"),
    "a path of a request that fails": lambda client: client.get(f"/broken/{SECRET}/"),
    "a parameter": lambda client: client.get(f"/fine/?code={SECRET}&page=1"),
    "a parameter in a parameter": lambda client: client.get(
        f"/fine/?next=%2Fjoin%3Ftoken%3D{SECRET}"
    ),
    "JSON in a parameter": lambda client: client.get(
        f"/fine/?filter=%7B%22password%22%3A%22{SECRET}%22%7D"
    ),
    "a referer": lambda client: client.get(
        "/fine/", HTTP_REFERER=f"https://ada:{SECRET}@shop.example/reset/{SECRET}/?pin={SECRET}"
    ),
    "credentials": lambda client: authenticate(username="ada", otp=SECRET, code=SECRET),
    "a list of headers": lambda client: sent.send("shop", headers=[["Authorization", SECRET]]),
    "a named value": lambda client: sent.send("shop", form={"name": "pwd", "value": SECRET}),
    "JSON kept as text": lambda client: sent.send("shop", body=f'{{"api_key": "{SECRET}"}}'),
    "a DSN": lambda client: sent.send("shop", dsn=f"host=db password={SECRET}"),
    "the arguments of a signal": lambda client: sent.send("shop", jwt=SECRET),
}


@pytest.fixture(params=WAYS_IN)
def way_in(request: pytest.FixtureRequest, settings: Any) -> Callable[[Client], object]:
    settings.ROOT_URLCONF = __name__
    settings.STATIC_ROOT = None
    found: Callable[[Client], object] = WAYS_IN[request.param]
    return found


def pages(client: Client) -> Iterator[bytes]:
    base = "/admin/signals_demo/signalevent/"
    addresses = ["", "requests/", "overview/", "export/?format=csv", "export/?format=jsonl"]
    for event in SignalEvent.objects.all():
        addresses += [f"{event.pk}/change/", f"traces/{event.trace_id}/"]
    for address in dict.fromkeys(addresses):
        response = client.get(base + address)
        assert response.status_code == 200, address
        yield b"".join(response)  # type: ignore[arg-type]


def test_nothing_secret_is_stored_shown_downloaded_or_printed(
    way_in: Callable[[Client], object], client: Client
) -> None:
    client.raise_request_exception = False
    with recorded(EXTRA_SIGNALS=[f"{__name__}.sent"]):
        way_in(client)
        assert flush()
        rows = [str(row) for row in SignalEvent.objects.values()]
    assert rows
    assert SECRET not in "".join(rows)
    client.force_login(UserFactory.create(is_staff=True, is_superuser=True))
    assert SECRET.encode() not in b"".join(pages(client))
    printed = StringIO()
    for command in (["signals_export", "--format=csv"], ["signals_export"]):
        call_command(*command, stdout=printed)
    call_command("signals_tail", "--no-follow", stdout=printed)
    assert printed.getvalue()
    assert SECRET not in printed.getvalue()


class ClosedSink(MemorySink):
    """Takes nothing while it is closed, so that the journal keeps everything."""

    is_closed = False

    def store(self, rows: Sequence[Row]) -> None:
        if self.is_closed:
            raise NotReady
        super().store(rows)


def test_nothing_secret_is_written_to_the_journal_or_a_log(
    way_in: Callable[[Client], object],
    client: Client,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client.raise_request_exception = False
    caplog.set_level(logging.DEBUG, "signals_demo.events")
    monkeypatch.setattr(ClosedSink, "is_closed", True)
    sinks = {
        "log": {"BACKEND": "signals_demo.sinks.log.LogSink"},
        "closed": {"BACKEND": f"{__name__}.ClosedSink"},
    }
    with recorded(EXTRA_SIGNALS=[f"{__name__}.sent"], SINKS=sinks, JOURNAL_DIR=tmp_path):
        way_in(client)
        written = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
        ClosedSink.is_closed = False
        assert flush()
    own = "".join(r.getMessage() for r in caplog.records if r.name.startswith("signals_demo"))
    assert written
    assert own
    assert SECRET.encode() not in written
    assert SECRET not in own
