"""The controls of runs in the page: buttons, and a rule with its number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anywidget
import traitlets

from ampynb.widgets.view import source

__all__ = ["ControlsView"]


class ControlsView(anywidget.AnyWidget):
    """Buttons, and the rule with its number, as one widget.

    What is asked for comes in one message. A box and a button that are two widgets may
    be heard by two threads of the kernel, and pass each other there.

    Attributes
    ----------
    buttons : list of dict
        ``do``, ``text``, ``title`` and ``disabled``.
    rules : dict of str to str
        The usual number of each rule that is offered; empty where none can be set.
    ending : bool
        Whether it is too late for another rule.
    """

    _esm = source("parts.js", "controls_view.js")

    buttons = traitlets.List().tag(sync=True)
    rules = traitlets.Dict().tag(sync=True)
    ending = traitlets.Bool().tag(sync=True)

    def on_request(self, act: Callable[[dict[str, Any]], Any]) -> None:
        """Have ``act`` take what the page asks for, and answer.

        ipykernel gives what comes for a widget to the shell that wrote to it last. An
        answer from where it is heard keeps that the page's own, which hears also while
        a cell runs. A page that says ``greet`` asks for nothing but that.
        """

        def receive(_: Any, content: dict[str, Any], buffers: Any) -> None:
            self.send({"heard": content["do"]})
            if content["do"] != "greet":
                act(content)

        self.on_msg(receive)
