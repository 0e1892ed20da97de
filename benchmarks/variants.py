"""What is compared: each other app, installed as its documentation says, and this app."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Variant:
    title: str
    app: str = ""
    middleware: tuple[str, ...] = ()
    recorder: Mapping[str, Any] = field(default_factory=dict)
    """The setting SIGNALS_DEMO."""

    @property
    def is_ours(self) -> bool:
        return self.app == "signals_demo"


OURS = "signals_demo"
FOLDER = "<a folder made for the run>"
NOWHERE = {"default": {"BACKEND": "benchmarks.nowhere.Nowhere"}}

COMPARED = {
    "bare": Variant("bare Django"),
    "no-op": Variant("a receiver that does nothing"),
    "auditlog": Variant(
        "django-auditlog", "auditlog", ("auditlog.middleware.AuditlogMiddleware",)
    ),
    "easy-audit": Variant(
        "django-easy-audit", "easyaudit", ("easyaudit.middleware.easyaudit.EasyAuditMiddleware",)
    ),
    "simple-history": Variant(
        "django-simple-history",
        "simple_history",
        ("simple_history.middleware.HistoryRequestMiddleware",),
    ),
    "orbit": Variant("django-orbit", "orbit", ("orbit.middleware.OrbitMiddleware",)),
    "background": Variant("signals_demo, background", OURS),
    "journal": Variant("signals_demo, with journal", OURS, (), {"JOURNAL_DIR": FOLDER}),
    "inline": Variant("signals_demo, inline", OURS, (), {"MODE": "inline"}),
}
# For the sustained load only.
CAPTURING = Variant("signals_demo, storing nothing", OURS, (), {"SINKS": NOWHERE})
UNFOLDED = Variant("signals_demo, nothing folded", OURS, (), {"FOLD_AFTER": None})
# The size of what is stored: the same as "background", in a database of its own.
BYTES = COMPARED["background"]
VARIANTS = COMPARED | {"capturing": CAPTURING, "unfolded": UNFOLDED, "bytes": BYTES}
BARE = "bare"
