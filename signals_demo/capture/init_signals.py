"""What happens when an instance is constructed: `pre_init` and `post_init`.

They fire for every row that is read, so they do the least that they can. The rows of one loop
share their call site, and all but the first of them are only counted.
"""

import weakref
from collections.abc import Callable
from sys import _getframe
from types import FrameType
from typing import Any

from django.db.models import Model

from signals_demo.capture.call_sites import init_site, is_loaded, loading
from signals_demo.capture.folding import Fold, fold_of, is_folded, record_similar
from signals_demo.capture.pairs import close_pair, current_scope, open_call
from signals_demo.conf import Config
from signals_demo.serialize import loaded, model_arguments
from signals_demo.serialize.arguments import Named
from signals_demo.serialize.folded import MOST_KEYS
from signals_demo.serialize.model_info import ModelInfo
from signals_demo.serialize.names import key_of
from signals_demo.serialize.source import Site
from signals_demo.tracing.scope import IGNORED, Scope, current, opened, silent
from signals_demo.tracing.test_runs import observers

Receiver = Callable[..., None]

Refreshed = Callable[[], Any] | bool
"""Whether an instance is loaded, or a weak reference to the one that is refreshed with it."""

Construction = tuple[int, Scope | None, ModelInfo, Fold, Site | None, Refreshed]
"""An instance under construction: what its pre_init found, for its post_init.

The address of the constructor's frame; the scope around it, if that is known; its model; the fold
of its post_init; the call site; and whether the instance is loaded, and for which other one. It
keeps nothing of a constructor that fails alive. A named tuple takes far longer to make, and there
is one for every row that is read.
"""


class RowLoop:
    """The loop over rows that constructed the latest instance of a model.

    Rows of two models may take turns: `select_related()` makes one of each.
    """

    __slots__ = ("calls", "code", "info", "offset", "post", "pre", "scope", "site")

    def __init__(
        self, scope: Scope, info: ModelInfo, site: Site, calls: int, pre: Fold, post: Fold
    ) -> None:
        self.scope = scope
        self.info = info
        self.site = site
        self.code, self.offset = site
        self.pre = pre
        self.post = post
        self.calls = calls
        """How many calls up the stack from the constructor the site is."""

    def is_running(self, frame: FrameType | None) -> bool:
        """Return whether the same instruction constructs this instance, as many calls away."""
        for _ in range(self.calls):
            if frame is None:
                return False
            frame = frame.f_back
        return frame is not None and frame.f_code is self.code and frame.f_lasti == self.offset


def _calls_between(inner: FrameType | None, outer: FrameType) -> int:
    calls = 0
    while inner is not None and inner is not outer:
        inner = inner.f_back
        calls += 1
    return calls


def on_pre_init(info: ModelInfo, named: Named, frame: FrameType | None) -> None:
    scope = current_scope(frame, opens=True)
    trace = scope.trace
    site: Site | None
    refreshed: Refreshed = True  # a loop over rows loads
    loop: RowLoop | None = trace.loops.get(info)
    if loop is not None and loop.is_running(frame):
        pre, post, site = loop.pre, loop.post, loop.site
        loop.scope = scope
    else:
        site, outer, refresh = init_site(frame)
        refreshed = _loaded(frame, refresh)
        if not info.config.call_sites:
            site = None
        pre = fold_of(trace, "pre_init", info.label, site)
        post = fold_of(trace, "post_init", info.label, site)
        trace.loops.pop(info, None)
        if site and outer:
            calls = _calls_between(frame, outer)
            trace.loops[info] = RowLoop(scope, info, site, calls, pre, post)
    if frame is not None:
        trace.construction = id(frame), scope, info, post, site, refreshed
    if is_folded(pre, trace):
        return
    about, limit = model_arguments.pre_init(info, named), info.config.fold_after
    record_similar(pre, "pre_init", trace, about, scope.depth, site, limit)
    if frame is not None:
        open_call(scope, frame, site)


def on_post_init(info: ModelInfo, named: Named, frame: FrameType | None) -> None:
    instance = named["instance"]
    scope = current.get()
    begun: Construction | None = None if scope is None else scope.trace.construction
    if (
        scope is None
        or begun is None
        or begun[0] != id(frame)
        or not (scope is begun[1] or scope.key == begun[0])  # inside it, a save has failed
    ):
        scope = current_scope(frame)
        begun = _unseen(info, scope, frame)
    else:
        scope.trace.construction = None
    trace = scope.trace
    _frame, outer, _info, fold, site, refreshed = begun
    if refreshed and info.config.changes:
        loaded.remember(info, instance)
        if refreshed is not True:
            loaded.adopt(info, refreshed(), instance)
    depth, duration = scope.depth, None
    if scope is not outer and (pair := opened(scope, id(frame))) is not None:
        depth, duration = pair.depth - 1, close_pair(pair)
    if not is_folded(fold, trace, key_of(instance, info) if fold.wants_keys else None):
        about, key = model_arguments.post_init(info, instance), key_of(instance, info)
        record_similar(
            fold, "post_init", trace, about, depth, site, info.config.fold_after,
            key=key, duration=duration,
        )  # fmt: skip


def _unseen(info: ModelInfo, scope: Scope, frame: FrameType | None) -> Construction:
    """Find what a pre_init would have found: there was none, or another one came after it."""
    site, _outer, refresh = init_site(frame)
    pair = opened(scope, id(frame))
    site = pair.site if pair else site if info.config.call_sites else None
    fold = fold_of(scope.trace, "post_init", info.label, site)
    return id(frame), None, info, fold, site, _loaded(frame, refresh)


def _loaded(frame: FrameType | None, refresh: FrameType | None) -> Refreshed:
    if refresh is None:
        return is_loaded(frame)
    refreshed: Callable[[], Any] = weakref.ref(refresh.f_locals["self"])
    return refreshed


def track_init(info: ModelInfo, named: Named, frame: FrameType | None) -> None:
    """Keep the values that an instance was loaded with, where no event is wanted."""
    refresh = loading(frame)
    if refresh:
        instance = named["instance"]
        loaded.remember(info, instance)
        if refresh is not True:
            loaded.adopt(info, refresh.f_locals["self"], instance)


# The short cut for the rows of a loop after the first: they are only counted, and what they are
# loaded with is kept. Each receiver is one function, for a call costs as much as the count.

_INIT = Model.__init__.__code__


def counting_pre_init(receive_others: Receiver, config: Config) -> Receiver:
    """Return `receive_others` with a short cut for the rows of a loop."""

    def receive(owner: object, sender: Any, **named: Any) -> None:
        if silent.get():
            return
        scope = current.get()
        if (
            scope is not None
            and (loops := scope.trace.loops)
            and (frame := _getframe(2)).f_code is _INIT
            and (loop := loops.get(sender._meta.__dict__.get("_signals_demo_info"))) is not None
        ):
            try:
                outer = _getframe(loop.calls + 2)
            except ValueError:  # the stack is not that high
                outer = frame
            trace, who, folded = scope.trace, scope.trace.who, loop.pre.event
            if (
                outer.f_code is loop.code
                and outer.f_lasti == loop.offset
                and folded is not None
                and loop.info.config is config
                and loop.scope is scope
                and not observers
                and not (who.is_followed and who.has_other_user())
                and folded.add()
            ):
                trace.construction = id(frame), scope, loop.info, loop.post, loop.site, True
                return
        receive_others(owner, sender, **named)

    return receive


def counting_post_init(receive_others: Receiver, config: Config) -> Receiver:
    """Return `receive_others` with a short cut for the rows of a loop."""
    keeps_values = config.changes

    def receive(owner: object, sender: Any, **named: Any) -> None:
        if (quiet := silent.get()) >= IGNORED:
            return
        scope = current.get()
        if scope is not None and (begun := scope.trace.construction) is not None:
            address, outer, info, fold, _site, refreshed = begun
            folded = fold.event
            if (
                refreshed is True
                and address == id(_getframe(2))
                and outer is scope
                and folded is not None
                and not (observers or quiet)
            ):
                try:
                    instance = named["instance"]
                    if keeps_values:
                        loaded.remember(info, instance)
                    wants_key = len(folded.keys) < MOST_KEYS
                    if folded.add(key_of(instance, info) if wants_key else None):
                        scope.trace.construction = None
                        return
                except Exception:  # noqa: BLE001 - it is reported there
                    pass
        receive_others(owner, sender, **named)

    return receive


SHORT_CUTS: dict[str, Callable[[Receiver, Config], Receiver]] = {
    "pre_init": counting_pre_init,
    "post_init": counting_post_init,
}
