"""What a cell made when it ran before is closed when it runs again.

A notebook keeps every value that a cell has shown, so that an explorer would never be
freed by itself.
"""

from __future__ import annotations

import weakref
from typing import Any, Protocol

from ampynb.inference.renderers import in_notebook

__all__ = ["running_request", "take_over"]


class Closable(Protocol):
    """Something with widgets."""

    def close(self) -> None:
        """Close them."""
        ...


_made: dict[str, tuple[str, list[weakref.ref]]] = {}


def take_over(made: Closable, request: dict[str, Any] | None = None) -> None:
    """Close what the present cell made in its former run, and remember the new.

    Parameters
    ----------
    made : object with ``close()``
    request : dict, optional
        The front end's request to run the cell. Front ends that do not say which cell
        it is have nothing closed.
    """
    request = _request() if request is None else request
    cell = request.get("metadata", {}).get("cellId")
    if cell is None:
        return
    run = request["header"]["msg_id"]
    former_run, former = _made.get(cell, (run, []))
    if former_run != run:
        for reference in former:
            if (before := reference()) is not None:
                before.close()
        former = []
    _made[cell] = (run, [*former, weakref.ref(made)])


def running_request() -> str:
    """Return the id of the request that runs the present cell; empty outside of one."""
    return _request().get("header", {}).get("msg_id", "")


def _request() -> dict[str, Any]:
    if not in_notebook():
        return {}
    from IPython.core.getipython import get_ipython

    shell: Any = get_ipython()
    return shell.get_parent() or {}
