"""The documentation names what exists: its links, its imports, its files."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils.module_loading import import_string

import signals_demo

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path(signals_demo.__file__).parent
FOLDERS = (ROOT, ROOT / "tests", PACKAGE, PACKAGE.parent)
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(ROOT.glob("docs/*.md"))]

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def prose_of(page: Path) -> str:
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)


def anchors_of(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub names them."""
    headings = re.findall(r"^#+ (.*)$", prose_of(page), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(page: Path) -> Iterator[str]:
    for link in re.findall(r"\]\(([^)\s]+)\)", prose_of(page)):
        if link.startswith(("https://", "http://")):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors_of(target)):
            yield link


@each_page
def test_every_link_leads_somewhere(page: Path) -> None:
    assert list(broken_links(page)) == []


@each_page
def test_every_import_works(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    imports = re.findall(r"^from (signals_demo[\w.]*) import (.*)$", text, re.M)
    for module, names in imports:
        for name in names.split(", "):
            import_string(f"{module}.{name}")
    for path in re.findall(r"\bsignals_demo(?:\.\w+)*\.[A-Z]\w+", text):
        import_string(path)


@each_page
def test_every_file_exists(page: Path) -> None:
    paths = re.findall(r"`((?:\w+/)+\w+\.py)(?:::\w+)?`", prose_of(page))
    assert [path for path in paths if not any((at / path).is_file() for at in FOLDERS)] == []
