"""The fit of a result: its median and its best, a band of its draws, residuals."""

from __future__ import annotations

from typing import Any

import jax

from ampynb.model.options import checked_count
from ampynb.plots.figure import NotebookFigure
from ampynb.plots.image import ImagePanels, is_image
from ampynb.plots.panels import columns_of, panels_for

__all__ = ["fit_figure", "posterior_fit"]

IMAGE_SIZE = (12, 4)


def posterior_fit(
    result: Any, n: int, mass: float, factor: Any = None
) -> NotebookFigure:
    """Draw the median fit, the best one dashed, a band and the residuals.

    Of an image the median fit alone: no band can lie over it.

    Parameters
    ----------
    result : Result
    n : int
        Posterior draws that the band is made of.
    mass : float
        Share of their models that the band holds.
    factor : Factor, optional
        The analysis of a joint fit that is drawn; all by default.
    """
    n = checked_count("n", n, least=1, usual=200)
    result.check_unchanged()
    joint = result.analysis
    analysis = joint if factor is None else factor.analysis

    def drawn(fit: Any) -> Any:
        return fit if factor is None else factor.of(fit)

    median = joint.fit_for_visualization(result.median())
    figure, panels = fit_figure(analysis, drawn(median))
    if isinstance(panels, ImagePanels):
        return figure
    instances = jax.vmap(result.model.instance_from_vector)(result.sample(n))
    panels.add_band(drawn(joint.fits_for_visualization(instances)), mass)
    panels.add_best(drawn(joint.fit_for_visualization(result.instance)))
    return figure


def fit_figure(analysis: Any, fit: Any) -> tuple[NotebookFigure, Any]:
    """Draw a fit of an analysis alone; return the figure and its panels."""
    columns, rows = columns_of(fit)
    size = (8, 5.5) if columns == 1 else (5.5 * columns, 4.5 * rows)
    figure = NotebookFigure(figsize=IMAGE_SIZE if is_image(fit) else size)
    return figure, panels_for(figure, analysis.panel(), fit)
