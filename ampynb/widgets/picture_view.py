"""A picture in the page that says what it shows."""

from __future__ import annotations

import traitlets

from ampynb.widgets.page_widget import PageWidget
from ampynb.widgets.view import source

__all__ = ["PictureView"]


class PictureView(PageWidget):
    """An image with a text for those who do not see it, which ipywidgets' has not.

    Attributes
    ----------
    value : bytes
        The PNG; nothing is shown where it is empty.
    alt : str
    """

    _esm = source("page_widget.js", "picture_view.js")

    value = traitlets.Bytes().tag(sync=True)
    alt = traitlets.Unicode().tag(sync=True)
