"""How an analysis wants its fit drawn: axes and groups, without any plotting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ampynb.model.options import names_options

__all__ = ["Panel"]


@names_options
@dataclass(frozen=True, eq=False)
class Panel:
    """Axes of the picture of a fit to a curve or to an image.

    Return one from `Analysis.panel`. Every field has a default, so that an analysis
    without one is drawn too.

    Parameters
    ----------
    x : array, (n_obs,), optional
        Abscissa of the data; their index by default.
    xlabel, ylabel : str
        Axis labels, with units: ``"time [d]"``.
    xscale, yscale : str
        ``"linear"`` or ``"log"``.
    groups : sequence of str, (n_obs,), optional
        Name of each datum's group (a band, an instrument): one colour each.
    curve_x : array, (n_curve,), optional
        Abscissa of the fit's ``curve``, whose rows are the groups in the order of
        their first appearance in ``groups``.
    extent : tuple of float, (4,), optional
        Left, right, bottom and top edge of an image; its pixel indices by default.
    colour_map : str
        Matplotlib's name of an image's colour map.
    colour_label : str
        What an image's values are, with their unit: ``"flux [mJy]"``.
    """

    x: Any = None
    xlabel: str = ""
    ylabel: str = ""
    xscale: str = "linear"
    yscale: str = "linear"
    groups: Any = None
    curve_x: Any = None
    extent: Any = None
    colour_map: str = "viridis"
    colour_label: str = ""
