"""What the tests of capturing share."""

from collections.abc import Iterator

import pytest

from tests.recording import MEMORY, recorded


@pytest.fixture
def memory(recording: None) -> Iterator[None]:
    """Record into memory."""
    with recorded(SINKS=MEMORY):
        yield
