"""The line in which an exception came up."""

from types import TracebackType

from signals_demo.capture.call_sites import rank_of
from signals_demo.serialize.source import Site


def raise_site(traceback: TracebackType | None) -> Site | None:
    """Return the line of a traceback that is as near to its end as the project gets.

    Where the project has no line in it, that of a package, else that of Django, else None.
    """
    found, best = None, None
    while traceback is not None:
        code = traceback.tb_frame.f_code
        rank = rank_of(code.co_filename)
        if rank is not None and (best is None or rank <= best):
            found, best = (code, traceback.tb_lasti), rank
        traceback = traceback.tb_next
    return found
