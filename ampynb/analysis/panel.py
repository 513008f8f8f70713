"""How an analysis wants its fit drawn: axes and groups, without any plotting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Panel"]


@dataclass(frozen=True, eq=False)
class Panel:
    """Axes of the picture of a one-dimensional fit.

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
    """

    x: Any = None
    xlabel: str = ""
    ylabel: str = ""
    xscale: str = "linear"
    yscale: str = "linear"
    groups: Any = None
    curve_x: Any = None
