"""The playground over HTTP: every action is done for real, and its page shows what fired."""

import re
import threading
import time
from collections.abc import Callable
from functools import partial
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import django
import pytest
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from project.playground import children, noticeboard
from project.playground.lessons import LESSONS, Lesson
from project.playground.models import Book, Order
from project.playground.registry import actions
from project.playground.sample import make_admin, stock
from project.playground.streaks import SHOWN, shortened
from signals_demo import trace
from signals_demo.catalog import built_in
from signals_demo.models import Outcome, SignalEvent
from signals_demo.testing import Capture, capture_signals

needs_tasks = pytest.mark.applies(django.VERSION >= (6, 0))
# The playground's child processes use its own SQLite file.
needs_a_file = pytest.mark.applies(django_settings.TEST_DATABASE == "sqlite")
# What nearly every request of a test fires; each action is told apart by the others.
USUAL = {
    "request_started",
    "request_finished",
    "connection_created",
    "pre_init",
    "post_init",
    "template_rendered",
}
SAVE = ["pre_save", "post_save"]
M2M = ["m2m_changed", "m2m_changed"]
FIRES = {
    "fail_to_log_in": ["user_login_failed"],
    "log_out": ["user_logged_out"],
    "instantiate": [],
    "read": [],
    "create": SAVE,
    "update": SAVE,
    "roll_back": SAVE,
    "delete": ["pre_delete", "pre_delete", "post_delete", "post_delete"],
    "add_tag": M2M,
    "remove_tag": M2M,
    "set_tags": M2M + M2M,
    "clear_tags": M2M,
    "save_ebook": SAVE,
    "save_rare_book": SAVE,
    "define_model": ["class_prepared"],
    "send_request": [],
    "raise_error": ["got_request_exception"],
    "connect": [],
    "do_task": ["task_enqueued", "task_started", "task_finished"],
    "fail_at_task": ["task_enqueued", "task_started", "task_finished"],
}
APART = {"log_in", "migrate", "run_tests", "reload"}  # tested below, each in its own way
URLS = {action.name: f"/lessons/{action.lesson}/{action.name}/" for action in actions}


class Pressed:
    """What fired when a button was pressed, and the page about it that this leads to."""

    def __init__(self, client: Client, name: str) -> None:
        with capture_signals() as self.signals:
            response = client.post(URLS[name])
        assert response.status_code == 302
        self.url = response.headers["Location"]
        self.trace_id = parse_qs(urlsplit(self.url).query)["trace"][0]
        self.html = client.get(self.url).content.decode()
        self.shown = re.findall(r'class="signals-badge [^>]*>(\w+)</a>', self.html)
        self.notes = [
            unescape(note)
            for notes in re.findall(r'class="notes">.*?</ul>', self.html, re.DOTALL)
            for note in re.findall(r"<li>(.*?)</li>", notes)
        ]


Press = Callable[[str], Pressed]


@pytest.fixture(autouse=True)
def in_debug(settings: Any) -> None:
    settings.DEBUG = True


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False)


@pytest.fixture
def press(client: Client, transactional_db: None) -> Press:
    """Return a function that presses an action's button and follows to the page."""
    make_admin()
    return partial(Pressed, client)


@pytest.mark.parametrize("name", [name for name in URLS if name in FIRES])
def test_an_action_shows_what_it_fired(press: Press, name: str) -> None:
    pressed = press(name)
    fired = pressed.signals.names
    assert (fired[0], fired[-1]) == ("request_started", "request_finished")
    assert pressed.signals.exclude(*USUAL).names == FIRES[name]
    names = {event.origin_name for event in pressed.signals if event.origin == "request"}
    assert names == {f"POST {URLS[name]}"}
    assert (pressed.shown[0], pressed.shown[-1]) == ("request_started", "request_finished")
    assert [signal for signal in pressed.shown if signal not in USUAL] == FIRES[name]
    assert pressed.url.endswith(f"#{name}")
    assert f"/admin/signals_demo/signalevent/?q={pressed.trace_id}" in pressed.html


def test_every_action_is_tested() -> None:
    silent = {action.name for action in actions if action.lesson == "silence"}
    assert set(URLS) - silent - APART <= set(FIRES)


@pytest.mark.parametrize("name", [action.name for action in actions if action.lesson == "silence"])
def test_what_fires_nothing(press: Press, name: str) -> None:
    pressed = press(name)
    assert pressed.signals.exclude(*USUAL).names == []
    assert pressed.shown == []
    assert "Nothing fired." in pressed.html


def test_the_actor_is_who_logged_in(press: Press) -> None:
    (login,) = press("log_in").signals.filter("user_logged_in", sender="auth.User")
    assert login.actor == "admin"
    assert {event.actor for event in press("create").signals} == {"admin"}
    (logout,) = press("log_out").signals.filter("user_logged_out")
    assert logout.actor == "admin"


def test_a_changed_password_is_a_plain_message(press: Press) -> None:
    admin = get_user_model().objects.get()
    admin.set_password("something else")
    admin.save()
    pressed = press("log_in")
    assert "The password is no longer “admin”." in pressed.html
    assert pressed.signals.filter(family="auth").names == ["user_login_failed"]


def test_a_rolled_back_save(press: Press) -> None:
    pressed = press("roll_back")
    assert pressed.signals.filter(sender=Order, outcome="rolled_back").names == SAVE
    stored = SignalEvent.objects.in_trace(pressed.trace_id).filter(signal__in=SAVE)
    assert {event.outcome for event in stored} == {Outcome.ROLLED_BACK}


def test_an_error_leads_back_to_the_lesson(press: Press) -> None:
    pressed = press("raise_error")
    assert "RuntimeError: The shelf has come down." in pressed.html
    assert "Sorry about /lessons/request/raise_error/." in pressed.notes


def test_migrate(press: Press) -> None:
    pressed = press("migrate")
    before, after = (pressed.signals.filter(name) for name in ("pre_migrate", "post_migrate"))
    assert len(before) == len(after) > 4
    assert {"pre_migrate", "post_migrate"} < set(pressed.shown)
    assert "A migration of 'default' starts." in pressed.notes
    assert "The bookshop's tables in 'default' are up to date." in pressed.notes


@needs_a_file
@pytest.mark.processes
def test_a_test_run(press: Press) -> None:
    pressed = press("run_tests")
    assert pressed.shown.count("setting_changed") == 2
    assert pressed.shown.count("template_rendered") == 1
    assert "A test has rendered playground/receipt.txt." in pressed.notes


@needs_a_file
@pytest.mark.processes
def test_a_reload(press: Press) -> None:
    pressed = press("reload")
    assert pressed.shown[-2:] == ["autoreload_started", "file_changed"]
    assert "touched.txt has changed." in pressed.notes


@needs_a_file
@pytest.mark.processes
def test_a_child_process_is_not_waited_for_without_end(
    press: Press, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "SECONDS", 0)
    assert "manage.py test took longer than 0 seconds and was stopped." in press("run_tests").html


@needs_a_file
@pytest.mark.processes
def test_a_child_process_that_fails(press: Press, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "RELOAD", 0)
    assert "manage.py runserver ended with status 3" in press("reload").html


@needs_tasks
def test_the_receivers_of_tasks(press: Press) -> None:
    assert press("do_task").notes[-2:] == [
        "count_orders is in the queue.",
        "count_orders has started.",
    ]


def test_receivers_connected_by_hand_and_by_decorator(press: Press) -> None:
    assert press("log_in").notes[-1] == "Welcome, admin."
    assert press("fail_to_log_in").notes[-1] == "A login failed."
    assert press("create").notes[-1].startswith("Thank you, Mina: order ")
    assert press("delete").notes[-2:] == ["“A Draft” will be deleted.", "“A Draft” is deleted."]
    assert press("add_tag").notes[-1] == "Tags of “Night Trains”: post_add."
    assert press("connect").notes[-1] == "'default' has a new connection."


def test_a_receiver_with_a_sender_hears_no_proxy_and_no_child(press: Press) -> None:
    assert press("update").notes[-1].startswith("“Night Trains” was saved: ")
    for name in ("save_rare_book", "save_ebook"):
        assert not any("was saved" in note for note in press(name).notes)


@pytest.mark.django_db
def test_stocking_is_not_recorded_and_resets_nothing(capsignals: Capture) -> None:
    stock()
    Book.objects.filter(title="Night Trains").update(copies=40)
    stock()
    assert capsignals.names == []
    assert Book.objects.get(title="Night Trains").copies == 40


@pytest.mark.django_db(transaction=True)
def test_the_superuser_is_made_once() -> None:
    make_admin()
    users = get_user_model().objects
    users.update(email="kept@example.com")
    make_admin()
    assert users.get().email == "kept@example.com"
    assert users.get().check_password("admin")


@pytest.mark.parametrize("lesson", LESSONS, ids=[lesson.slug for lesson in LESSONS])
def test_a_lesson_teaches(client: Client, transactional_db: None, lesson: Lesson) -> None:
    html = unescape(client.get(lesson.get_absolute_url()).content.decode())
    for signal in lesson.signals:
        assert f"from {signal.module} import {signal.name}" in html
        assert all(str(argument.meaning) in html for argument in signal.arguments)
        assert str(signal.fires) in html
        assert str(signal.silent) in html
        assert signal.url in html
    for example in lesson.examples:
        assert example.code in html
    for action in lesson.actions:
        assert action.code in html
        assert action.about in html
    if lesson.signals:
        assert any(example.connect for example in lesson.examples)
        assert any(not example.connect for example in lesson.examples)


def test_the_lessons_cover_every_signal() -> None:
    taught = [signal.name for lesson in LESSONS for signal in lesson.signals]
    assert sorted(taught) == sorted(built_in())


@pytest.mark.applies(django.VERSION < (6, 0))
def test_a_django_without_tasks_says_so(client: Client, transactional_db: None) -> None:
    assert "has no tasks" in client.get("/lessons/task/").content.decode()


def test_the_front_page_asks_no_database(
    client: Client, transactional_db: None, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        html = client.get("/").content.decode()
    assert all(lesson.get_absolute_url() in html for lesson in LESSONS)


@pytest.mark.parametrize("url", ["/", "/lessons/model/", "/lessons/model/create/"])
def test_nothing_is_answered_without_debug(
    client: Client, transactional_db: None, settings: Any, url: str
) -> None:
    settings.DEBUG = False
    method = client.post if url.endswith("create/") else client.get
    assert method(url).status_code == 403
    assert not Book.objects.exists()


def test_buttons_are_protected(client: Client, transactional_db: None) -> None:
    assert Client(enforce_csrf_checks=True).post(URLS["create"]).status_code == 403
    assert client.get(URLS["create"]).status_code == 405
    assert not Book.objects.exists()


@pytest.mark.parametrize("url", ["/lessons/cooking/", "/lessons/cooking/boil/"])
def test_unknown_addresses(client: Client, transactional_db: None, url: str) -> None:
    assert client.get(url).status_code in (404, 405)
    assert client.post("/lessons/model/boil/").status_code == 404


def test_pages_have_no_inline_script_or_style(client: Client, transactional_db: None) -> None:
    html = client.get("/lessons/model/").content.decode()
    assert not re.search(r"<style|<script(?![^>]* src=)|<[^>]* (style|on\w+)=", html)


def test_a_long_streak_is_shown_short() -> None:
    events = [
        SignalEvent(signal=signal, sender="auth.User", depth=1)
        for _ in range(20)
        for signal in ("pre_init", "post_init")
    ]
    lone = SignalEvent(signal="user_logged_in", sender="auth.User", depth=1)
    short = list(shortened([*events, lone]))
    assert [(event.signal, event.count) for event in short[SHOWN:]] == [
        ("pre_init", 17),
        ("post_init", 17),
        ("user_logged_in", 1),
    ]
    assert sum(event.count for event in short) == 41


def test_notes_are_read_while_other_threads_pin_theirs() -> None:
    is_over = threading.Event()

    def pin() -> None:
        with trace("another"):
            while not is_over.is_set():
                noticeboard.pin("theirs")

    thread = threading.Thread(target=pin)
    thread.start()
    try:
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            assert noticeboard.notes_of("nobody's") == []
    finally:
        is_over.set()
        thread.join()
