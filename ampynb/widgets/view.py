"""The explorer in the page: one widget that holds controls, picture and buttons.

The sliders and number boxes are ipywidgets' own, so that they have its keyboard, its
accessible names and its look, and can be linked with anything. The view shows them
itself, through the front end's widget manager (`create_view`, which every front end
has, as boxes need it), and listens to their models *in the page*. So it knows of a
move at once, and draws from a sweep without asking the kernel, while ipywidgets sends
the value to the kernel as ever. Controls of our own could do that too, but would be
one more slider to make accessible, and strangers to `jslink` and saved widget state.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import traitlets
from ipywidgets import widget_serialization

from ampynb.plots.scene import Frames
from ampynb.widgets.drawing import Frame, Sweep
from ampynb.widgets.page_widget import PageWidget

__all__ = ["ExplorerView", "FitView", "packed_parts", "source"]

HERE = Path(__file__).parent


def source(*names: str) -> str:
    """Return what files beside this one hold, one after the other."""
    return "\n".join((HERE / name).read_text(encoding="utf-8") for name in names)


class FitView(PageWidget):
    """What shows a fit in the page: its scene, its background and its moving parts.

    Attributes
    ----------
    scene, frame, background : dict
        What `Scene.layout`, `Frame` and the background in use say.
    buttons : list of dict
        ``do``, ``text``, ``title``, and perhaps ``disabled`` and ``pressed``.
    alert : str
        What went wrong.
    """

    scene = traitlets.Dict().tag(sync=True)
    background = traitlets.Dict().tag(sync=True)
    frame = traitlets.Dict().tag(sync=True)
    buttons = traitlets.List().tag(sync=True)
    alert = traitlets.Unicode().tag(sync=True)

    def on_request(self, act: Callable[[dict[str, Any]], Any]) -> None:
        """Have ``act`` take what the page asks for.

        A page that says ``wait`` asks for nothing: it has hurried an answer by that.
        """

        def receive(_: Any, content: dict[str, Any], buffers: Any) -> None:
            if content["do"] != "wait":
                act(content)

        self.on_msg(receive)

    def show_frame(
        self,
        frame: Frame,
        values: list[float],
        scene: dict[str, Any] | None,
        picture_of: Callable[[str], bytes],
        **more: Any,
    ) -> None:
        """Show a frame, with its scene and its background where they are new.

        Parameters
        ----------
        values : list of float
            What the frame is for, as the number boxes say it.
        scene : dict, optional
            The layout, where it is another than before.
        picture_of : callable
            Gives a background by its name.
        **more
            Further parts of ``frame``.
        """
        packed: dict[str, Any] = {"values": values, "numbers": frame.numbers, **more}
        with self.hold_sync():
            if frame.parts is not None:
                assert frame.background is not None
                packed.update(packed_parts(frame.parts), key=frame.background)
                if self.background.get("key") != frame.background:
                    png = picture_of(frame.background)
                    self.background = {"key": frame.background, "png": png}
            if scene is not None:
                self.scene = scene
            self.frame = packed
            self.alert = ""


class ExplorerView(FitView):
    """Rows of controls, the canvas, the numbers and the buttons.

    Attributes
    ----------
    controls : list of dict
        Each with ``name``, ``group`` and the models ``slider`` and ``number``; or with
        ``text``, for what has no slider.
    fixed : list of str
        Parameters that are held.
    chips : list of dict
        Snapshots: ``name`` and ``text``.
    code : str
        What the button for it copies.
    below : list of widgets
        Shown below all, as the monitor of a run.
    extra : bytes
        The user's own panels, as a PNG.
    """

    _esm = source("page_widget.js", "draw.js", "parts.js", "explorer.js")
    _css = source("explorer.css")

    controls = traitlets.List().tag(sync=True, **widget_serialization)
    fixed = traitlets.List().tag(sync=True)
    chips = traitlets.List().tag(sync=True)
    code = traitlets.Unicode().tag(sync=True)
    below = traitlets.List().tag(sync=True, **widget_serialization)
    extra = traitlets.Bytes().tag(sync=True)

    def send_sweep(self, sweep: Sweep, values: list[float]) -> None:
        """Send a sweep; its backgrounds are sent apart.

        Parameters
        ----------
        values : list of float
            What the number boxes say at the sweep's point.
        """
        low, high = (float(sweep.control.scaled(v)) for v in sweep.control.interval)
        content = {
            "kind": "sweep",
            "name": sweep.control.element,
            "epoch": sweep.epoch,
            "low": low,
            "high": high,
            "values": values,
            "keys": sweep.keys,
            "numbers": sweep.numbers,
        }
        parts = packed_parts(sweep.parts)
        self.send(content, [parts["y"], parts["pixels"]])

    def send_background(self, key: str, png: bytes) -> None:
        """Send a background that frames of a sweep need."""
        self.send({"kind": "background", "key": key}, [png])


def packed_parts(parts: Frames) -> dict[str, bytes]:
    """Return frames as the page takes them."""
    y = np.ascontiguousarray(parts.y, "<f4")
    return {"y": y.tobytes(), "pixels": parts.pixels.tobytes()}
