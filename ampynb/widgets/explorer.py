"""Sliders over a fit: move a parameter, see the model move."""

from __future__ import annotations

import base64
import threading
import weakref
from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import numpy as np

from ampynb.analysis.analysis import Analysis
from ampynb.analysis.check import check_likelihood
from ampynb.analysis.posterior import Posterior
from ampynb.model.model import Model
from ampynb.model.parameter import Collection
from ampynb.widgets.board import Board, close_all, weakly
from ampynb.widgets.controls import ParameterControl
from ampynb.widgets.point import Point
from ampynb.widgets.undo import UndoHistory

__all__ = ["FitExplorer", "explore"]


def explore(
    analysis: Analysis,
    model: Model | Collection,
    start: Any = None,
    panels: Sequence[Callable[[Any, Any], Any]] = (),
) -> FitExplorer:
    """Show sliders for a model's parameters, and its fit as they move.

    Parameters
    ----------
    analysis : Analysis
    model : Model or Collection
    start : instance, optional
        Where the sliders begin; at the prior medians by default.
    panels : sequence of callable, optional
        Panels of your own, below the picture: each ``draw(fit, axes)`` draws a fit on
        empty matplotlib axes.

    Returns
    -------
    FitExplorer
        Show it as the last expression of a cell; `FitExplorer.instance` is where the
        sliders are.
    """
    return FitExplorer(analysis, model, start, panels)


class FitExplorer:
    """Controls from the parameter table, and the fit through `fit_for_visualization`.

    Ranges are the prior's bounds, or its central 99 % where it has none; the scale is
    logarithmic where the prior is. When a control is grabbed or focused, the fit is
    computed for all its values at once, and the picture follows without the kernel.

    Parameters
    ----------
    analysis : Analysis
    model : Model or Collection
    start : instance, optional
    panels : sequence of callable, optional
    """

    def __init__(
        self,
        analysis: Analysis,
        model: Model | Collection,
        start: Any = None,
        panels: Sequence[Callable[[Any, Any], Any]] = (),
    ):
        given = Posterior(analysis, model)
        check_likelihood(given)
        self.analysis = analysis
        point = Point.at(
            given.model,
            start if start is not None else given.model.instance_from_prior_medians(),
        )
        # Handlers may run in the main thread or beside it, with ipykernel's version.
        self._lock = threading.RLock()
        self._history = UndoHistory(point if start is not None else point.rounded())
        self._board = Board(
            analysis, self.point, weakly(self._moved), weakly(self._receive), panels
        )
        self._board.draw()
        self._finalizer = weakref.finalize(self, close_all, self._board.widgets)

    # Where it is

    @property
    def point(self) -> Point:
        """Where the controls are, and what is fixed."""
        return self._history.state

    @property
    def model(self) -> Model:
        """The model, with what is fixed in the panel fixed."""
        return self.point.model

    @property
    def posterior(self) -> Posterior:
        """The posterior of `model`."""
        return Posterior(self.analysis, self.model)

    @property
    def vector(self) -> np.ndarray:
        """The free parameters, (ndim,) [model units]."""
        return self.point.vector

    @property
    def instance(self) -> Any:
        """The instance at which the controls are: pass it on as ``start=``."""
        return self.point.instance

    @property
    def controls(self) -> dict[str, ParameterControl]:
        """Slider and number box of each element."""
        return self._board.controls

    @property
    def widget(self) -> Any:
        """The widget that is shown."""
        return self._board.view

    @property
    def numbers(self) -> dict[str, str]:
        """What is told beside the picture, as texts by name."""
        return dict(self._board.view.frame.get("numbers", ()))

    # Moving

    def set(self, values: dict[str, Any] | None = None, /, **by_name: Any) -> None:
        """Move parameters: ``explorer.set(slope=2)``.

        Names with dots or brackets go into a dictionary, as in
        ``explorer.set({"lens.theta_E": 1.2})``.
        """
        self._go(self.point.moved({**(values or {}), **by_name}))

    def _go(self, point: Point) -> None:
        with self._lock:
            self._history.record(point)
            self._board.show(point)

    def _moved(self, name: str, value: float) -> None:
        """Take over what the user did; draw it in a thread."""
        with self._lock:
            point = self.point.moved({name: value})
            self._history.record(point, key=name)
            self._board.show_soon(point)

    def _receive(self, content: dict) -> None:
        """Do what a button says."""

    def wait(self, timeout: float = 60.0) -> bool:
        """Wait until all that was asked for is drawn; return whether it was in time."""
        return self._board.worker.wait(timeout)

    def close(self) -> None:
        """Close every widget of the explorer, and let go of its figure."""
        self._board.close()
        self._finalizer.detach()

    # Views

    def __repr__(self) -> str:
        values = (f"{name}={value:.6g}" for name, value in self.point.elements.items())
        return f"FitExplorer({', '.join(values)})"

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        bundle = self.widget._repr_mimebundle_(**kwargs) or {}
        bundle = bundle[0] if isinstance(bundle, tuple) else bundle
        return {**bundle, "text/plain": repr(self), "text/html": self._static()}

    def _static(self) -> str:
        """Return the present picture and numbers, for pages without a kernel."""
        png = self._board.picture()
        encoded = base64.b64encode(png).decode()
        picture = (
            f'<img alt="the fit" style="max-width:100%" '
            f'src="data:image/png;base64,{encoded}">'
            if png
            else ""
        )
        rows = "".join(
            f'<tr><td>{escape(name)}</td><td style="text-align:right;padding-left:1em">'
            f"{escape(text)}</td></tr>"
            for name, text in self.numbers.items()
        )
        table = f'<table style="font-variant-numeric:tabular-nums">{rows}</table>'
        return f"<code>{escape(repr(self))}</code>{table}{picture}"
