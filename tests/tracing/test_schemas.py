"""Tenants in schemas of one database: rows of one key, and a history for each."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.test import override_settings

from project.playground.models import Author, Book, Tag
from signals_demo import flush, trace
from signals_demo.models import SignalEvent
from signals_demo.query import history
from signals_demo.tracing import levels
from tests.recording import recorded, rolled_back, stored

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.stored]

IS_POSTGRESQL = connection.vendor == "postgresql"


@pytest.fixture(autouse=True)
def _schemas(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(levels, "uses_schemas", True)
    yield
    for name in ("schema_name", levels.SCHEMA, levels.SCHEMA_UNTIL_END):
        connections["default"].__dict__.pop(name, None)


def use(schema: str) -> None:
    """Make a schema the current one, as django-tenants does."""
    connection.schema_name = schema  # type: ignore[attr-defined]


def places(unit: Any) -> list[str]:
    return [event.database for event in stored(unit) if event.signal == "post_save"]


def test_an_event_names_the_schema_of_its_tenant() -> None:
    with trace("unit") as unit:
        for schema in ("one", "two", "public"):
            use(schema)
            Author.objects.create(name=schema)
    assert places(unit) == ["default/one", "default/two", "default"]


def test_each_signal_of_a_model_names_it() -> None:
    use("one")
    with trace("unit") as unit:
        book = Book.objects.create(title="Engines", author=Author.objects.create(name="Ada"))
        book.tags.add(Tag.objects.create(name="a"))
        book.delete()
    rows = [event for event in stored(unit) if event.outcome]
    assert {event.signal for event in rows} == {
        "pre_save", "post_save", "pre_delete", "post_delete", "m2m_changed",
    }  # fmt: skip
    assert {event.database for event in rows} == {"default/one"}
    assert {event.outcome for event in rows} == {"committed"}


def test_histories_of_tenants_stay_apart() -> None:
    author = Author(pk=7, name="public")
    for schema in ("one", "two", "public"):
        use(schema)
        author.name = schema
        author.save()
    flush()
    for schema in ("one", "two", "public"):
        use(schema)
        events = SignalEvent.objects.of_object(author).filter(signal="post_save")
        assert [_name(event) for event in events] == [schema]
        found = history.of_object(author).read(50).events
        assert [_name(event) for event in found if event.signal == "post_save"] == [schema]


def _name(event: SignalEvent) -> Any:
    values = event.arguments.get("new_values") or {}
    return event.changes.get("name", [None, values.get("name")])[1]


@override_settings(TENANT_APPS=["django.contrib.auth"], PUBLIC_SCHEMA_NAME="public")
def test_tables_that_tenants_share_have_one_history() -> None:
    with trace("unit") as unit:
        author = Author.objects.create(name="Ada")
        use("one")
        author.name = "Grace"
        author.save()
    assert places(unit) == ["default", "default"]
    assert SignalEvent.objects.of_object(author).filter(signal="post_save").count() == 2


@override_settings(TENANT_TYPES={"public": {"APPS": []}, "shop": {"APPS": ["project.playground"]}})
def test_tenants_may_be_of_several_types() -> None:
    use("one")
    with trace("unit") as unit:
        Author.objects.create(name="Ada")
    assert places(unit) == ["default/one"]


def test_a_rollback_is_one_of_the_tenants_as_well() -> None:
    use("one")
    with trace("unit") as unit:
        with rolled_back():
            Author.objects.create(name="Ada")
        with transaction.atomic():
            Author.objects.create(name="Grace")
            flush()
    rows = [event for event in stored(unit) if event.signal == "post_save"]
    assert [event.outcome for event in rows] == ["rolled_back", "committed"]


def test_inline_mode_stores_the_events_of_tenants_at_once() -> None:
    use("one")
    with recorded(MODE="inline"), trace("unit") as unit, transaction.atomic():
        Author.objects.create(name="Ada")
        found = SignalEvent.objects.in_trace(unit.trace_id).filter(signal="post_save")
        assert [event.database for event in found] == ["default/one"]


@pytest.mark.applies(IS_POSTGRESQL)
def test_a_search_path_that_sql_sets() -> None:
    def run(sql: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(sql)

    run("CREATE SCHEMA one")
    try:
        for model in (Author,):
            table = model._meta.db_table
            run(f"CREATE TABLE one.{table} (LIKE public.{table} INCLUDING ALL)")
        with trace("unit") as unit:
            run("SET search_path TO one, public")
            Author.objects.create(name="1")
            with rolled_back():
                run("SET search_path TO public")
                Author.objects.create(name="2")
            Author.objects.create(name="3")
            run("SET search_path TO DEFAULT")
            Author.objects.create(name="4")
            with transaction.atomic():
                run("SET LOCAL search_path TO one, public")
                Author.objects.create(name="5")
            Author.objects.create(name="6")
        found = places(unit)
    finally:
        run("RESET search_path")
        run("DROP SCHEMA one CASCADE")
    assert found == [
        "default/one", "default", "default/one", "default", "default/one", "default",
    ]  # fmt: skip
