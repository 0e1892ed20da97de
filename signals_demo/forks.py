"""What a process does first after a fork, also after those of uWSGI, which Python does not see."""

import os
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Any

# In uWSGI's processes, and only there, this module exists before it is imported.
_uwsgi: Any = sys.modules.get("uwsgi")

_calls: list[Callable[[], object]] = []
_process = os.getpid()


def after_fork(call: Callable[[], object]) -> None:
    """Call this in each forked child, before anything else that the recorder does there."""
    _calls.append(call)


def _begin() -> None:
    global _process
    if _process == os.getpid():
        return  # with `--py-call-uwsgi-fork-hooks`, Python sees the fork too
    _process = os.getpid()
    for call in _calls:
        call()


def _listen_to_uwsgi() -> None:
    with suppress(Exception):  # it refuses where there is no master
        import_module("uwsgidecorators").postfork(_begin)
        return
    hook = getattr(_uwsgi, "post_fork_hook", None)

    def begin() -> None:
        _begin()
        if hook is not None:
            hook()

    _uwsgi.post_fork_hook = begin


def is_uwsgi() -> bool:
    """Return whether this is a process of uWSGI."""
    return _uwsgi is not None


def threads_stand_still() -> bool:
    """Return whether threads run only during requests, as in uWSGI without `enable-threads`."""
    if _uwsgi is None or {"enable-threads", "threads", "gevent"} & set(_uwsgi.opt):
        return False
    version = [int(number) for number in re.findall(rb"\d+", _uwsgi.version)]
    return version < [2, 0, 27]  # later versions always enable threads


def can_have_threads() -> bool:
    """Return whether a thread can run: not in a master of uWSGI that only loads the project."""
    return not (threads_stand_still() and _uwsgi.masterpid() == os.getpid())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin)
if _uwsgi is not None:
    _listen_to_uwsgi()
