"""The catalogues of each language, and the pages of the admin in it."""

import gettext
import re
from collections import Counter
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import polib
import pytest
from django.contrib import admin
from django.contrib.auth.models import AbstractUser
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils.formats import date_format, number_format
from django.utils.text import capfirst
from django.utils.translation import gettext as translated
from django.utils.translation import override, to_language

import signals_demo
from project.playground.models import Author, Book
from signals_demo.catalog.types import CODE
from signals_demo.factories import (
    SignalEventFactory,
    checkout_trace,
    failed_trace,
    login_trace,
    migrate_trace,
)
from signals_demo.web.names import TIMES
from tests.factories import UserFactory
from tests.web.test_requests import make as make_line

pytestmark = pytest.mark.one_database

FOLDER = Path(signals_demo.__file__).parent / "locale"
LOCALES = sorted(path.name for path in FOLDER.glob("*") if path.is_dir())
LIST = "/admin/signals_demo/signalevent/"
NOON = datetime(2026, 11, 21, 14, 3, 22, 416_000, tzinfo=UTC)

each_locale = pytest.mark.parametrize("locale", LOCALES)
in_admin = pytest.mark.usefixtures("only_made_events")


def catalogue(locale: str) -> polib.POFile:
    return polib.pofile(str(FOLDER / locale / "LC_MESSAGES" / "django.po"))


def compiled(locale: str) -> polib.MOFile:
    return polib.mofile(str(FOLDER / locale / "LC_MESSAGES" / "django.mo"))


def forms(entry: Any) -> list[str]:
    """Return the translation of a text, or for a plural each of them."""
    if not entry.msgid_plural:
        return [entry.msgstr]
    return [entry.msgstr_plural[number] for number in sorted(entry.msgstr_plural)]


def plural_rule(found: Any) -> tuple[int, str]:
    header = re.fullmatch(r"nplurals=(\d); plural=(.+?);?", found.metadata["Plural-Forms"])
    assert header
    return int(header[1]), header[2]


# The catalogues


def test_the_demo_offers_each_language_that_there_is(settings: Any) -> None:
    offered = {language for language, _name in settings.LANGUAGES}
    assert offered == {"en", *map(to_language, LOCALES)}


@each_locale
def test_every_text_is_translated(locale: str) -> None:
    found = catalogue(locale)
    assert [entry.msgid for entry in found if not all(forms(entry))] == []
    assert [entry.msgid for entry in found.fuzzy_entries()] == []
    assert [entry.msgid for entry in found.obsolete_entries()] == []
    assert not found.metadata_is_fuzzy
    assert found.metadata["Language"] == locale


@each_locale
def test_a_text_with_a_number_has_each_form_of_the_language(locale: str) -> None:
    found = catalogue(locale)
    number, rule = plural_rule(found)
    form_of = gettext.c2py(rule)  # type: ignore[attr-defined]
    assert {form_of(n) for n in (*range(1000), 10**6)} == set(range(number))
    plurals = [entry for entry in found if entry.msgid_plural]
    assert plurals
    assert [each.msgid for each in plurals if set(each.msgstr_plural) != set(range(number))] == []


HOLES = re.compile(r"%\(\w+\)s|%s|%%|\{\w*\}|</?[a-z][^>]*>")


def holes(text: str) -> Counter[str]:
    """Return the places for values, and the HTML tags, of a text."""
    return Counter(HOLES.findall(text))


@each_locale
def test_no_translation_loses_a_placeholder_or_a_tag(locale: str) -> None:
    wrong = [
        (entry.msgid, text)
        for entry in catalogue(locale)
        for text in filter(None, forms(entry))
        if holes(text) not in (holes(entry.msgid), holes(entry.msgid_plural or entry.msgid))
    ]
    assert wrong == []


@each_locale
def test_code_stays_code(locale: str) -> None:
    wrong = [
        (entry.msgid, code)
        for entry in catalogue(locale)
        for code in re.findall(CODE, HOLES.sub(" ", entry.msgid))
        if not all(code in text for text in forms(entry))
    ]
    assert wrong == []


@each_locale
def test_the_compiled_catalogue_is_that_of_its_source(locale: str) -> None:
    source, binary = (
        {(each.msgctxt, each.msgid, each.msgid_plural): forms(each) for each in found}
        for found in (catalogue(locale), compiled(locale))
    )
    assert binary == source
    assert plural_rule(compiled(locale)) == plural_rule(catalogue(locale))


@each_locale
def test_the_words_of_the_admin_are_left_as_django_has_them(locale: str) -> None:
    # All apps share one catalogue, so another word for "Home" would show on every page.
    path = Path(admin.__file__).parent / "locale" / locale / "LC_MESSAGES" / "django.mo"
    theirs = {each.msgid: each.msgstr for each in polib.mofile(str(path))}
    shared = {each.msgid: each.msgstr for each in catalogue(locale) if each.msgid in theirs}
    assert "Home" in shared
    assert shared == {text: theirs[text] for text in shared}


# The pages


@pytest.fixture
def user(only_made_events: None) -> AbstractUser:
    return UserFactory.create(username="maria", is_staff=True, is_superuser=True)


@pytest.fixture
def pages(user: AbstractUser, client: Client) -> dict[str, str]:
    """Store something of everything; return the pages by name, and log in."""
    client.force_login(user)
    login_trace(user, occurred_at=NOON)
    checkout = checkout_trace(user, occurred_at=NOON)
    failed = failed_trace(user, occurred_at=NOON)
    migrate_trace(occurred_at=NOON)
    book = Book.objects.create(title="Salt", author=Author.objects.create(name="Ada"))
    SignalEventFactory.create(
        sender="playground.Book",
        object_pk=str(book.pk),
        occurred_at=NOON,
        changes={"copies": [3, 5]},
    )
    make_line(started_at=NOON, actor="maria", actor_pk=user.pk, changes=2, errors=1, rolled_back=3)
    saved = next(event for event in checkout if event.signal == "post_save")
    broken = next(event for event in failed if event.exception)
    return {
        "the list": LIST,
        "nothing found": f"{LIST}?view=schema&q=5",
        "a search for a trace": f"{LIST}?q={saved.trace_id}",
        "no search": f"{LIST}?q=nothing+here",
        "an address that was refused": f"{LIST}?e=1",
        "a save": f"{LIST}{saved.pk}/change/",
        "an exception": f"{LIST}{broken.pk}/change/",
        "a folded row": f"{LIST}{checkout[1].pk}/change/",
        "the requests": f"{LIST}requests/",
        "no requests": f"{LIST}requests/?kind=tasks",
        "the overview": f"{LIST}overview/",
        "live": f"{LIST}live/",
        "the receivers": f"{LIST}receivers/",
        "the receivers of a signal": f"{LIST}receivers/?signal=post_save",
        "the guide": f"{LIST}guide/",
        "a person": f"{LIST}people/{user.pk}/",
        "a trace": f"{LIST}traces/{saved.trace_id}/",
        "a trace with an exception": f"{LIST}traces/{broken.trace_id}/",
        "the history of an object": f"/admin/playground/book/{book.pk}/history/",
    }


def plain(text: str) -> str:
    return " ".join(text.split())


CODE_ON_A_PAGE = re.compile(r"<(code|pre|script|style)\b.*?</\1>", re.DOTALL)


class Words(HTMLParser):
    """The texts of a page that people see or hear; code is a sign in the text around it."""

    HEARD = ("title", "aria-label", "placeholder", "alt")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.language = ""
        self.found: set[str] = set()
        self.feed(CODE_ON_A_PAGE.sub("\N{OBJECT REPLACEMENT CHARACTER}", page))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if tag == "html" and name == "lang":
                self.language = value or ""
            if name in self.HEARD or name.startswith("data-"):
                self.found.add(plain(value or ""))

    def handle_data(self, data: str) -> None:
        self.found.add(plain(data))


def read(client: Client, url: str, language: str, status: int = 200) -> str:
    response = client.get(url, headers={"accept-language": language})
    assert response.status_code == status, url
    return response.content.decode()


def translations(locale: str) -> dict[str, set[str]]:
    """Return for each English text without a placeholder what may stand for it."""
    found: dict[str, set[str]] = {}
    for entry in catalogue(locale):
        for text in filter(None, [entry.msgid, entry.msgid_plural]):
            for form in (str, capfirst):  # the admin begins labels with a capital
                if not holes(text):
                    own = {plain(form(each)) for each in forms(entry)}
                    found.setdefault(plain(form(text)), set()).update(own)
    return found


@in_admin
@pytest.mark.django_db
def test_no_english_is_left_on_a_page(client: Client, pages: dict[str, str]) -> None:
    meant = {locale: translations(locale) for locale in LOCALES}
    wrong: dict[tuple[str, str], set[str]] = {}
    for name, url in pages.items():
        english = Words(read(client, url, "en"))
        assert english.language == "en"
        for locale in LOCALES:
            shown = Words(read(client, url, to_language(locale)))
            assert shown.language == to_language(locale)
            told = english.found & meant[locale].keys()
            assert told, name
            if left := {text for text in told & shown.found if text not in meant[locale][text]}:
                wrong[locale, name] = left
    assert wrong == {}


@in_admin
@pytest.mark.django_db
@each_locale
def test_a_page_that_is_not_there_says_so_in_the_language(
    locale: str, client: Client, user: AbstractUser
) -> None:
    client.force_login(user)
    language = to_language(locale)
    text = read(client, f"{LIST}traces/{'0' * 32}/", language, status=404)
    assert catalogue(locale).find("Trace not found").msgstr in Words(text).found


@in_admin
@pytest.mark.django_db
@each_locale
def test_dates_and_numbers_are_those_of_the_language(
    locale: str, client: Client, pages: dict[str, str], settings: Any
) -> None:
    settings.USE_THOUSAND_SEPARATOR = True
    language = to_language(locale)
    migrated = migrate_trace(occurred_at=NOON)[-1]
    folded = SignalEventFactory.create(
        pk=1_234_567, signal="post_init", sender="shop.Tea", count=54_321, occurred_at=NOON
    )
    with override(language):
        day, seconds = date_format(NOON), number_format(1.3, 1)
        took = translated("{seconds} s").format(seconds=seconds)
        count = plain(f"{TIMES} {number_format(54_321)}")
    for name in ("the list", "a save", "the requests", "a person", "a trace"):
        assert day in read(client, pages[name], language), name
    assert took in read(client, f"{LIST}{migrated.pk}/change/", language)
    assert count in Words(read(client, LIST, language)).found
    shown = Words(read(client, f"{LIST}{folded.pk}/change/", language)).found
    assert count in shown
    assert "1234567" in shown  # a key, which nobody counts


@in_admin
@pytest.mark.django_db
@each_locale
def test_the_terminal_stays_english(locale: str, capsys: pytest.CaptureFixture[str]) -> None:
    failed_trace()
    with override(to_language(locale)):
        call_command("signals_tail", "--no-follow")
        with pytest.raises(CommandError, match="is not a valid time"):
            call_command("signals_export", "--since", "yesterday")
    told = capsys.readouterr().out
    assert "── request POST /refund/3/" in told
    assert "rolled back" in told


# The demo


@in_admin
@pytest.mark.django_db
@each_locale
def test_the_lessons_stay_english(locale: str, client: Client, settings: Any) -> None:
    settings.DEBUG = True
    for url in ("/", "/lessons/model/"):
        response = client.get(url, headers={"accept-language": to_language(locale)})
        text = response.content.decode()
        assert response.headers["Content-Language"] == "en"
        assert Words(text).language == "en"
    assert "The instance about to be saved." in text


@pytest.mark.django_db
def test_a_language_without_a_catalogue_gets_english(client: Client) -> None:
    response = client.get("/admin/login/", headers={"accept-language": "tlh"})
    assert Words(response.content.decode()).language == "en"
    assert response.headers["Content-Language"] == "en"
