"""How large a description may become, and text that is cut to fit."""

MAX_TEXT = 1000
MAX_NAME = 100
MAX_ITEMS = 50
MAX_DEPTH = 6
MAX_VALUES = 400


def cut(text: str, limit: int = MAX_TEXT) -> str:
    """Return `text`, or its beginning and a remark on how long it was."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]}... ({len(text):,} characters)"
