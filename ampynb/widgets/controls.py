"""Controls for one parameter: a slider and a number box that agree."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets
import numpy as np

__all__ = ["ParameterControl"]

STEPS = 200


class ParameterControl:
    """A slider and a number box for one element of the vector.

    The box holds the value: it may lie beyond the slider's range, or between two of
    its steps, and is not rounded by the slider.

    Parameters
    ----------
    name, unit : str
        Shown beside the controls.
    interval : tuple of float
        Range of the slider [model units].
    value : float
        Where it begins [model units].
    logarithmic : bool
        Whether equal steps are equal factors.
    on_change : callable
        Called without arguments after the user has moved something.
    """

    def __init__(
        self,
        name: str,
        unit: str,
        interval: tuple[float, float],
        value: float,
        logarithmic: bool,
        on_change: Callable[[], None],
    ):
        self._scale = np.log10 if logarithmic else float
        low, high = (float(self._scale(edge)) for edge in interval)
        self._step = (high - low) / STEPS
        self._on_change = on_change
        self._programmatic = False
        kind = ipywidgets.FloatLogSlider if logarithmic else ipywidgets.FloatSlider
        self.slider = kind(
            value=self._clipped(value, interval),
            min=low,
            max=high,
            step=self._step,
            readout=False,
            description=name,
            tooltip=f"{name} [{unit}]" if unit else name,
            style={"description_width": "7.5em"},
            layout=ipywidgets.Layout(width="20em"),
        )
        self.number = ipywidgets.FloatText(
            value=value,
            step=None,
            tooltip=f"value of {name}",
            layout=ipywidgets.Layout(width="8em"),
        )
        self._interval = interval
        self.box = ipywidgets.HBox(
            [self.slider, self.number, ipywidgets.Label(unit)],
            layout=ipywidgets.Layout(align_items="center"),
        )
        self.slider.observe(self._slider_moved, "value")
        self.number.observe(self._number_typed, "value")

    @property
    def value(self) -> float:
        """The value [model units]."""
        return self.number.value

    def set(self, value: float) -> None:
        """Move both controls without telling `on_change`."""
        self._programmatic = True
        try:
            self.number.value = value
            self.slider.value = self._clipped(value, self._interval)
        finally:
            self._programmatic = False

    @staticmethod
    def _clipped(value: float, interval: tuple[float, float]) -> float:
        return float(np.clip(value, *interval))

    def _slider_moved(self, change: dict) -> None:
        if self._programmatic:
            return
        moved = self._scale(change["new"]) - self._scale(
            self._clipped(self.number.value, self._interval)
        )
        # A slider that is shown rounds to its grid and reports that: nobody moved it.
        if abs(moved) < 0.49 * self._step:
            return
        self._programmatic = True
        try:
            self.number.value = change["new"]
        finally:
            self._programmatic = False
        self._on_change()

    def _number_typed(self, change: dict) -> None:
        if self._programmatic:
            return
        self.set(change["new"])
        self._on_change()
