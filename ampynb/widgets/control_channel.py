"""The kernel's control channel, on which a page is heard while a cell runs.

A kernel reads what a page says to its widgets between two cells, in a thread of its
own for each page, or in the thread that last wrote to the widget: ipykernel 6, 7.1 to
7.3 and 7.4 differ. Its control channel, which interrupts and debuggers use, is read at
any time, in a thread that does nothing else; what is heard there must return at once.
"""

from __future__ import annotations

import uuid
from typing import Any, Protocol
from weakref import WeakValueDictionary

from ampynb.inference.renderers import in_notebook

__all__ = ["address_of"]


class Listener(Protocol):
    """Something that a page can speak to."""

    def hear(self, content: dict[str, Any]) -> None:
        """Take what the page says; return at once."""
        ...


_listeners: WeakValueDictionary[str, Listener] = WeakValueDictionary()


def address_of(listener: Listener) -> str:
    """Return a new address of a listener on the control channel.

    Messages are of the type ``comm_msg``, which servers that filter them let pass. The
    address is empty where the kernel has no control channel that could be used.
    """
    if not in_notebook():
        return ""
    from IPython.core.getipython import get_ipython

    shell: Any = get_ipython()
    handlers = getattr(shell.kernel, "control_handlers", None)
    if handlers is None or handlers.setdefault("comm_msg", _deliver) is not _deliver:
        return ""
    address = uuid.uuid4().hex
    _listeners[address] = listener
    return address


def _deliver(stream: Any, identities: Any, message: dict[str, Any]) -> None:
    """Hand a message to the listener at its address, unless that is gone."""
    content = message["content"]
    listener = _listeners.get(content["comm_id"])
    if listener is not None:
        listener.hear(content["data"])
