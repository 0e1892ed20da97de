"""Queries whose failure leaves the project's transaction usable."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from django.db import connections, transaction


@contextmanager
def isolated(using: str) -> Iterator[None]:
    """Run the block in a savepoint if the project has a transaction open."""
    block: AbstractContextManager[Any] = nullcontext()
    if connections[using].in_atomic_block:
        block = transaction.atomic(using=using)
    with block:
        yield
