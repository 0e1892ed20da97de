"""Who awaits what Django's asynchronous methods do: `asave()` saves on another thread.

Nothing on that thread says which line awaits it. So the line is looked up before the thread is
asked, and kept in a call on that thread, where the search for a call site finds it.
"""

import sys
from functools import partial
from typing import Any

from django.db.models import base, query
from django.db.models.fields import related_descriptors

from signals_demo.capture.call_sites import Ranked, ranked_site
from signals_demo.faults import fault
from signals_demo.tracing.patches import Function, Patch


def _call(awaiting: Ranked, function: Function, /, *args: Any, **kwargs: Any) -> Any:
    """Call a function; `call_sites` reads `awaiting` from here."""
    return function(*args, **kwargs)


def _wrap(sync_to_async: Function) -> Function:
    def with_site(function: Function) -> Any:
        try:
            function = partial(_call, ranked_site(sys._getframe(1)), function)
        except Exception:  # noqa: BLE001 - the project must not notice; `fault` logs
            fault("sync_to_async")
        return sync_to_async(function)

    return with_site


_CONTENT_TYPES = "django.contrib.contenttypes.fields"
_patches = [Patch(each, "sync_to_async", _wrap) for each in (base, query, related_descriptors)]


def install() -> None:
    """Begin to note who awaits."""
    loaded = sys.modules.get(_CONTENT_TYPES)  # it needs models that not every project has
    if loaded is not None and len(_patches) == 3:
        _patches.append(Patch(loaded, "sync_to_async", _wrap))
    for patch in _patches:
        patch.install()


def uninstall() -> None:
    """Stop noting who awaits."""
    for patch in _patches:
        patch.uninstall()
