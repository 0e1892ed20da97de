"""JSON as text, and text that every database takes."""

import json

import pytest

from signals_demo.serialize.text import clean, encode, render, storable

NUL, SURROGATE = "\0", "\ud800"


@pytest.mark.parametrize("text", ["", "plain", "Zoë \N{SNOWMAN} 𝄞", "a\tb\nc", "\u202e"])
def test_text_that_databases_take_stays_as_it_is(text: str) -> None:
    assert clean(text) == text


def test_what_they_refuse_is_made_visible() -> None:
    assert clean(f"a{NUL}b{SURROGATE}c") == "a\\x00b\\ud800c"


@pytest.mark.parametrize(
    "value", ["Zoë", {"a": [1, None, True]}, {f"k{NUL}": f"v{SURROGATE}"}, [{"a": [NUL]}]]
)
def test_json_is_made_storable_down_to_the_last_key(value: object) -> None:
    text = storable(encode(value))
    text.encode("utf-8")
    assert "\\u0000" not in text
    shown = repr(value).replace("\\x00", "\\\\x00").replace("\\ud800", "\\\\ud800")
    assert repr(json.loads(text)) == shown


def test_text_may_be_made_later() -> None:
    assert render("[1]") == "[1]"
    assert render((lambda *parts: "+".join(parts), "a", "b")) == "a+b"
