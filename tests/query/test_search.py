"""How a text in the search box is understood."""

from typing import Any

import pytest

from signals_demo.fields import of_key
from signals_demo.query.parsing import NotUnderstood
from signals_demo.query.predicates import EVERYTHING
from signals_demo.query.search import FORMS, understand
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize(
    ("text", "predicate"),
    [
        (TRACE, [{"trace_id": TRACE}]),
        (f"00-{TRACE.upper()}-00f067aa0ba902b7-01", [{"trace_id": TRACE}]),
        ("auth.user", [{"sender": "auth.User"}]),
        (" auth.User  5 ", [{"sender": "auth.User", **of_key("object_pk", "5")}]),
        ("5", [of_key("object_pk", "5"), {"sender": "5"}]),
        ("post_save", [{"signal": "post_save"}]),
        ("django.db.models.signals.post_save", [{"signal": "post_save"}]),
        ("shop.Till", [of_key("object_pk", "shop.Till"), {"sender": "shop.Till"}]),
    ],
)
def test_a_text_is_understood(text: str, predicate: list[dict[str, Any]]) -> None:
    assert understand(text).predicate == predicate
    assert understand(text).meaning


def test_a_user_is_found_by_name() -> None:
    user = UserFactory.create(username="ada")
    assert understand("ada").predicate == [of_key("actor_pk", str(user.pk))]


def test_a_blank_text_is_everything() -> None:
    assert understand("  ").predicate == EVERYTHING
    assert not understand("  ").meaning


@pytest.mark.parametrize("text", ["what is this?", "5 auth.User", "x" * 300])
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(NotUnderstood, match="is not a valid search"):
        understand(text)


def test_each_form_that_is_offered_is_understood() -> None:
    for example, _meaning in FORMS:
        assert understand(example).predicate
