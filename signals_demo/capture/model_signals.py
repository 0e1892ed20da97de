"""What happens when instances are saved, deleted or linked.

Each pair of signals is sent by one function of the ORM, whose frame is the key of the pair.
"""

import sys
import weakref
from collections import defaultdict
from collections.abc import Callable
from types import FrameType

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from signals_demo.capture.call_sites import call_site
from signals_demo.capture.init_signals import on_post_init, on_pre_init, track_init
from signals_demo.capture.pairs import (
    close_pair,
    current_scope,
    end_member,
    goes_on,
    open_call,
    start_member,
)
from signals_demo.capture.recorder import record
from signals_demo.catalog.outcomes import COMMITTED, OPEN
from signals_demo.conf import Config
from signals_demo.serialize import diff, loaded, model_arguments
from signals_demo.serialize.arguments import Description, Named
from signals_demo.serialize.model_info import ModelInfo
from signals_demo.serialize.names import alias_of
from signals_demo.serialize.source import Site
from signals_demo.serialize.text import Text
from signals_demo.tracing import levels
from signals_demo.tracing.levels import connection_to, outcome_on
from signals_demo.tracing.outcomes import SaveOutcome, TransactionOutcome
from signals_demo.tracing.schemas import has_schemas, place_of, schema_of
from signals_demo.tracing.scope import Scope, current, opened

_DONE = TransactionOutcome()
_DONE.set(COMMITTED)
_UNKNOWN = TransactionOutcome()
_UNKNOWN.set(OPEN)


def _site(info: ModelInfo, frame: FrameType | None) -> Site | None:
    # Without the ORM function that sends it, whoever sent it by hand is the cause.
    return call_site(frame or sys._getframe(1)) if info.config.call_sites else None


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


def _placed(
    about: Description, connection: BaseDatabaseWrapper | None, info: ModelInfo
) -> Description:
    """Return a description with the schema of a tenant, where the connection has one."""
    if connection is None or not has_schemas(connection):
        return about
    schema = schema_of(connection, info.label.partition(".")[0])
    return about._replace(database=place_of(about.database, schema)) if schema else about


def on_pre_save(info: ModelInfo, named: Named, frame: FrameType | None) -> None:
    scope = current_scope(frame, opens=True)
    about = model_arguments.save(info, named)
    connection_alias = about.database
    connection = connection_to(connection_alias)
    if levels.uses_schemas:
        about = _placed(about, connection, info)
    outcome = outcome_on(connection)
    loaded_from = named["instance"]._state.__dict__.get("db")
    if loaded_from is not None and loaded_from != connection_alias:
        track_start_of_save(info, named, frame)
    site = _site(info, frame)
    if frame is None:  # sent by hand: no save begins
        record("pre_save", scope.trace, about, scope.depth, site=site, outcome=outcome)
        return
    pair = open_call(scope, frame, site)
    pair.connection = connection
    if info.config.wants("post_save"):
        # Not the transaction's outcome: a save may fail while its transaction goes on.
        outcome = pair.outcome = SaveOutcome(outcome, pair)
    record("pre_save", scope.trace, about, scope.depth, site, None, outcome or _UNKNOWN)


def on_post_save(info: ModelInfo, named: Named, frame: FrameType | None) -> None:
    scope = current_scope(frame)
    pair = opened(scope, id(frame))
    about = model_arguments.save(info, named)
    connection = connection_to(about.database) if pair is None else pair.connection
    if levels.uses_schemas:
        about = _placed(about, connection, info)
    outcome = outcome_on(connection)
    if pair is not None and pair.outcome is not None:
        pair.outcome.release() if outcome else pair.outcome.set(COMMITTED)
    changes = diff.NOTHING
    if info.config.changes:
        noted = None if pair is None else pair.changes
        changes = noted or _changes_of(info, named, frame, outcome)
        if changes.overwriting is not None:
            about = model_arguments.overwriting(about, changes.overwriting)
    depth, site, duration = _end(info, pair, scope, frame)
    record(
        "post_save", scope.trace, about, depth,
        site, duration, outcome or _done(about), changes.known,
    )  # fmt: skip


def _changes_of(
    info: ModelInfo, named: Named, frame: FrameType | None, outcome: TransactionOutcome | None
) -> diff.Changes:
    is_new = not info.inherited or _has_new_parents(frame)
    return diff.of_save(info, named, outcome, has_new_parents=is_new)


def _has_new_parents(frame: FrameType | None) -> bool:
    """Return whether a save made the rows of parent models too; they may have been there."""
    return frame is None or frame.f_locals.get("parent_inserted") is not False


def note_changes(info: ModelInfo, named: Named, frame: FrameType | None) -> None:
    """Note what a save has changed before another receiver of `post_save` touches the instance."""
    pair = opened(current.get(), id(frame))
    if pair is not None:
        pair.changes = _changes_of(info, named, frame, outcome_on(pair.connection))


def track_start_of_save(info: ModelInfo, named: Named, frame: FrameType | None) -> None:
    """Forget what an instance was loaded with, if it goes to another database."""
    if info.config.changes:
        loaded.forget_in(info, named["instance"], alias_of(named.get("using")))


def track_save(info: ModelInfo, named: Named, frame: FrameType | None) -> None:
    """Keep the values that an instance was saved with, where no event is wanted."""
    outcome = outcome_on(connection_to(alias_of(named.get("using"))))
    instance = named["instance"]
    before = loaded.known(info, instance, outcome)
    loaded.keep(info, instance, *diff.now(info, named), outcome, before)


def on_pre_delete(info: ModelInfo, named: Named, frame: FrameType | None) -> None:
    scope = current_scope(frame)
    about = model_arguments.delete(info, named)
    if frame is None:  # sent by hand: no delete begins
        connection = connection_to(about.database)
        if levels.uses_schemas:
            about = _placed(about, connection, info)
        outcome = outcome_on(connection) or _done(about)
        record(
            "pre_delete", scope.trace, about, scope.depth, site=_site(info, None), outcome=outcome
        )
        return
    member, origin = id(named["instance"]), named.get("origin")
    # One delete() sends all its pre_delete before its first post_delete: they are siblings.
    group = scope
    if not goes_on(scope, frame, member, origin):
        group = _open_group(info, frame, origin, about.database)
    if levels.uses_schemas:
        about = _placed(about, group.connection, info)
    outcome = outcome_on(group.connection) or _done(about)
    record("pre_delete", group.trace, about, group.depth - 1, group.site, None, outcome)
    start_member(group, member)


def _open_group(info: ModelInfo, frame: FrameType, origin: object, alias: str) -> Scope:
    group = open_call(current_scope(frame, opens=True), frame, _site(info, frame))
    group.connection = connection_to(alias)
    if type(origin).__weakrefoffset__:  # a model's instance or a queryset
        group.subject = weakref.ref(origin)
    return group


def on_post_delete(info: ModelInfo, named: Named, frame: FrameType | None) -> None:
    scope = current_scope(frame)
    about = model_arguments.delete(info, named)
    group = opened(scope, id(frame))
    depth, site, duration = scope.depth, None, None
    if group is None:
        connection = connection_to(about.database)
        site = _site(info, frame)
    else:
        connection = group.connection
        depth, site = group.depth - 1, group.site
        duration = end_member(group, id(named["instance"]))
    if levels.uses_schemas:
        about = _placed(about, connection, info)
    outcome = outcome_on(connection)
    changed: Text = "{}"
    if info.config.changes:
        instance = named["instance"]
        keeps = _keeps_parents(info, frame)
        changed, is_known = diff.of_delete(info, instance, outcome, keeps_parents=keeps)
        loaded.forget(info, instance)
        if not is_known:
            about = model_arguments.unknown(about)
    record(
        "post_delete", scope.trace, about, depth,
        site, duration, outcome or _done(about), changed,
    )  # fmt: skip


def _keeps_parents(info: ModelInfo, frame: FrameType | None) -> bool:
    """Return whether a delete leaves the rows of parent models."""
    if not info.inherited or frame is None:
        return False
    deleted = getattr(frame.f_locals.get("self"), "data", None) or {}
    parents = {info.fields[index].model for index in info.inherited}
    return type(deleted) in (dict, defaultdict) and parents.isdisjoint(deleted)


def on_m2m_changed(info: ModelInfo, named: Named, frame: FrameType | None) -> None:
    opens = str(named.get("action")).startswith("pre_")
    scope = current_scope(frame, opens=opens)
    about = model_arguments.m2m_changed(info, named)
    connection = connection_to(about.database)
    if levels.uses_schemas:
        about = _placed(about, connection, info)
    outcome = outcome_on(connection) or _done(about)
    if opens:
        site = _site(info, frame)
        record("m2m_changed", scope.trace, about, scope.depth, site=site, outcome=outcome)
        if frame is not None:
            open_call(scope, frame, site)
        return
    depth, site, duration = _end(info, opened(scope, id(frame)), scope, frame)
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

# Where no event is wanted, in `suppress()` for one, it is still known what rows hold.
TRACKING: dict[str, ModelHandler] = {
    "pre_save": track_start_of_save,
    "post_init": track_init,
    "post_save": track_save,
}


def tracked(config: Config) -> frozenset[str]:
    """Return the signals that have to be followed for the changes to be right."""
    if not (config.changes and config.wants("post_save")):
        return frozenset()
    unneeded = () if len(connections.settings) > 1 else ("pre_save",)
    return frozenset(TRACKING).difference(unneeded)
