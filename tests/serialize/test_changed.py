"""What the field would store as the same is no change; the rest shows in what it differs."""

import datetime
import json
import threading
import time
import uuid
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.db import connection, models
from django.db.models import F, Value
from django.db.models.functions import Upper
from django.forms import modelform_factory
from django.test import override_settings
from django.utils import translation
from django.utils.functional import lazy
from django.utils.translation import gettext_lazy

from signals_demo import flush, trace
from signals_demo.serialize.redaction import MASK
from signals_demo.testing import capture_signals
from tests.recording import MEMORY, kept, recorded
from tests.serialize.kinds import BrokenField, Kinds, Level, Money, MoneyField, Point, Secretive
from tests.shapes import Note, tables

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.stored]

UTC = datetime.UTC
NOON = datetime.datetime(2026, 1, 2, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _in_memory() -> Iterator[None]:
    with recorded(SINKS=MEMORY), tables(Kinds):
        yield


def changes_of(one: models.Model) -> dict[str, Any]:
    with capture_signals("post_save") as signals:
        one.save()
    return dict(signals[-1].changes)


SAME: list[tuple[str, Any, Any]] = [
    ("day", datetime.date(2026, 1, 2), "2026-01-02"),
    ("day", "2026-01-02", datetime.date(2026, 1, 2)),
    ("day", datetime.date(2026, 1, 2), NOON),
    ("at", NOON, "2026-01-02T12:00:00Z"),
    ("at", NOON, "2026-01-02 13:00:00+01:00"),
    ("clock", datetime.time(12, 30), "12:30"),
    ("code", uuid.UUID(int=7), str(uuid.UUID(int=7))),
    ("code", uuid.UUID(int=7), uuid.UUID(int=7).hex.upper()),
    ("address", "2001:db8::1", "2001:0db8:0000::0001"),
    ("number", 2, "2"),
    ("number", 2, Level.HIGH),
    ("number", 2, 2.0),
    ("number", 2, Decimal(2)),
    ("price", Decimal("1.00"), "1.00"),
    ("price", Decimal("1.00"), 1),
    ("price", Decimal("1.00"), "1"),
    ("price", Decimal("1.50"), 1.5),
    ("price", Decimal("1.00"), Decimal("1.001")),
    ("ratio", 1.5, "1.5"),
    ("ratio", 2.0, 2),
    ("ratio", 2.0, Decimal(2)),
    ("flag", True, 1),
    ("flag", True, "1"),
    ("flag", False, "False"),
    ("text", "12", 12),
    ("name", "1.50", Decimal("1.50")),
    ("name", "Blue", gettext_lazy("Blue")),
    ("name", "lazy", lazy(lambda: "lazy", str)()),
    ("data", {"a": 1, "b": [1, 2]}, {"b": (1, 2), "a": 1}),
    ("data", {"at": NOON.isoformat().replace("+00:00", "Z")}, {"at": NOON}),
    ("data", {"1": "a"}, {1: "a"}),
    ("data", {"price": "1.50"}, {"price": Decimal("1.50")}),
    ("blob", b"abc", bytearray(b"abc")),
    ("blob", b"abc", memoryview(b"abc")),
    ("file", "a.txt", ContentFile(b"", name="a.txt").name),
    ("cost", Decimal("10.00"), Money(Decimal(10))),
    ("cost", Money(Decimal(10)), Money("10.0")),
    ("point", "1,2", Point(1, 2)),
    ("point", Point(1, 2), Point(1, 2)),
]


@pytest.mark.parametrize(("field", "before", "after"), SAME)
@pytest.mark.parametrize("loads", [False, True])
def test_the_same_in_another_form_is_no_change(
    field: str, before: Any, after: Any, loads: bool
) -> None:
    one = Kinds.objects.create(**{field: before})
    if loads:
        one = Kinds.objects.get()
    setattr(one, field, after)
    assert changes_of(one) == {}


OTHER: list[tuple[str, Any, Any, Any]] = [
    ("day", "2026-01-02", datetime.date(2026, 1, 3), ["2026-01-02", "2026-01-03"]),
    ("at", NOON, "2026-01-02T12:00:01Z", [NOON.isoformat(), "2026-01-02T12:00:01+00:00"]),
    ("code", uuid.UUID(int=7), uuid.UUID(int=8), [str(uuid.UUID(int=n)) for n in (7, 8)]),
    ("number", 2, "3", [2, 3]),
    ("number", Level.LOW, Level.HIGH, [1, 2]),
    ("price", Decimal("1.00"), "1.01", ["1.00", "1.01"]),
    ("flag", True, "0", [True, False]),
    ("flag", None, False, [None, False]),
    ("text", "1.0", "1.00", ["1.0", "1.00"]),
    ("text", None, "", [None, ""]),
    ("name", "12", 13, ["12", "13"]),
    ("data", 1, True, [1, True]),
    ("data", [1], [1, 2], [[1], [1, 2]]),
    ("data", {"a": 1}, {"a": "1"}, [{"a": 1}, {"a": "1"}]),
    ("cost", Money(1), Money(2), ["1.00", "2.00"]),
    ("cost", None, Money(2), [None, "2.00"]),
    ("point", Point(1, 2), Point(2, 1), ["1,2", "2,1"]),
]


@pytest.mark.parametrize(("field", "before", "after", "expected"), OTHER)
def test_another_value_is_a_change(field: str, before: Any, after: Any, expected: Any) -> None:
    one = Kinds.objects.create(**{field: before})
    setattr(one, field, after)
    assert changes_of(one) == {field: expected}


def test_values_of_unknown_classes_are_created_and_deleted_as_they_are_stored() -> None:
    one = Kinds(cost=Money(1), point=Point(1, 2), name=gettext_lazy("Blue"), code=None)
    made = changes_of(one)
    assert [made[name] for name in ("cost", "point", "name")] == [
        [None, "1.00"], [None, "1,2"], [None, "Blue"],
    ]  # fmt: skip
    with capture_signals("post_delete") as signals:
        one.delete()
    assert signals[-1].changes["cost"] == ["1.00", None]


AS_STORED: list[tuple[str, Any, Any]] = [
    ("price", Decimal("11.8881"), "11.89"),
    ("price", 3, "3.00"),
    ("price", 0.1, "0.10"),
    ("cost", Decimal("0.333333"), "0.33"),
    ("number", "7", 7),
    ("number", 7.9, 7),
    ("ratio", "0.5", 0.5),
    ("name", 12, "12"),
    ("flag", "0", False),
    ("day", NOON, "2026-01-02"),
    ("address", "2001:0db8:0000::0001", "2001:db8::1"),
    ("code", uuid.UUID(int=7).hex, str(uuid.UUID(int=7))),
    ("data", {"at": NOON.replace(microsecond=123456)}, {"at": "2026-01-02T12:00:00.123Z"}),
    ("mail", "Ada@Example.org", "ada@example.org"),
    ("mail", "", None),
]


@pytest.mark.parametrize(("field", "value", "expected"), AS_STORED)
def test_a_new_value_is_what_the_row_holds(field: str, value: Any, expected: Any) -> None:
    with capture_signals("post_save", "post_delete") as signals:
        one = Kinds.objects.create(**{field: value})
        Kinds.objects.get(pk=one.pk).delete()
    created, deleted = signals
    assert created.changes[field] == [None, expected]
    assert deleted.changes[field] == [expected, None]


@pytest.mark.parametrize(("field", "value", "expected"), AS_STORED[:4])
def test_an_old_value_is_what_the_row_held(field: str, value: Any, expected: Any) -> None:
    one = Kinds.objects.create(**{field: value})
    setattr(one, field, None)
    assert changes_of(one) == {field: [expected, None]}


def test_a_half_is_rounded_as_the_database_has_it() -> None:
    one = Kinds(price=Decimal("0.125"))
    new = changes_of(one)["price"][1]
    assert Decimal(new) == Kinds.objects.get(pk=one.pk).price


@pytest.mark.parametrize(("before", "after"), [(None, ""), ("", None), ("A@b.org", "a@B.org")])
def test_what_a_field_of_a_package_stores_alike_is_no_change(before: Any, after: Any) -> None:
    one = Kinds.objects.create(mail=before)
    one.mail = after
    assert changes_of(one) == {}


def test_a_lazy_text_is_in_the_language_of_the_save() -> None:
    with translation.override("de"):
        one = Kinds.objects.create(name=gettext_lazy("Monday"))
        stored = Kinds.objects.get().name
    assert stored == "Montag"
    one.name = "Tuesday"
    assert changes_of(one) == {"name": ["Montag", "Tuesday"]}
    with translation.override("fr"):
        one.name = gettext_lazy("Tuesday")
        assert changes_of(one) == {"name": ["Tuesday", "mardi"]}


def test_classes_that_tell_nothing_are_not_shown_as_if_they_were_the_same() -> None:
    one = Kinds.objects.create(broken=Secretive())
    one.broken = Secretive()
    name = "tests.serialize.kinds.Secretive"
    assert changes_of(one) == {"broken": [f"<{name}>", f"<{name}> (not compared)"]}
    assert changes_of(one) == {}


def test_nothing_is_never_a_change_from_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Kinds.objects.create(code=None)
    one.file = None
    one.data = Value(None, models.JSONField()) if connection.vendor == "sqlite" else None
    for old, new in changes_of(one).values():
        assert (old, new) != (None, None)


def test_naive_moments_are_those_of_the_time_zone() -> None:
    with override_settings(TIME_ZONE="Europe/Berlin"):
        one = Kinds.objects.create(at=datetime.datetime(2026, 1, 2, 12, 0, tzinfo=UTC))
        one.at = datetime.datetime(2026, 1, 2, 13, 0)
        with pytest.warns(RuntimeWarning, match="naive"), capture_signals("post_save") as signals:
            one.save()
        assert signals[-1].changes == {}


def test_expressions_are_shown_as_text() -> None:
    one = Kinds.objects.create(number=1, name="a")
    one.number, one.name = F("number") + 1, Upper(Value("b"))
    found = changes_of(one)
    assert found["number"] in ([1, 2], [1, "F(number) + Value(1)"], [1, "<not loaded>"])
    assert found["name"] in (["a", "B"], ["a", "Upper(Value('b'))"], ["a", "<not loaded>"])
    one.refresh_from_db(fields=["number", "name"])  # which Django 6.1 may have deferred
    one.number = 3
    assert changes_of(one) == {"number": [2, 3]}


# Forms.


def test_an_object_that_a_form_saves_as_it_is_has_not_changed() -> None:
    names = ["day", "at", "clock", "span", "code", "number", "price", "ratio", "flag", "name",
             "data", "cost"]  # fmt: skip
    Kinds.objects.create(
        day="2026-01-02", at=NOON, clock="12:30", span=datetime.timedelta(1), number=1,
        price="1.5", ratio=0.5, flag=True, name="x", data={"b": 1, "a": [1]}, cost=Money(3),
    )  # fmt: skip
    one = Kinds.objects.get()
    form_class = modelform_factory(Kinds, fields=names)
    shown = form_class(instance=one)
    sent = {name: shown[name].value() for name in names} | {"data": '{"a": [1], "b": 1}'}
    form = form_class({name: str(value) for name, value in sent.items()}, instance=one)
    assert form.is_valid(), form.errors
    with capture_signals("post_save") as signals:
        form.save()
    assert signals[-1].changes == {}


# Long values.


@pytest.mark.parametrize("length", [1_200, 5_000, 500_000])
def test_a_long_text_shows_the_part_that_changed(length: int) -> None:
    text = "lorem ipsum " * (length // 12)
    one = Kinds.objects.create(text=f"{text}old{text}")
    one.text = f"{text}new{text}"
    old, new = changes_of(one)["text"]
    assert "sum old" in old
    assert "sum new" in new
    assert old.replace("old", "new") == new
    assert len(old) < 1000
    assert f"{len(text) - 60:,} characters before" in old


def test_a_long_text_that_grows_shows_what_is_added() -> None:
    one = Kinds.objects.create(text="a" * 3000)
    one.text += " and more"
    old, new = changes_of(one)["text"]
    assert new.removeprefix(old) == " and more"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({f"no. {n}": n for n in range(200)}, {"no. 150": "new"}),
        ({"a": {"b": {"c": {"d": {"e": {"f": {"g": 1}}}}}}},
         {"a": {"b": {"c": {"d": {"e": {"f": {"g": "new"}}}}}}}),
        ({"text": "x" * 3000 + "old"}, {"text": "x" * 3000 + "new"}),
    ],
)  # fmt: skip
def test_a_large_container_shows_the_part_that_changed(before: Any, after: Any) -> None:
    one = Kinds.objects.create(data=before)
    one.data = before | after
    old, new = changes_of(one)["data"]
    assert "new" in json.dumps(new)
    assert "new" not in json.dumps(old)
    assert len(json.dumps(new)) < 1500


def test_a_long_list_shows_the_part_that_changed() -> None:
    one = Kinds.objects.create(data=list(range(1000)))
    one.data = [*range(900), "new", *range(901, 1000)]
    old, new = changes_of(one)["data"]
    assert "899, 900, 901" in old
    assert '899, "new", 901' in new


def test_secrets_stay_masked_in_the_part_that_changed() -> None:
    secret = "hunter" + "2" * 20
    more = {f"no. {n}": n for n in range(200)}
    one = Kinds.objects.create(
        data=more | {"inner": {"password": "a", "list": [["Authorization", "b"]]}},
        text="x" * 3000 + " password=first",
    )
    one.data["inner"] = {"password": secret, "list": [["Authorization", secret]]}
    one.text = "x" * 3000 + f" password={secret}"
    found = changes_of(one)
    assert set(found) == {"data", "text"}
    assert secret not in json.dumps(found)
    assert MASK in json.dumps(found["data"])
    one.text = json.dumps(more | {"password": secret, "b": ["x" * 2000]})
    one.save()
    one.text = json.dumps(more | {"password": secret, "b": ["x" * 2000, "y"]})
    assert secret not in json.dumps(changes_of(one))


def test_a_huge_value_that_changes_at_its_end_costs_the_save_little() -> None:
    huge = {"rows": [{"id": n, "name": f"name {n}"} for n in range(200_000)]}
    one = Kinds.objects.create(data=huge)
    with override_settings(SIGNALS_DEMO={"ENABLED": False}):
        bare = _seconds(one)
    with recorded(SINKS=MEMORY):
        one = Kinds.objects.get()
        one.data["rows"][-1]["name"] = "new"
        assert _seconds(one) < bare + 1
        one.data["rows"][-1]["name"] = "newer"
        old, new = changes_of(one)["data"]
    assert "bytes of data" in old
    assert old != new


def _seconds(one: Kinds) -> float:
    begun = time.thread_time()
    one.save()
    return time.thread_time() - begun


# Whose code runs where.


@pytest.mark.parametrize("folder", [None, "journal"])
def test_fields_of_the_project_are_asked_on_the_worker_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, folder: str | None
) -> None:
    asked: list[threading.Thread] = []
    here = threading.current_thread()
    Kinds.objects.create(cost=1)
    one = Kinds.objects.get()
    original = MoneyField.to_python

    def to_python(self: Any, value: Any) -> Any:
        asked.append(threading.current_thread())
        return original(self, value)

    journal = {"JOURNAL_DIR": str(tmp_path / folder)} if folder else {}
    with recorded(SINKS=MEMORY, **journal), trace("unit") as unit:
        monkeypatch.setattr(MoneyField, "to_python", to_python)
        one.cost = Decimal(1)
        one.save()
        one.cost = Money(1)
        by_save = asked.count(here)
        one.save()
        by_save = asked.count(here) - by_save
        models.signals.post_save.send(
            Kinds, instance=one, created=False, raw=False, using="default", update_fields=None
        )
        assert asked.count(here) == 2 * by_save
        flush()
        rows = [row for row in kept(unit) if row.signal == "post_save"]
    assert [json.loads(row.changes) for row in rows] == [{}, {}, {}]
    assert set(asked) > {here}


def test_a_field_that_is_out_of_order_does_no_harm() -> None:
    assert isinstance(Kinds._meta.get_field("broken"), BrokenField)
    one = Kinds.objects.create(broken="a")
    one.broken = "b"
    assert changes_of(one) == {"broken": ["a", "b"]}
    one.broken = 7
    assert changes_of(one) == {"broken": ["b", 7]}


# EXCLUDE_FIELDS


@pytest.mark.parametrize("label", ["shapes.Note", "shapes.note", "shapes.*"])
def test_excluded_fields_are_left_out(label: str) -> None:
    with tables(Note), recorded(SINKS=MEMORY, EXCLUDE_FIELDS={label: ["text", "data"]}):
        with capture_signals() as signals:
            note = Note(text="hidden", count=1, data={"hidden": 1})
            note.save()
            note.text, note.count, note.data = "hidden too", 2, {"hidden": 2}
            note.save()
            note.text = "hidden again"
            note.save()
            built = Note(pk=note.pk, text="hidden")
            built._state.adding = False
            built.save()
            note.delete()
        changes = [event.changes for event in signals.filter("post_save")]
        assert "count" in changes[0]
        assert changes[1:] == [{"count": [1, 2]}, {}, {}]
        assert "count" in signals.filter("post_delete")[0].changes
        shown = json.dumps([[event.arguments, event.changes] for event in signals])
        assert "hidden" not in shown
        assert signals[0].arguments["kwargs"]["text"] == MASK
