"""Any value becomes small JSON, is stored as it is, and runs no code of the host's."""

import datetime
import decimal
import enum
import functools
import inspect
import io
import ipaddress
import json
import math
import pathlib
import re
import sys
import threading
import time
import uuid
import zoneinfo
from collections import OrderedDict, UserDict, defaultdict, deque, namedtuple
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile, File
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import models
from django.db.models import F
from django.dispatch import Signal
from django.http import HttpRequest, QueryDict
from django.test import RequestFactory
from django.utils.functional import SimpleLazyObject, lazy
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy

from project.playground.models import Author, Book
from signals_demo import trace
from signals_demo.serialize.limits import MAX_ITEMS, MAX_TEXT
from signals_demo.serialize.names import key_text
from signals_demo.serialize.redaction import MASK, Redactor
from signals_demo.serialize.values import jsonable
from tests.recording import recorded, stored
from tests.shapes import Country, Loud, Ring, Seat, Telltale, Ticket, calls

redactor = Redactor()


@pytest.fixture(autouse=True)
def _silence() -> None:
    calls.clear()


def shown(value: Any) -> Any:
    return jsonable(value, redactor)


class Colour(models.TextChoices):
    RED = "red"


class Size(models.IntegerChoices):
    BIG = 3


class Plain(enum.Enum):
    PAIR = (1, 2)


class Flags(enum.Flag):
    A = 1
    B = 2


class Unknown:
    pass


class Host:
    def method(self) -> None:
        """Do nothing."""


Login = namedtuple("Login", ["user", "password"])

UTC = datetime.UTC
PARIS = zoneinfo.ZoneInfo("Europe/Paris")
ID = uuid.UUID(int=5)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (0, 0),
        (-5, -5),
        (2**63 - 1, 2**63 - 1),
        (2**63, str(2**63)),
        (-(2**70), str(-(2**70))),
        (10**5000, f"<int of {(10**5000).bit_length()} bits>"),
        (1.5, 1.5),
        (math.nan, "nan"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (3 + 4j, "(3+4j)"),
        ("", ""),
        ("Zoë \N{SNOWMAN}", "Zoë \N{SNOWMAN}"),
        (mark_safe("<b>"), "<b>"),
        (decimal.Decimal("1.50"), "1.50"),
        (decimal.Decimal("sNaN"), "sNaN"),
        (decimal.Decimal("Infinity"), "Infinity"),
        (decimal.Decimal("1E+999999"), "1E+999999"),
        (b"abc", "<3 bytes>"),
        (bytearray(2000), "<2,000 bytes>"),
        (memoryview(b"abcd"), "<4 bytes>"),
        (datetime.date(2026, 11, 21), "2026-11-21"),
        (datetime.time(9, 30), "09:30:00"),
        (datetime.datetime(2026, 11, 21, 9, 30), "2026-11-21T09:30:00"),
        (datetime.datetime(2026, 11, 21, 9, 30, tzinfo=UTC), "2026-11-21T09:30:00+00:00"),
        (datetime.datetime(2026, 11, 21, 9, 30, tzinfo=PARIS), "2026-11-21T09:30:00+01:00"),
        (datetime.timedelta(days=1, seconds=2), "1 day, 0:00:02"),
        (ID, "00000000-0000-0000-0000-000000000005"),
        (ipaddress.ip_address("10.0.0.1"), "10.0.0.1"),
        (ipaddress.ip_address("::1"), "::1"),
        (ipaddress.ip_network("10.0.0.0/8"), "10.0.0.0/8"),
        (pathlib.PurePosixPath("a/b.txt"), "a/b.txt"),
        (re.compile("a+"), "a+"),
        (Colour.RED, "red"),
        (Size.BIG, 3),
        (Plain.PAIR, [1, 2]),
        (Flags.A | Flags.B, 3),
        ([1, "a", None], [1, "a", None]),
        ((1, 2), [1, 2]),
        ({3, 1, 2}, [1, 2, 3]),
        (frozenset("ba"), ["a", "b"]),
        (deque([1]), [1]),
        ({"a": {"b": 1}}, {"a": {"b": 1}}),
        (OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
        (defaultdict(list, a=[1]), {"a": [1]}),
        (QueryDict("a=1&a=2"), {"a": ["1", "2"]}),
        ({1: "a", None: "b", (1, 2): "c"}, {"1": "a", "None": "b", "[1, 2]": "c"}),
        (Login("ada", "x"), {"user": "ada", "password": MASK}),
        (User, "django.contrib.auth.models.User"),
        (int, "builtins.int"),
        (shown, "tests.serialize.test_values.shown"),
        (Host().method, "tests.serialize.test_values.Host.method"),
        (functools.partial(shown, 1), "tests.serialize.test_values.shown"),
        (len, "builtins.len"),
        (Unknown(), "<tests.serialize.test_values.Unknown>"),
        (ValueError("x"), "<builtins.ValueError>"),
        (F("stock") + 1, "<django.db.models.expressions.CombinedExpression>"),
        (gettext_lazy("yes"), "<lazy value>"),
        (Book(pk=7), {"model": "playground.Book", "pk": 7}),
        (Book(), {"model": "playground.Book", "pk": None}),
        (Ticket(id=ID), {"model": "shapes.Ticket", "pk": str(ID)}),
        (Country(code="fr"), {"model": "shapes.Country", "pk": "fr"}),
        (Seat(row="A", number=3), {"model": "shapes.Seat", "pk": ["A", 3]}),
        (Ring(access_key="x"), {"model": "shapes.Ring", "pk": MASK}),
        (Ring(access_key=None), {"model": "shapes.Ring", "pk": None}),
        (Book.objects.all(), "<QuerySet of playground.Book>"),
        (Book.objects.none(), "<QuerySet of playground.Book>"),
        (Book.objects, "<django.db.models.manager.Manager>"),
        (ContentFile(b"x", name="a.txt"), "a.txt"),
        (File(None, name="b.txt"), "b.txt"),
        (SimpleUploadedFile("c.txt", b"x"), "c.txt"),
        (RequestFactory().post("/pay/?token=x"), {"method": "POST", "path": "/pay/"}),
        (HttpRequest(), {"method": None, "path": ""}),
        (io.StringIO("x"), "<_io.StringIO>"),
        (UserDict(a=1), "<collections.UserDict>"),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_a_value_is_shown_as(value: Any, expected: Any) -> None:
    found = shown(value)
    assert found == expected
    assert type(found) is type(expected)


# Size.


def test_a_key_of_bytes_is_told_from_others() -> None:
    assert key_text(b"\x00\xfe") == key_text(memoryview(b"\x00\xfe")) == "00fe"


def test_a_long_text_is_cut_and_says_so() -> None:
    text = shown("x" * 10_000_000)
    assert text.startswith("x" * MAX_TEXT + "...")
    assert text.endswith("(10,000,000 characters)")


def test_long_containers_are_cut_and_say_so() -> None:
    assert shown(list(range(1000)))[MAX_ITEMS:] == ["... (950 more)"]
    assert shown(tuple(range(1000)))[MAX_ITEMS:] == ["... (950 more)"]
    assert shown(set(range(1000)))[MAX_ITEMS:] == ["... (950 more)"]
    assert shown({str(n): n for n in range(1000)})["..."] == "950 more"


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def wide(depth: int) -> Any:
    return "x" * 5000 if depth == 0 else [wide(depth - 1)] * 40


def circle_of_lists() -> list[Any]:
    value: list[Any] = [1]
    value.append(value)
    return value


def circle_of_dicts() -> dict[str, Any]:
    value: dict[str, Any] = {}
    value["self"] = value
    return value


def circle_of_lazy_objects() -> Any:
    first, second = SimpleLazyObject(lambda: None), SimpleLazyObject(lambda: None)
    first.__dict__["_wrapped"], second.__dict__["_wrapped"] = second, first
    return first


@pytest.mark.parametrize(
    "make",
    [
        lambda: nested(100_000), lambda: wide(4), circle_of_lists, circle_of_dicts,
        circle_of_lazy_objects, lambda: [circle_of_dicts()] * 50,
        lambda: {"k" * 10_000 + str(n): "v" * 10_000 for n in range(200)},
        lambda: [["x" * 900] * 50] * 50,
    ],
    ids=["deep", "wide", "list in itself", "dict in itself", "lazy in itself", "many circles",
         "long names", "many texts"],
)  # fmt: skip
def test_a_huge_or_endless_value_becomes_a_small_one(make: Any) -> None:
    assert len(json.dumps(shown(make()))) < 100_000


@pytest.mark.parametrize("make", [circle_of_lazy_objects, circle_of_lists, circle_of_dicts])
def test_a_host_that_is_deep_in_its_own_recursion_still_has_room_for_it(make: Any) -> None:
    value = make()

    def recurse(left: int) -> Any:
        return shown(value) if left == 0 else recurse(left - 1)

    assert recurse(sys.getrecursionlimit() - len(inspect.stack()) - 150)


def test_keys_that_look_the_same_are_all_shown() -> None:
    assert len(shown({1: "a", "1": "b", "x" * 500: "c", "x" * 499 + "y": "d"})) == 4


# Secrets.


def test_secrets_in_nested_keys_are_masked_at_any_depth() -> None:
    value = {"a": [{"b": {"password": "x", "n": 1}}], "tokens": ["x"], "secret": None}
    assert shown(value) == {
        "a": [{"b": {"password": MASK, "n": 1}}], "tokens": MASK, "secret": None,
    }  # fmt: skip


def test_a_secret_at_the_end_of_a_long_name_is_masked() -> None:
    assert list(shown({"x" * 500 + "_password": "x"}).values()) == [MASK]


def test_secrets_in_urls_are_masked_in_any_text() -> None:
    assert shown(["redis://:hidden@cache/0"]) == [f"redis://:{MASK}@cache/0"]
    edge = "x" * (MAX_TEXT - 20) + "redis://ada:hiddenhiddenhidden@cache"
    assert "hid" not in shown(edge)


# No host code.


class LoudText(Loud, str):
    __hash__ = str.__hash__


class LoudInt(Loud, int):
    def __add__(self, other: Any) -> Any:
        calls.append("__add__")
        return 0

    def bit_length(self) -> int:
        calls.append("bit_length")
        return 0

    __hash__ = int.__hash__


class LoudFloat(Loud, float):
    __hash__ = float.__hash__


class LoudList(Loud, list):  # type: ignore[type-arg]
    __hash__ = None  # type: ignore[assignment]


class LoudDict(Loud, dict):  # type: ignore[type-arg]
    __hash__ = None  # type: ignore[assignment]

    def items(self) -> Any:
        calls.append("items")
        return ()

    def keys(self) -> Any:
        calls.append("keys")
        return ()

    def __getitem__(self, key: Any) -> Any:
        calls.append("__getitem__")
        return None


class LoudTuple(Loud, tuple):  # type: ignore[type-arg]
    __hash__ = tuple.__hash__


class LoudSet(Loud, set):  # type: ignore[type-arg]
    __hash__ = None  # type: ignore[assignment]


class LoudDate(Loud, datetime.datetime):
    def isoformat(self, *args: Any) -> str:
        calls.append("isoformat")
        return ""

    def replace(self, *args: Any, **kwargs: Any) -> Any:
        calls.append("replace")
        return self


class LoudDecimal(Loud, decimal.Decimal):
    pass


class LoudId(Loud, uuid.UUID):
    @property
    def hex(self) -> str:
        calls.append("hex")
        return ""

    __hash__ = uuid.UUID.__hash__


class LoudBytes(Loud, bytes):
    pass


class LoudPartial(Loud, functools.partial):  # type: ignore[type-arg]
    @property
    def func(self) -> Any:
        calls.append("func")
        return None


class LoudZone(datetime.tzinfo):
    def utcoffset(self, moment: Any) -> datetime.timedelta:
        calls.append("utcoffset")
        return datetime.timedelta(hours=1)

    def dst(self, moment: Any) -> None:
        calls.append("dst")

    def tzname(self, moment: Any) -> str:
        calls.append("tzname")
        return "loud"


class Pretender(Loud):
    """Says that it is a class which it is not, and computes what it holds."""

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        calls.append("__class__")
        return dict

    @property
    def __dict__(self) -> Any:  # type: ignore[override]
        calls.append("__dict__")
        return {}


class LoudMeta(type):
    def __hash__(cls) -> int:
        calls.append("meta __hash__")
        return 1

    def __eq__(cls, other: object) -> bool:
        calls.append("meta __eq__")
        return True

    def __instancecheck__(cls, instance: object) -> bool:
        calls.append("meta __instancecheck__")
        return True

    def __subclasscheck__(cls, subclass: type) -> bool:
        calls.append("meta __subclasscheck__")
        return True

    def __getattribute__(cls, name: str) -> Any:
        calls.append(f"meta {name}")
        return super().__getattribute__(name)


class OfLoudMeta(metaclass=LoudMeta):
    pass


class ListOfLoudMeta(list, metaclass=LoudMeta):  # type: ignore[type-arg]
    pass


class LoudFile(Loud, File):  # type: ignore[type-arg]
    pass


class LoudQuerySet(Loud, models.QuerySet[Any]):
    pass


def loud_lazy() -> Any:
    def load() -> str:
        calls.append("load")
        return "loaded"

    return load


HOSTILE: dict[str, tuple[Any, Any]] = {
    "object": (Loud(), "<tests.shapes.Loud>"),
    "text": (LoudText("a"), "a"),
    "int": (LoudInt(4), 4),
    "float": (LoudFloat(1.5), 1.5),
    "list": (LoudList([1, 2]), [1, 2]),
    "dict": (LoudDict({"a": 1}), {"a": 1}),
    "key": ({LoudText("password"): "x"}, {"password": MASK}),
    "object as key": ({Host: 1, Unknown: 2}, None),
    "tuple": (LoudTuple((1, 2)), [1, 2]),
    "set": (LoudSet({1, 2}), [1, 2]),
    "set of objects": ({Unknown(), 1}, None),
    "datetime": (LoudDate(2026, 11, 21), "2026-11-21T00:00:00"),
    "decimal": (LoudDecimal("1.5"), "1.5"),
    "uuid": (LoudId(int=5), str(ID)),
    "bytes": (LoudBytes(b"abc"), "<3 bytes>"),
    "partial": (LoudPartial(shown), "tests.serialize.test_values.shown"),
    "zone": (
        datetime.datetime(2026, 11, 21, tzinfo=LoudZone()),
        "2026-11-21T00:00:00 <tests.serialize.test_values.LoudZone>",
    ),
    "zone of a time": (
        datetime.time(9, 30, tzinfo=LoudZone()), "09:30:00 <tests.serialize.test_values.LoudZone>",
    ),
    "pretender": (Pretender(), "<tests.serialize.test_values.Pretender>"),
    "metaclass": (OfLoudMeta(), "<tests.serialize.test_values.OfLoudMeta>"),
    "class": (OfLoudMeta, "tests.serialize.test_values.OfLoudMeta"),
    "list with a metaclass": (ListOfLoudMeta([1]), [1]),
    "set with a metaclass in it": ({OfLoudMeta()}, ["<tests.serialize.test_values.OfLoudMeta>"]),
    "file": (LoudFile(None, name="a.txt"), "a.txt"),
    "queryset": (LoudQuerySet(Book), "<LoudQuerySet of playground.Book>"),
    "lazy object": (SimpleLazyObject(loud_lazy()), "<lazy value>"),
    "lazy text": (lazy(loud_lazy(), str)(), "<lazy value>"),
    "model": (Telltale(pk=3), {"model": "shapes.Telltale", "pk": 3}),
    "all of them": ([Loud(), LoudDict({"a": LoudList([Telltale(pk=3)])})], None),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_no_code_of_the_host_runs_for(name: str) -> None:
    value, expected = HOSTILE[name]
    calls.clear()
    for _ in range(2):  # the second time the class is known
        found = shown(value)
    assert calls == []
    assert expected is None or found == expected
    assert json.loads(json.dumps(found)) == found


def test_what_a_lazy_object_has_loaded_is_shown() -> None:
    value = SimpleLazyObject(lambda: Book(pk=3))
    assert shown(value) == "<lazy value>"
    assert value.pk == 3
    assert shown(value) == {"model": "playground.Book", "pk": 3}


def test_a_value_that_another_thread_changes_is_described() -> None:
    shared: dict[int, int] = {}
    members: set[int] = set()
    going = True

    def change() -> None:
        n = 0
        while going:
            n += 1
            shared[n] = n
            members.add(n)
            if n % 40 == 0:
                shared.clear()
                members.clear()

    thread = threading.Thread(target=change)
    thread.start()
    try:
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            shown([shared, members])
    finally:
        going = False
        thread.join()


# Into the database and back.

REFUSED: dict[str, tuple[Any, Any]] = {
    "NUL": ("a\0b", "a\\x00b"),
    "NUL in a key": ({"a\0": 1}, {"a\\x00": 1}),
    "a backslash and u0000": (r"\u0000", r"\u0000"),
    "lone surrogate": ("a\ud800", "a\\ud800"),
    "lone surrogate in a key": ({"\udfff": 1}, {"\\udfff": 1}),
    "NaN": ([math.nan, math.inf], ["nan", "inf"]),
    "huge int": (2**200, str(2**200)),
    "largest int": (2**63 - 1, 2**63 - 1),
    "tiny float": (5e-324, 5e-324),
    "emoji": ("\N{GRINNING FACE}", "\N{GRINNING FACE}"),
    "line separators": ("a\u2028\x1f\x7f\x85b", "a\u2028\x1f\x7f\x85b"),
    "quotes": ("'\"`\\%s %(x)s {}", "'\"`\\%s %(x)s {}"),
    "right-to-left": ("\u202eabc", "\u202eabc"),
    "bytes": (b"\0\xff", "<2 bytes>"),
    "signalling NaN": (decimal.Decimal("sNaN"), "sNaN"),
    "set": ({1, 2}, [1, 2]),
    "10 MB": ("x" * 10_000_000, None),
    "10 MB of NUL": ("\0" * 10_000_000, None),
    "deep": (nested(100_000), None),
    "circle": (circle_of_dicts(), None),
    "object": (Unknown(), "<tests.serialize.test_values.Unknown>"),
    "key of no text": ({None: 1, 1.5: 2}, {"None": 1, "1.5": 2}),
    "empty key": ({"": 1}, {"": 1}),
}

happened = Signal()


@pytest.mark.django_db(transaction=True)
def test_what_databases_refuse_is_stored_as_something_readable() -> None:
    with (
        recorded(EXTRA_SIGNALS=["tests.serialize.test_values.happened"]),
        trace("odd values") as unit,
    ):
        for value, _expected in REFUSED.values():
            happened.send(sender="test", value=value)
        rows = stored(unit)
    assert len(rows) == len(REFUSED)
    for row, (name, (_value, expected)) in zip(rows, REFUSED.items(), strict=True):
        found = row.arguments["value"]
        assert found, name
        assert expected is None or found == expected, name


@pytest.mark.django_db(transaction=True)
def test_odd_text_is_stored_wherever_text_is() -> None:
    odd = "a\0\ud800\N{GRINNING FACE}" * 200
    with (
        recorded(EXTRA_SIGNALS=["tests.serialize.test_values.happened"]),
        trace(odd, actor=odd) as unit,
    ):
        happened.send(sender=odd, instance=Author(pk=5, name=odd), **{odd: 1})
        row = stored(unit)[-1]
    assert row.sender.startswith("a\\x00\\ud800\N{GRINNING FACE}")
    assert row.origin_name.startswith("a\\x00")
    assert row.actor.startswith("a\\x00")
    assert row.object_pk == "5"


def test_keys_of_the_project_are_not_hashed() -> None:
    hashed = []

    class Key:
        def __hash__(self) -> int:
            hashed.append(self)
            return 1

    given = {Key(): 1, "name": "password", "value": "x"}
    hashed.clear()
    shown = jsonable(given, Redactor())
    assert hashed == []
    assert shown["value"] == MASK
