"""The groups of signals that several parts ask for."""

from datetime import timedelta

import pytest

from signals_demo import catalog
from signals_demo.catalog import CHANGES, INIT, PAIRS, PASSIVE, is_change


def test_all_of_them_are_in_the_catalog() -> None:
    names = {signal.name for signal in catalog.BUILT_IN}
    assert {*INIT, *PASSIVE, *CHANGES, *PAIRS, *PAIRS.values()} <= names


def test_pairs_lead_from_the_opening_to_the_closing_signal() -> None:
    assert PAIRS["pre_save"] == "post_save"
    assert PAIRS["request_started"] == "request_finished"
    assert "m2m_changed" not in PAIRS


@pytest.mark.parametrize(
    ("signal", "duration", "expected"),
    [
        ("post_save", None, True),
        ("post_delete", timedelta(), True),
        ("pre_save", None, False),
        ("m2m_changed", timedelta(), True),
        ("m2m_changed", None, False),  # the first of two
        ("post_init", timedelta(), False),
    ],
)
def test_what_counts_as_a_change(signal: str, duration: object, expected: bool) -> None:
    assert is_change(signal, duration) is expected
