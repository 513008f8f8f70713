"""What is drawn of a fit while it goes on and when it has ended."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from ampynb.plots.figure import RENDER_LOCK
from ampynb.plots.panels import can_draw
from ampynb.plots.posterior_fit import fit_figure

__all__ = ["Visualizer", "png_of"]


class Visualizer:
    """Draws the best fit; as the ``Visualizer`` of an analysis, in each of its runs.

    Subclass it to draw more. Each method may return a matplotlib figure, or a
    dictionary of several by name: they are kept in the folder of the run, as PNG under
    ``images``, and the monitor shows the first. `Analysis` says when each is called.
    Take the fit from ``analysis.fit_for_visualization(instance)``, which is compiled
    once.

    Examples
    --------
    >>> class Own(Visualizer):
    ...     @staticmethod
    ...     def visualize(analysis, paths, instance, during_analysis):
    ...         figure = Figure()
    ...         fit = analysis.fit_for_visualization(instance)
    ...         figure.subplots().hist(fit.residuals)
    ...         return figure
    """

    @staticmethod
    def visualize_before_fit(analysis: Any, paths: Path | None, model: Any) -> Any:
        """Draw what is known before the first draw: by default, nothing."""

    @staticmethod
    def visualize(
        analysis: Any, paths: Path | None, instance: Any, during_analysis: bool
    ) -> Any:
        """Draw the best point.

        Parameters
        ----------
        analysis : Analysis
        paths : Path or None
            The folder of the run, which is there; None for a run that is not saved.
        instance : instance
            The point with the highest log likelihood so far.
        during_analysis : bool
            False for the last time, when the run has ended.
        """
        fit = analysis.fit_for_visualization(instance) if analysis.has_fit else None
        return fit_figure(analysis, fit)[0] if can_draw(fit) else None

    @staticmethod
    def visualize_combined(
        analysis: Any, paths: Path | None, instance: Any, during_analysis: bool
    ) -> Any:
        """Draw the best point of a `JointAnalysis`: by default its fits side by side.

        The analyses that it joins are drawn by their own ``Visualizer`` besides, where
        they have one, each into a folder of its name.
        """
        return Visualizer.visualize(analysis, paths, instance, during_analysis)


def png_of(figure: Any) -> bytes:
    """Return a matplotlib figure as PNG.

    Raises
    ------
    TypeError
        For what is no figure.
    """
    if not callable(getattr(figure, "savefig", None)):
        raise TypeError(
            "expected a matplotlib figure, a dictionary of figures or None; got "
            f"{figure!r}; return for instance matplotlib.figure.Figure()"
        )
    stream = io.BytesIO()
    with RENDER_LOCK:
        figure.savefig(stream, format="png", dpi=110, bbox_inches="tight")
    return stream.getvalue()
