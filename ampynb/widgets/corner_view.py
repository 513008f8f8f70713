"""The corner explorer in the page: corner plot and trace, their samples, and a fit.

The page draws the samples over what matplotlib drew, and finds the nearest to the
pointer by itself. It asks the kernel for the fit of that sample alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import traitlets

from ampynb.plots.figure import COLOURS
from ampynb.widgets.samples import Samples
from ampynb.widgets.view import FitView, source

__all__ = ["CornerView", "packed_samples"]


class CornerView(FitView):
    """Corner plot, trace, fit, numbers, and the choice of parameters.

    Attributes
    ----------
    corner, trace : dict
        What `SampleScene.layout` says.
    samples : dict
        What `packed_samples` says.
    fits : dict
        Curves of the fits of a region: ``y`` (n, n_points), ``n``, and ``scene``, the
        name of the scene that they are for.
    parameters : list of dict
        ``name`` and ``shown``.
    region : dict
        ``text``, and the ranges by column.
    """

    _esm = source("page_widget.js", "draw.js", "parts.js", "samples.js", "corner.js")
    _css = source("explorer.css", "corner.css")

    corner = traitlets.Dict().tag(sync=True)
    trace = traitlets.Dict().tag(sync=True)
    samples = traitlets.Dict().tag(sync=True)
    fits = traitlets.Dict().tag(sync=True)
    parameters = traitlets.List().tag(sync=True)
    region = traitlets.Dict().tag(sync=True)

    def send_file(self, name: str, png: bytes) -> None:
        """Let the page save a PNG under a name."""
        self.send({"kind": "file", "name": name}, [png])


def packed_samples(samples: Mapping[str, Samples]) -> dict[str, Any]:
    """Return the samples that are drawn as points, of all results in one list.

    They are mixed, so that no result lies over the others.
    """
    parts = [one.columns_at(one.shown) for one in samples.values()]
    owners = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    indices = np.concatenate([one.shown for one in samples.values()])
    order = np.random.default_rng(0).permutation(len(owners))
    values = np.concatenate(parts)[order]
    return {
        "names": list(samples),
        "colours": [COLOURS[i % len(COLOURS)] for i in range(len(parts))],
        "count": len(order),
        "columns": values.shape[1],
        "values": np.ascontiguousarray(values, "<f4").tobytes(),
        "owners": owners[order].astype("<i4").tobytes(),
        "indices": indices[order].astype("<i4").tobytes(),
    }
