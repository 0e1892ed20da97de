"""What commands write: closed, full and narrow outputs."""

import io
import os
from typing import Any

import pytest
from django.core.management import CommandError

from signals_demo.management import output
from signals_demo.management.output import DATA, TEXT, written

TEXT_ITSELF = "Zoë \N{SNOWMAN}"


def narrow() -> tuple[io.BytesIO, io.TextIOWrapper]:
    raw = io.BytesIO()
    return raw, io.TextIOWrapper(raw, encoding="cp1252", errors="strict")


def test_text_escapes_what_an_encoding_lacks() -> None:
    raw, out = narrow()
    with written(out, TEXT):
        out.write(TEXT_ITSELF)
    assert raw.getvalue().decode("cp1252") == "Zoë \\u2603"
    assert (out.encoding, out.errors) == ("cp1252", "strict")


def test_data_is_in_utf8_everywhere() -> None:
    raw, out = narrow()
    with written(out, DATA):
        out.write(TEXT_ITSELF)
    assert raw.getvalue().decode("utf-8") == TEXT_ITSELF


def test_a_string_takes_everything() -> None:
    out = io.StringIO()
    with written(out, TEXT):
        out.write(TEXT_ITSELF)
    assert out.getvalue() == TEXT_ITSELF


class Broken(io.StringIO):
    """An output that fails when it is flushed."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.error = error

    def flush(self) -> None:
        raise self.error


@pytest.fixture
def discarded(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    calls: list[Any] = []
    monkeypatch.setattr(output, "_write_no_more", lambda: calls.append(None))
    return calls


def test_a_reader_that_has_gone_ends_it_quietly(discarded: list[Any]) -> None:
    out = Broken(BrokenPipeError())
    with written(out, TEXT):
        out.write("x")
    assert discarded


def test_a_full_disk_ends_it_with_a_message(discarded: list[Any]) -> None:
    out = Broken(OSError(28, os.strerror(28)))
    with pytest.raises(CommandError, match="cannot be written: No space left on device"):  # noqa: SIM117
        with written(out, TEXT):
            out.write("x")
    assert discarded
