"""The call that opens an explorer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ampynb.analysis.analysis import Analysis
from ampynb.model.model import Model
from ampynb.model.options import names_options
from ampynb.model.parameter import Collection
from ampynb.results.result import Result
from ampynb.widgets.cell import take_over
from ampynb.widgets.explorer import FitExplorer

__all__ = ["explore"]


@names_options
def explore(
    analysis: Analysis,
    model: Model | Collection,
    result: Result | None = None,
    start: Any = None,
    *,
    panels: Sequence[Callable[[Any, Any], Any]] = (),
) -> FitExplorer:
    """Show sliders for a model's parameters, and its fit as they move.

    Parameters
    ----------
    analysis : Analysis
    model : Model or Collection
    result : Result, optional
        Of the same model: its median, its best point, each draw, and the band of its
        curves are then at hand.
    start : instance, vector, (ndim,), or Result, optional
        Where the sliders begin, of a result at its median; by default at the median
        of the result that is shown, or at the prior medians.
    panels : sequence of callable, optional
        Panels of your own, below the picture: each ``draw(fit, axes)`` draws a fit on
        empty matplotlib axes.

    Returns
    -------
    FitExplorer
        Show it as the last expression of a cell; `FitExplorer.instance` is where the
        sliders are. Running the cell again closes the explorer that it made before.
    """
    explorer = FitExplorer(analysis, model, result, start, panels=panels)
    take_over(explorer)
    return explorer
