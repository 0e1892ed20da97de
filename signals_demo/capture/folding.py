"""Folding: one event for many init firings of one model from one line.

Every row that is read fires `pre_init` and `post_init`. The first `FOLD_AFTER` of each are events
of their own; a `FoldedEvent` counts the rest.
"""

from signals_demo.capture.recorder import event_of
from signals_demo.delivery.writer import writer
from signals_demo.events import FoldedEvent
from signals_demo.serialize.arguments import Description
from signals_demo.serialize.model_info import ModelInfo
from signals_demo.serialize.source import Site
from signals_demo.tracing.test_runs import observers
from signals_demo.tracing.trace import Trace

PRE_INIT, POST_INIT = 0, 1
_NAMES = ("pre_init", "post_init")

Fold = list[int | FoldedEvent]
"""Of each side, `PRE_INIT` and `POST_INIT`: how many have fired, or the run that counts on."""


def fold_of(trace: Trace, label: str, site: Site | None) -> Fold:
    """Return the fold of a model's init signals from this line; another signal ends it."""
    # By identity: a code object hashes all that it holds.
    key = (label, id(site[0]), site[1]) if site else label
    fold = trace.folds.get(key)
    if fold is None:
        fold = trace.folds[key] = [0, 0]
    return fold


def folded(fold: Fold, side: int) -> bool:
    """Count an init firing; return whether a run took it in, so that it needs no event."""
    if observers:  # each firing has to be an event
        return False
    state = fold[side]
    if type(state) is FoldedEvent:
        return state.add()
    fold[side] = state + 1  # type: ignore[operator]
    return False


def record_init(
    fold: Fold,
    side: int,
    trace: Trace,
    info: ModelInfo,
    about: Description,
    depth: int,
    site: Site | None,
    duration: int | None = None,
) -> None:
    """Hand over the event of an init firing that was not folded."""
    if trace.is_ignored:  # as in `record()`
        return
    event = event_of(_NAMES[side], trace, about, depth, site, duration, None, "{}")
    state = fold[side]
    limit = info.config.fold_after
    if observers or limit is None or (type(state) is int and state <= limit):
        writer.put(event)
        return
    folded = FoldedEvent(event)
    writer.put_folded(folded)
    fold[side] = folded  # only now: the journal counts from its first line on
