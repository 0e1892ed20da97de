"""The names of signals and senders, and the colours of their families."""

import re

import pytest
from django.contrib.staticfiles import finders

from signals_demo.catalog.types import Family


def _luminance(colour: str) -> float:
    channels = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (
        channel / 12.92 if channel <= 0.03928 else ((channel + 0.055) / 1.055) ** 2.4
        for channel in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("name", [*Family, "other"])
@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_the_colours_of_the_families_can_be_read(name: str, theme: int) -> None:
    with open(finders.find("signals_demo/events.css"), encoding="utf-8") as file:
        block = re.search(rf"\.signals-{name} {{(.+?)}}", file.read(), re.DOTALL)
    assert block
    pairs = re.findall(r"light-dark\((#\w{6}), (#\w{6})\)", block[1])
    lighter, darker = sorted((_luminance(pair[theme]) for pair in pairs), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= 4.5
