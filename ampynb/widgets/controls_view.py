"""The controls of runs in the page: buttons, and a rule with its number."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import traitlets

from ampynb.widgets.control_channel import address_of
from ampynb.widgets.page_widget import PageWidget
from ampynb.widgets.view import source

__all__ = ["ControlsView"]

MOST_REMEMBERED = 64


class ControlsView(PageWidget):
    """Buttons, and the rule with its number, as one widget.

    The page shows at once that a button was pressed, and what comes of it as soon as
    the kernel has heard of it, which it does also while a cell runs.

    Attributes
    ----------
    buttons : list of dict
        ``do``, ``text``, ``title`` and ``disabled``; ``pressed``, for one that stays
        pressed; ``asked``, what is shown until the kernel has heard of it.
    rules : dict of str to str
        The usual number of each rule that is offered; empty where none can be set.
    ending : bool
        Whether it is too late for another rule.
    state : dict
        ``text`` and ``more``, and ``seconds`` where the page is to count on from them.
    address : str
        Of this view on the kernel's control channel; empty where there is none.
    """

    _esm = source("page_widget.js", "parts.js", "ask.js", "controls_view.js")

    buttons = traitlets.List().tag(sync=True)
    rules = traitlets.Dict().tag(sync=True)
    ending = traitlets.Bool().tag(sync=True)
    state = traitlets.Dict().tag(sync=True)
    address = traitlets.Unicode().tag(sync=True)

    def __init__(self, act: Callable[[dict[str, Any]], Any], **traits: Any):
        self._act = act
        self._heard: deque[str] = deque(maxlen=MOST_REMEMBERED)
        super().__init__(**traits)
        self.address = address_of(self)
        self.on_msg(lambda _, content, buffers: self.hear(content))

    def hear(self, content: dict[str, Any]) -> None:
        """Do what the page asks for, once, and answer.

        A page that is not answered asks again, on the channel of the cells.
        """
        asked = content["id"]
        if asked not in self._heard:
            self._heard.append(asked)
            self._act(content)
        self.send({"heard": asked})
