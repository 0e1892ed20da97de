"""Which closing event belongs to which opening one."""

from datetime import timedelta
from typing import Any

import pytest

from signals_demo.factories import SignalEventFactory, checkout_trace, migrate_trace, trace_of
from signals_demo.models import SignalEvent
from signals_demo.query.pairs import OpenPairs, half
from signals_demo.web.tree import EventNode
from signals_demo.web.tree import tree_of_pairs as paired

pytestmark = pytest.mark.django_db

MS = timedelta(milliseconds=1)


def outline(nodes: list[EventNode]) -> list[Any]:
    found = []
    for node in nodes:
        halves = [node, node.closing] if node.closing else [node]
        label = " ".join(f"{each.name} {each.event.object_pk}".strip() for each in halves)
        found.append([label, outline(node.children)] if node.children else label)
    return found


def saves(*steps: tuple[int, str, dict[str, Any]]) -> list[SignalEvent]:
    return trace_of(*steps, sender="shop.Order", object_pk="3")


def test_a_trace_becomes_a_tree_of_pairs() -> None:
    [tree] = outline(paired(checkout_trace()))
    assert tree == [
        "request_started request_finished",
        [
            "pre_init post_init",
            ["pre_save post_save 3", ["pre_save 8 post_save 8"]],
            "m2m_changed 3",
            "pre_delete 12 post_delete 12",
        ],
    ]


def test_deletes_close_in_any_order() -> None:
    keys = ["1", "2", "3"]
    steps = [(0, "pre_delete", {"object_pk": key}) for key in keys]
    steps += [(0, "post_delete", {"object_pk": key}) for key in ("2", "3", "1")]
    assert outline(paired(trace_of(*steps))) == [
        f"pre_delete {key} post_delete {key}" for key in keys
    ]


def test_migrations_are_paired_by_app() -> None:
    roots = paired(migrate_trace())
    assert outline(roots) == ["connection_created", "pre_migrate post_migrate"]


def test_a_save_that_failed_stays_open_beside_its_repetition() -> None:
    events = saves(
        (0, "pre_save", {"outcome": "rolled_back"}),
        (0, "pre_save", {}),
        (0, "post_save", {"duration": MS}),
    )
    [failed, done] = paired(events)
    assert failed.event == events[0]
    assert failed.closing is None
    assert done.closing is not None
    assert (done.event, done.closing.event) == (events[1], events[2])


def test_the_time_that_it_took_tells_crossing_pairs_apart() -> None:
    # Two tasks save at once; that which began first ends first.
    events = saves(
        (0, "pre_save", {"object_pk": ""}),
        (0, "pre_save", {"object_pk": ""}),
        (0, "post_save", {"object_pk": "7", "duration": 2 * MS}),
        (0, "post_save", {"object_pk": "8", "duration": 2 * MS}),
    )
    assert outline(paired(events)) == ["pre_save post_save 7", "pre_save post_save 8"]


def test_a_request_is_one_whoever_says_that_it_is_over() -> None:
    events = trace_of(
        (0, "request_started", {"sender": "django.test.client.ClientHandler"}),
        (0, "request_finished", {"sender": ""}),
    )
    [node] = paired(events)
    assert node.closing is not None


def test_halves_of_different_things_are_not_paired() -> None:
    for other in ({"sender": "shop.Basket"}, {"object_pk": "4"}, {"depth": 1}):
        events = saves((0, "pre_save", {}), (0, "post_save", other))
        assert all(node.closing is None for node in paired(events))


def test_links_are_pairs_by_their_action() -> None:
    def link(action: object) -> SignalEvent:
        return SignalEventFactory.create(
            signal="m2m_changed", object_pk="3", arguments={"action": action}
        )

    before, other, after = link("pre_add"), link("pre_remove"), link("post_add")
    roots = paired([before, other, after])
    assert [(node.event, node.closing and node.closing.event) for node in roots] == [
        (before, after),
        (other, None),
    ]
    assert half(link("clear")) is None
    assert half(link(None)) is None


@pytest.mark.parametrize("signal", ["user_logged_in", "shop.signals.paid"])
def test_other_signals_stand_alone(signal: str) -> None:
    assert half(SignalEventFactory.build(signal=signal)) is None


def test_the_oldest_are_forgotten_first() -> None:
    events = trace_of(*((depth, "pre_save", {}) for depth in range(5)))
    waiting = OpenPairs(limit=3)
    forgotten = []
    for event in events:
        assert waiting.opened(event)
        forgotten += waiting.forgotten()
    assert forgotten == events[:2]
    assert list(waiting) == events[2:]
