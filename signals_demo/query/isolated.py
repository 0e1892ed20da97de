"""Reads whose failure must not become the host's."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from django.db import connections, transaction


@contextmanager
def apart(using: str) -> Iterator[None]:
    """Run queries so that a failing one leaves a transaction of the host's usable."""
    block: AbstractContextManager[Any] = nullcontext()
    if connections[using].in_atomic_block:
        block = transaction.atomic(using=using)
    with block:
        yield
