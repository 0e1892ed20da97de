"""Write docs/signals.md from the catalog: `python docs/make_signals.py`."""

import re
import sys
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from django.conf import settings

DOCS = Path(__file__).resolve().parent
if __name__ == "__main__":
    sys.path.insert(0, str(DOCS.parent))

from signals_demo.catalog import BUILT_IN, CONNECT_OPTIONS, Argument, BuiltIn, Family  # noqa: E402
from signals_demo.catalog.types import CODE, release_name  # noqa: E402

HEAD = """\
# Django's built-in signals

<!-- Written by `python docs/make_signals.py` from signals_demo/catalog/: change it there. -->

These are all signals that Django 5.2, 6.0 and 6.1 send. Every receiver gets `sender` and `signal`,
and the arguments listed here. The page *Guide* in the admin shows the same, and when each signal
last fired on your site.
"""


def page() -> str:
    """Return the page's text, in the active language."""
    families = [(family, list(signals)) for family, signals in groupby(BUILT_IN, _family)]
    parts = [HEAD, "| family | signals |", "| --- | --- |"]
    for family, signals in families:
        parts.append(f"| {family.label} | {', '.join(_link(s.name) for s in signals)} |")
    parts += ["", *_how_to_connect()]
    for family, signals in families:
        parts += [f"## {family.label}", "", _code(family.description), ""]
        for signal in signals:
            parts += [*_section(signal), ""]
    return "\n".join(parts)


def _how_to_connect() -> list[str]:
    example = next(signal for signal in BUILT_IN if signal.name == "post_save")
    return [
        "## How to connect a receiver",
        "",
        "Call `connect()`, for example in `ready()` of your `AppConfig`:",
        "",
        f"```python\n{example.connect_example}```",
        "",
        "Or use the decorator, in a module that `ready()` imports:",
        "",
        f"```python\n{example.receiver_example}```",
        "",
        *_table(CONNECT_OPTIONS),
        "",
    ]


def _section(signal: BuiltIn) -> list[str]:
    opening = f" Closes {_link(signal.closes)}." if signal.closes else ""
    source = "Documentation" if signal.documented else "Undocumented (closest page)"
    lines = [
        f"### {signal.name}",
        "",
        f"`{signal.path}`, since Django {release_name(signal.since)}.{opening}",
        f"[{source}]({signal.url}).",
        "",
        f"- **Fires:** {_code(signal.fires)}",
        f"- **Does not fire for:** {_code(signal.silent)}",
        f"- **Sender:** {_code(signal.sender)}",
        f"- **Connect with:** `sender={signal.example_sender[1]}`, for example.",
    ]
    if signal.arguments:
        return [*lines, "", *_table(signal.arguments)]
    return [*lines, "- **Arguments:** none."]


def _table(arguments: Iterable[Argument]) -> list[str]:
    rows = [f"| `{a.name}` | {_code(a.meaning)} {a.when}".rstrip() + " |" for a in arguments]
    return ["| argument | meaning |", "| --- | --- |", *rows]


def _family(signal: BuiltIn) -> Family:
    return signal.family


def _link(name: str) -> str:
    return f"[`{name}`](#{name})"


def _code(text: object) -> str:
    return re.sub(CODE, lambda match: f"`{match[0]}`", str(text))


if __name__ == "__main__":
    settings.configure(USE_I18N=False)
    (DOCS / "signals.md").write_text(page(), encoding="utf-8")
