"""Wraps functions of Django, and removes the wrappers again."""

from collections.abc import Callable
from functools import wraps
from types import ModuleType
from typing import Any

Function = Callable[..., Any]


class Patch:
    """A function of Django that is wrapped while the recorder is connected.

    Another package may wrap it after us. Removing our wrapper would remove theirs too, so ours
    stays below it and only passes calls on.
    """

    def __init__(
        self,
        owner: type | ModuleType,
        name: str,
        wrap: Callable[[Function], Function],
        *,
        may_stay: bool = False,
    ) -> None:
        """`may_stay`: the wrapper does no harm where another covers it, and then stays active."""
        self._may_stay = may_stay
        self._owner = owner
        self._name = name
        self._wrap = wrap
        self._original: Function | None = None
        self._wrapper: Function | None = None
        self._active: Function | None = None
        self._is_covered = False

    def install(self) -> None:
        """Wrap the function. Does nothing if it is wrapped, or if this Django does not have it."""
        found = getattr(self._owner, self._name, None)
        if found is None or self._active is not None:
            return
        is_known = found is self._original or found is self._wrapper or self._is_covered
        if not is_known:
            self._original, self._wrapper = found, self._new_wrapper(found)
        if found is self._original:
            setattr(self._owner, self._name, self._wrapper)
        self._active = self._wrapper

    def uninstall(self) -> None:
        """Put the original back, or only pass calls on if another wrapper covers ours."""
        if self._active is None:
            return
        self._active = None
        self._is_covered = getattr(self._owner, self._name) is not self._wrapper
        if not self._is_covered:
            setattr(self._owner, self._name, self._original)

    def _new_wrapper(self, original: Function) -> Function:
        wrapped = self._wrap(original)
        if self._may_stay:  # one call less
            return wraps(original)(wrapped)

        @wraps(original)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            function = wrapped if self._active is wrapper else original
            return function(*args, **kwargs)

        return wrapper
