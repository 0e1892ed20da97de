"""The trace id of a request is that of its `traceparent` header, if this is valid."""

import pytest

from signals_demo.tracing.traceparent import trace_id_of

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"


@pytest.mark.parametrize(
    "header",
    [
        f"00-{TRACE_ID}-b7ad6b7169203331-01",
        f"00-{TRACE_ID}-b7ad6b7169203331-00",
        f"  00-{TRACE_ID}-b7ad6b7169203331-01\t",
        f"01-{TRACE_ID}-b7ad6b7169203331-01",
        f"cc-{TRACE_ID}-b7ad6b7169203331-01-what-the-future-brings",
    ],
)
def test_a_valid_traceparent_is_adopted(header: str) -> None:
    assert trace_id_of(header) == TRACE_ID


@pytest.mark.parametrize(
    "header",
    [
        "",
        "00",
        "garbage",
        TRACE_ID,
        f"00-{TRACE_ID}",
        f"00-{TRACE_ID}-b7ad6b7169203331",
        f"00-{TRACE_ID}-b7ad6b7169203331-",
        f"00-{TRACE_ID}-b7ad6b7169203331-1",
        f"00-{TRACE_ID}-b7ad6b7169203331-01-",
        f"00-{TRACE_ID}-b7ad6b7169203331-01-more",
        f"00-{TRACE_ID}-b7ad6b7169203331-01.",
        f"ff-{TRACE_ID}-b7ad6b7169203331-01",
        f"0-{TRACE_ID}-b7ad6b7169203331-01",
        f"00-{TRACE_ID.upper()}-b7ad6b7169203331-01",
        f"00-{TRACE_ID}-B7AD6B7169203331-01",
        f"00-{TRACE_ID[:-1]}-b7ad6b7169203331-01",
        f"00-{TRACE_ID}0-b7ad6b7169203331-01",
        f"00-{TRACE_ID[:-1]}g-b7ad6b7169203331-01",
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-{TRACE_ID}-{'0' * 16}-01",
        f"00_{TRACE_ID}_b7ad6b7169203331_01",
        f"00-{TRACE_ID}-b7ad6b7169203331-01,00-{TRACE_ID}-b7ad6b7169203331-01",
        f"00-{TRACE_ID}-b7ad6b7169203331-01\n00-{TRACE_ID}-b7ad6b7169203331-01",
        "00-\N{ARABIC-INDIC DIGIT ZERO}af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-" + "a" * 100_000,
        "'; DROP TABLE signals_demo_signalevent; --",
    ],
)
def test_a_malformed_traceparent_is_refused(header: str) -> None:
    assert trace_id_of(header) == ""
