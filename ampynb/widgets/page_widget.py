"""Widgets of our own in the page, which hear the kernel however slow the page is."""

from __future__ import annotations

import uuid
from typing import Any

import anywidget
import traitlets

__all__ = ["PageWidget"]


class PageWidget(anywidget.AnyWidget):
    """A widget whose module begins with ``page_widget.js`` and exports ``initialize``.

    Attributes
    ----------
    identity : str
        Its own ``model_id``, by which the module finds its model in the page.
    """

    identity = traitlets.Unicode().tag(sync=True)

    def __init__(self, **traits: Any):
        identity = uuid.uuid4().hex
        super().__init__(model_id=identity, identity=identity, **traits)
