"""What happens when an instance is constructed: `pre_init` and `post_init`.

They fire for every row that is read, so they do the least that they can. The rows of one loop
share their call site, and after `FOLD_AFTER` of them nothing is described any more.
"""

import sys
from types import FrameType
from typing import NamedTuple

from django.contrib.auth import get_user

from signals_demo.capture.call_sites import find_frame, init_site, refreshing
from signals_demo.capture.folding import (
    POST_INIT,
    PRE_INIT,
    Fold,
    fold_of,
    folded,
    record_init,
)
from signals_demo.capture.recorder import close_pair, current_scope, open_pair
from signals_demo.serialize import diff, model_arguments
from signals_demo.serialize.arguments import Named
from signals_demo.serialize.model_info import ModelInfo
from signals_demo.serialize.source import Site
from signals_demo.tracing.scope import Scope, current, opened
from signals_demo.tracing.trace import Trace

_GET_USER = get_user.__code__


Construction = tuple[FrameType | None, Scope | None, Fold, Site | None, FrameType | None]
"""An instance under construction: what its pre_init found, for its post_init.

The frame of the constructor; the scope around it, if that is known; the fold; the call site; and
the `refresh_from_db()` of another instance that loads this one. A named tuple takes far longer
to make, and there is one for every row that is read.
"""


class RowLoop(NamedTuple):
    """The loop over rows that constructed the latest instance."""

    info: ModelInfo
    site: Site
    calls: int
    """How many calls up the stack the site is, as `_calls_up_to` counts them."""
    fold: Fold

    def is_running(self) -> bool:
        """Return whether the same instruction constructs this instance, as many calls away."""
        try:
            frame = sys._getframe(self.calls)
        except ValueError:  # the stack is not that high
            return False
        code, offset = self.site
        return frame.f_code is code and frame.f_lasti == offset


def _calls_up_to(frame: FrameType) -> int:
    """Count the calls from this function up the stack to `frame`.

    `RowLoop.is_running` is called from where this is, so the count holds for it as well. To go
    there by number costs a fraction of going from frame to frame.
    """
    calls = 0
    inner: FrameType | None = sys._getframe()
    while inner is not None and inner is not frame:
        inner = inner.f_back
        calls += 1
    return calls


def on_pre_init(info: ModelInfo, named: Named, frame: FrameType | None) -> None:
    scope = current_scope(frame)
    trace = scope.trace
    site: Site | None
    refresh = None
    loop: RowLoop | None = trace.loop
    if loop is not None and loop.info is info and loop.is_running():
        fold, site = loop.fold, loop.site
    else:
        site, outer, refresh = init_site(frame)
        if not info.config.call_sites:
            site = None
        fold = fold_of(trace, info.label, site)
        trace.loop = RowLoop(info, site, _calls_up_to(outer), fold) if site and outer else None
    if frame is not None:
        trace.construction = frame, scope, fold, site, refresh
    if folded(fold, PRE_INIT):
        return
    about = model_arguments.pre_init(info, named)
    record_init(fold, PRE_INIT, trace, info, about, scope.depth, site)
    if frame is not None:
        open_pair(scope, frame, site)


def on_post_init(info: ModelInfo, named: Named, frame: FrameType | None) -> None:
    instance = named["instance"]
    scope = current.get()
    begun: Construction | None = None if scope is None else scope.trace.construction
    if scope is None or begun is None or begun[0] is not frame:
        scope = current_scope(frame)
        begun = _unseen(info, scope, frame)
    else:
        scope.trace.construction = None  # a frame that is kept keeps its local variables
    trace = scope.trace
    _frame, outer, fold, site, refresh = begun
    if info.config.changes:
        diff.remember(info, instance)
        if refresh is not None:
            diff.adopt(info, refresh.f_locals["self"], instance)
    if info.is_user and trace.origin == "request" and trace.request is None:
        _find_request(trace, frame)
    depth, duration = scope.depth, None
    if scope is not outer and (pair := opened(scope, frame)) is not None:
        depth, duration = pair.depth - 1, close_pair(pair)
    if not folded(fold, POST_INIT):
        about = model_arguments.post_init(info, instance)
        record_init(fold, POST_INIT, trace, info, about, depth, site, duration)


def _unseen(info: ModelInfo, scope: Scope, frame: FrameType | None) -> Construction:
    """Find what a pre_init would have found: there was none, or other signals came after it."""
    site, _outer, refresh = init_site(frame)
    pair = opened(scope, frame)
    site = pair.site if pair else site if info.config.call_sites else None
    return frame, None, fold_of(scope.trace, info.label, site), site, refresh


def _find_request(trace: Trace, frame: FrameType | None) -> None:
    """Take note of the request from Django, which is loading its user at this moment."""
    caller = find_frame(frame, _GET_USER)
    if caller is not None:
        trace.learn_of(caller.f_locals.get("request"))


def remember_init(info: ModelInfo, named: Named, frame: FrameType | None) -> None:
    """Keep the values that an instance was loaded with, where no event is wanted."""
    instance = named["instance"]
    diff.remember(info, instance)
    refresh = refreshing(frame)
    if refresh is not None:
        diff.adopt(info, refresh.f_locals["self"], instance)
