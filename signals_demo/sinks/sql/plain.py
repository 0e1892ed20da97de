"""What is stored where the charset of the database lacks a character: the same in plain ASCII."""

from typing import Any, TypeVar

from signals_demo.events import Attribution, Resolution, Row
from signals_demo.rollups.tables import model
from signals_demo.serialize.text import ascii_json, ascii_text

Item = TypeVar("Item", Row, Attribution, Resolution)

_JSON = ("arguments", "changes")
_LIKE = {"impersonator_pk": "actor_pk", "impersonator": "actor"}
"""What is stored in no column of its own, and what is as long."""


def in_ascii(item: Item) -> Item:
    """Return an item with an escape for each character beyond ASCII; itself if it has none."""
    changed: dict[str, Any] = {
        name: _plain(name, value)
        for name, value in item._asdict().items()
        if isinstance(value, str) and not (value.isascii() and "\\u" not in value)
    }
    return item._replace(**changed) if changed else item


def _plain(name: str, value: str) -> str:
    if name in _JSON:
        try:
            return ascii_json(value)
        except ValueError:  # no JSON, which is why it is refused
            return value
    limit = model("signalevent")._meta.get_field(_LIKE.get(name, name)).max_length
    text = ascii_text(value)
    return text if limit is None or len(text) <= limit else text[: limit - 3] + "..."
