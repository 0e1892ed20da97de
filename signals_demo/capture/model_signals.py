"""What happens when instances are saved, deleted or linked.

Each pair of signals is sent by one function of the ORM, whose frame is the key of the pair.
"""

from collections.abc import Callable
from types import FrameType

from signals_demo.capture.call_sites import call_site
from signals_demo.capture.init_signals import on_post_init, on_pre_init, remember_init
from signals_demo.capture.recorder import (
    close_pair,
    current_scope,
    end_member,
    open_pair,
    record,
    start_member,
)
from signals_demo.catalog.outcomes import COMMITTED, OPEN
from signals_demo.serialize import diff, model_arguments
from signals_demo.serialize.arguments import Description, Named
from signals_demo.serialize.model_info import ModelInfo
from signals_demo.serialize.source import Site
from signals_demo.serialize.text import Text
from signals_demo.tracing.outcomes import SaveOutcome, TransactionOutcome
from signals_demo.tracing.scope import Scope, opened
from signals_demo.tracing.transactions import connection_to, outcome_on

_DONE = TransactionOutcome()
_DONE.set(COMMITTED)
_UNKNOWN = TransactionOutcome()
_UNKNOWN.set(OPEN)


def _site(info: ModelInfo, frame: FrameType | None) -> Site | None:
    return call_site(frame) if info.config.call_sites else None


def _end(
    info: ModelInfo, pair: Scope | None, scope: Scope, frame: FrameType | None
) -> tuple[int, Site | None, int | None]:
    """Close a pair, if there is one. Return depth, call site and duration of its last event."""
    if pair is None:
        return scope.depth, _site(info, frame), None
    return pair.depth - 1, pair.site, close_pair(pair)


def _done(about: Description) -> TransactionOutcome | None:
    """Return the outcome of a change made in autocommit mode; None without a database."""
    return _DONE if about.database else None


def on_pre_save(info: ModelInfo, named: Named, frame: FrameType | None) -> None:
    scope = current_scope(frame)
    about = model_arguments.save(info, named)
    connection = connection_to(about.database)
    outcome = outcome_on(connection)
    site = _site(info, frame)
    if frame is None:  # sent by hand: no save begins
        record("pre_save", scope.trace, about, scope.depth, site=site, outcome=outcome)
        return
    pair = open_pair(scope, frame, site)
    pair.connection = connection
    # Only made, not loaded: if it overwrites a row, what that held is unknown.
    pair.knows_row = not named["instance"]._state.adding
    if info.config.wants("post_save"):
        # Not the transaction's outcome: a save may fail while its transaction goes on.
        outcome = pair.outcome = SaveOutcome(outcome, pair)
    record("pre_save", scope.trace, about, scope.depth, site=site, outcome=outcome or _UNKNOWN)


def on_post_save(info: ModelInfo, named: Named, frame: FrameType | None) -> None:
    scope = current_scope(frame)
    pair = opened(scope, frame)
    about = model_arguments.save(info, named)
    outcome = outcome_on(connection_to(about.database) if pair is None else pair.connection)
    if pair is not None and pair.outcome is not None:
        pair.outcome.release() if outcome else pair.outcome.set(COMMITTED)
    changed: Text = "{}"
    if info.config.changes:
        instance = named["instance"]
        changed = diff.of_save(
            info,
            instance,
            diff.loaded(instance) if pair is None or pair.knows_row else None,
            created=bool(named.get("created")),
            update_fields=named.get("update_fields"),
        )
    depth, site, duration = _end(info, pair, scope, frame)
    record(
        "post_save", scope.trace, about, depth,
        site=site, duration=duration, outcome=outcome or _done(about), changes=changed,
    )  # fmt: skip


def remember_save(info: ModelInfo, named: Named, frame: FrameType | None) -> None:
    """Keep the values that an instance was saved with, where no event is wanted."""
    diff.remember_save(info, named["instance"], named.get("update_fields"))


def on_pre_delete(info: ModelInfo, named: Named, frame: FrameType | None) -> None:
    scope = current_scope(frame)
    about = model_arguments.delete(info, named)
    # One delete() sends all its pre_delete before its first post_delete: they are siblings.
    group = scope if frame and scope.key is frame else _open_group(info, scope, frame, about)
    outcome = outcome_on(group.connection) or _done(about)
    record("pre_delete", scope.trace, about, group.depth - 1, site=group.site, outcome=outcome)
    start_member(group, id(named["instance"]))


def _open_group(
    info: ModelInfo, scope: Scope, frame: FrameType | None, about: Description
) -> Scope:
    group = open_pair(scope, frame, _site(info, frame))
    group.connection = connection_to(about.database)
    return group


def on_post_delete(info: ModelInfo, named: Named, frame: FrameType | None) -> None:
    scope = current_scope(frame)
    about = model_arguments.delete(info, named)
    changed = diff.of_delete(info, named["instance"]) if info.config.changes else "{}"
    group = opened(scope, frame)
    depth, site, duration = scope.depth, None, None
    if group is None:
        site = _site(info, frame)
        outcome = outcome_on(connection_to(about.database))
    else:
        depth, site = group.depth - 1, group.site
        outcome = outcome_on(group.connection)
        duration = end_member(group, id(named["instance"]))
    record(
        "post_delete", scope.trace, about, depth,
        site=site, duration=duration, outcome=outcome or _done(about), changes=changed,
    )  # fmt: skip


def on_m2m_changed(info: ModelInfo, named: Named, frame: FrameType | None) -> None:
    scope = current_scope(frame)
    about = model_arguments.m2m_changed(info, named)
    outcome = outcome_on(connection_to(about.database)) or _done(about)
    if str(named.get("action")).startswith("pre_"):
        site = _site(info, frame)
        record("m2m_changed", scope.trace, about, scope.depth, site=site, outcome=outcome)
        if frame is not None:
            open_pair(scope, frame, site)
        return
    depth, site, duration = _end(info, opened(scope, frame), scope, frame)
    record(
        "m2m_changed", scope.trace, about, depth, site=site, duration=duration, outcome=outcome
    )  # fmt: skip


ModelHandler = Callable[[ModelInfo, Named, FrameType | None], None]
"""Handles a firing; the frame is the ORM function that sent it, None if it was sent by hand."""

MODEL_SIGNALS: dict[str, ModelHandler] = {
    "pre_init": on_pre_init,
    "post_init": on_post_init,
    "pre_save": on_pre_save,
    "post_save": on_post_save,
    "pre_delete": on_pre_delete,
    "post_delete": on_post_delete,
    "m2m_changed": on_m2m_changed,
}

# In a test run that wants no events at the time, old values are still kept.
REMEMBERING: dict[str, ModelHandler] = {"post_init": remember_init, "post_save": remember_save}
