"""Sliders over a fit: move a parameter, see the model move."""

from __future__ import annotations

import base64
import threading
from html import escape
from typing import Any

import ipywidgets
import jax
import numpy as np

from ampynb.analysis.analysis import Analysis
from ampynb.analysis.check import check_likelihood
from ampynb.analysis.joint import fits_in
from ampynb.analysis.posterior import Posterior
from ampynb.model.model import Model
from ampynb.model.parameter import Collection
from ampynb.model.quantile import is_logarithmic
from ampynb.model.table import suggest
from ampynb.plots.figure import BlitCanvas, NotebookFigure
from ampynb.plots.panels import can_draw, columns_of, panels_for
from ampynb.widgets.controls import ParameterControl

__all__ = ["FitExplorer", "explore"]

PRIOR_MASS = 0.99


def explore(
    analysis: Analysis, model: Model | Collection, start: Any = None
) -> FitExplorer:
    """Show sliders for a model's parameters, and its fit as they move.

    Parameters
    ----------
    analysis : Analysis
    model : Model or Collection
    start : instance, optional
        Where the sliders begin; at the prior medians by default.

    Returns
    -------
    FitExplorer
        Show it as the last expression of a cell; `FitExplorer.instance` is where the
        sliders are.
    """
    return FitExplorer(analysis, model, start)


class FitExplorer:
    """Controls from the parameter table, and the fit through `fit_for_visualization`.

    Ranges are the prior's bounds, or its central 99 % where it has none; the scale is
    logarithmic where the prior is.

    Parameters
    ----------
    analysis : Analysis
    model : Model or Collection
    start : instance, optional
    """

    def __init__(
        self, analysis: Analysis, model: Model | Collection, start: Any = None
    ):
        self.posterior = Posterior(analysis, model)
        check_likelihood(self.posterior)
        self.analysis, self.model = analysis, self.posterior.model
        # Handlers may run in the main thread or beside it, with ipykernel's version.
        self._lock = threading.RLock()
        self._prior = jax.jit(self.model.log_prior)
        if start is None:
            start = self.model.instance_from_prior_medians()
        vector = np.asarray(self.model.vector_from_instance(start))
        self.controls = self._make_controls(vector)
        self.readout = ipywidgets.HTML()
        self.picture = ipywidgets.Image(
            format="png", layout=ipywidgets.Layout(max_width="100%")
        )
        self._panels: Any = None
        self._canvas: BlitCanvas | None = None
        self._render()
        panel = ipywidgets.VBox(
            [*(control.box for control in self.controls.values()), self.readout]
        )
        self.widget = ipywidgets.HBox(
            [panel, self.picture],
            layout=ipywidgets.Layout(flex_flow="row wrap", align_items="flex-start"),
        )

    def _make_controls(self, vector: np.ndarray) -> dict[str, ParameterControl]:
        central = self.model.prior_interval(PRIOR_MASS)
        bounds = self.model.bounds
        intervals = np.where(np.isfinite(bounds), bounds, central)
        controls = {}
        for i, name in enumerate(self.model.names):
            logarithmic = is_logarithmic(self.model.prior_of(name))
            if logarithmic and intervals[i, 0] <= 0:
                intervals[i] = central[i]
            controls[name] = ParameterControl(
                name,
                self.model.units[i],
                tuple(intervals[i]),
                float(vector[i]),
                logarithmic,
                self._render,
            )
        return controls

    # What users call

    @property
    def vector(self) -> np.ndarray:
        """Where the controls are, (ndim,) [model units]."""
        return np.array([control.value for control in self.controls.values()])

    @property
    def instance(self) -> Any:
        """The instance at which the controls are: pass it on as ``start=``."""
        return self.model.instance_from_vector(self.vector)

    def set(self, values: dict[str, float] | None = None, /, **by_name: float) -> None:
        """Move controls: ``explorer.set(slope=2)``."""
        values = {**(values or {}), **by_name}
        for name in values:
            if name not in self.controls:
                raise ValueError(suggest(name, list(self.controls)))
        for name, value in values.items():
            self.controls[name].set(float(value))
        self._render()

    def close(self) -> None:
        """Close every widget of the explorer."""
        for widget in _family(self.widget):
            widget.close()

    # Drawing

    def _render(self) -> None:
        with self._lock:
            try:
                self._draw(self.instance)
            except Exception as error:  # shown where the user looks
                self.readout.value = _alert(error)

    def _draw(self, instance: Any) -> None:
        log_prior = float(self._prior(self.vector))
        if not self.analysis.has_fit:
            log_likelihood = float(self.posterior.log_likelihood(self.vector))
            self.readout.value = _numbers(log_likelihood, log_prior, None)
            return
        fit = self.analysis.fit_for_visualization(instance)
        chi_squared = None
        if hasattr(fit, "chi_squared"):
            data = (one.data for one in fits_in(fit).values())
            freedom = sum(map(np.size, data)) - self.model.ndim
            chi_squared = (float(fit.chi_squared), freedom)
        self.readout.value = _numbers(float(fit.log_likelihood), log_prior, chi_squared)
        if can_draw(fit):
            self.picture.value = self._png(fit)

    def _png(self, fit: Any) -> bytes:
        if self._panels is None or self._canvas is None:
            columns, rows = columns_of(fit)
            figure = NotebookFigure(figsize=(4 + 3 * columns, 4.6 * rows), dpi=100)
            figure.subplots_adjust(left=0.11, right=0.985, top=0.98, bottom=0.11)
            self._panels = panels_for(figure, self.analysis.panel(), fit)
            self._canvas = BlitCanvas(figure, self._panels.artists)
        elif self._panels.update(fit):
            self._canvas.stale = True
        return self._canvas.png()

    # Views

    def __repr__(self) -> str:
        values = (f"{name}={control.value:.6g}" for name, control in self._items())
        return f"FitExplorer({', '.join(values)})"

    def _items(self) -> Any:
        return self.controls.items()

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        bundle = self.widget._repr_mimebundle_(**kwargs) or {}
        return {**bundle, "text/plain": repr(self), "text/html": self._static()}

    def _static(self) -> str:
        """Return the present picture and numbers, for pages without a kernel."""
        png = base64.b64encode(self.picture.value).decode()
        picture = (
            f'<img alt="the fit" src="data:image/png;base64,{png}">' if png else ""
        )
        return f"<code>{escape(repr(self))}</code>{self.readout.value}{picture}"


def _family(widget: Any) -> list:
    """Return a widget and all below it."""
    below = [kin for child in getattr(widget, "children", ()) for kin in _family(child)]
    return [widget, *below]


def _alert(error: Exception) -> str:
    text = escape(f"{type(error).__name__}: {error}")
    return f'<div role="alert" style="max-width:32em">⚠ {text}</div>'


def _numbers(
    log_likelihood: float, log_prior: float, chi_squared: tuple[float, int] | None
) -> str:
    lines = [
        ("ln likelihood", f"{log_likelihood:.2f}"),
        ("ln prior", f"{log_prior:.2f}"),
    ]
    if chi_squared is not None:
        value, freedom = chi_squared
        lines.append(("χ² / degrees of freedom", f"{value:.1f} / {freedom}"))
    rows = "".join(
        f'<tr><td>{name}</td><td style="text-align:right;padding-left:1em">{text}</td>'
        "</tr>"
        for name, text in lines
    )
    return f'<table style="font-variant-numeric:tabular-nums">{rows}</table>'
