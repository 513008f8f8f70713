"""The replay in the page: it has every moment, and asks the kernel for none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import traitlets

from ampynb.plots.figure import COLOURS
from ampynb.widgets.timeline import Moment
from ampynb.widgets.view import FitView, source

__all__ = ["ReplayView", "packed_points"]


class ReplayView(FitView):
    """A slider over moments, their points, and their fits.

    Attributes
    ----------
    scatter : dict
        What `SampleScene.layout` says.
    points : dict
        What `packed_points` says.
    moments : list of dict
        ``title`` and ``numbers``.
    position : int
        The moment that is shown.
    fit : str
        ``"best"`` or ``"median"``: the fit that is drawn with its residuals.
    fits : dict
        Frames of both by name, each with ``keys``, ``y`` and ``pixels``.
    backgrounds : dict
        PNGs by the keys of frames.
    temperatures : list of str
    temperature : int
    """

    _esm = source("page_widget.js", "draw.js", "parts.js", "samples.js", "replay.js")
    _css = source("explorer.css", "corner.css")

    scatter = traitlets.Dict().tag(sync=True)
    points = traitlets.Dict().tag(sync=True)
    moments = traitlets.List().tag(sync=True)
    position = traitlets.Int().tag(sync=True)
    fit = traitlets.Unicode("best").tag(sync=True)
    fits = traitlets.Dict().tag(sync=True)
    backgrounds = traitlets.Dict().tag(sync=True)
    temperatures = traitlets.List().tag(sync=True)
    temperature = traitlets.Int().tag(sync=True)


def packed_points(
    moments: Sequence[Moment], columns: Sequence[int], dark: bool = False
) -> dict[str, Any]:
    """Return the points of all moments in one list, and where each moment begins."""
    parts = [moment.points[:, list(columns)] for moment in moments]
    starts = np.cumsum([0, *(len(part) for part in parts)])
    return {
        "colour": COLOURS[5 if dark else 0],  # the brighter blue
        "columns": len(columns),
        "starts": [int(start) for start in starts],
        "values": np.concatenate(parts).astype("<f4").tobytes(),
    }
