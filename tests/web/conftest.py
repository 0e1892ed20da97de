"""What the tests of the pages share."""

from collections.abc import Iterator

import pytest

from tests.template_variables import no_unresolved_variables


@pytest.fixture(autouse=True)
def _variables_resolve() -> Iterator[None]:
    with no_unresolved_variables():
        yield
