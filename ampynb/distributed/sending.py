"""What can be sent to other processes, and what cannot and why."""

from __future__ import annotations

import io
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["pickled"]


def pickled(function: Callable, dumps: Callable[[Any], bytes] | None = None) -> bytes:
    """Return a function, and all that it needs, as bytes for other processes.

    Parameters
    ----------
    function : callable
    dumps : callable, optional
        What makes the bytes; by default the standard library's pickle, for which other
        processes must be able to import every class and function.

    Raises
    ------
    ValueError
        Where that cannot be; it names what is in the way.
    """
    owner = getattr(function, "__self__", function)
    name, subject = "a function", owner
    if hasattr(owner, "analysis"):
        name, subject = "an analysis", owner.analysis
    hidden = [] if dumps else sorted(_defined_in_notebook(owner))
    dumps, cause = dumps or pickle.dumps, None
    if not hidden:
        try:
            return dumps(function)
        except Exception as error:
            cause = error
    found = f"{', '.join(hidden)}, defined in the notebook"
    if cause is not None:
        found = _in_the_way(dumps, subject, name.split()[-1])
    raise ValueError(
        f"expected {name} that other processes can import and hold; got {found}, "
        "which cannot be sent to them; put classes and functions into a module and "
        "open files and connections where they are used, or pass executor='thread'"
    ) from cause


def _can(dumps: Callable[[Any], Any], value: Any) -> bool:
    try:
        dumps(value)
    except Exception:  # whatever a user's own class raises
        return False
    return True


def _in_the_way(dumps: Callable[[Any], bytes], value: Any, name: str) -> str:
    """Return the innermost attribute that cannot be pickled, by its dotted name."""
    if not isinstance(value, type):
        for key, part in getattr(value, "__dict__", {}).items():
            if not _can(dumps, part):
                return _in_the_way(dumps, part, f"{name}.{key}")
    return f"{name} ({getattr(value, '__qualname__', type(value).__qualname__)})"


def _defined_in_notebook(value: Any) -> set[str]:
    """Return names that stand in a main module that no other process can run."""
    if Path(getattr(sys.modules["__main__"], "__file__", "")).is_file():
        return set()
    reader = _NamesOfMain(io.BytesIO())
    _can(reader.dump, value)
    return reader.names


class _NamesOfMain(pickle.Pickler):
    """Notes which classes and functions of the main module a pickle would name."""

    def __init__(self, file: io.BytesIO):
        super().__init__(file)
        self.names: set[str] = set()

    def reducer_override(self, obj: Any) -> Any:
        """Look at an object, and leave it to the usual way of pickling."""
        name = getattr(obj, "__qualname__", None)
        if name is not None and getattr(obj, "__module__", None) == "__main__":
            self.names.add(name)
        return NotImplemented
