"""Controls for one parameter: a slider and a number box that agree."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import ipywidgets
from ipywidgets.widgets.widget_description import DescriptionStyle

from ampynb.widgets.point import Control

__all__ = ["Looks", "ParameterControl"]

STEPS = 200
SECONDS_OF_AN_ECHO = 60.0  # a kernel that runs other cells hears of it so late
MOST_ECHOES = 200


def _layout(**traits: str) -> Callable[[], ipywidgets.Layout]:
    return lambda: ipywidgets.Layout(**traits)


@dataclass
class Looks:
    """Layouts and styles that all controls of a panel share: each is a model too."""

    slider: ipywidgets.Layout = field(default_factory=_layout(width="auto"))
    number: ipywidgets.Layout = field(default_factory=_layout(width="auto"))
    slider_style: ipywidgets.SliderStyle = field(
        default_factory=lambda: ipywidgets.SliderStyle(description_width="7.5em")
    )
    number_style: DescriptionStyle = field(
        default_factory=lambda: DescriptionStyle(description_width="initial")
    )

    def close(self) -> None:
        """Close the models."""
        for widget in vars(self).values():
            widget.close()


class ParameterControl:
    """A slider and a number box for one element of the vector.

    The box holds the value: it may lie beyond the slider's range, or between two of
    its steps, and is not rounded by the slider. Its description is the label and unit.

    Parameters
    ----------
    control : Control
        Name, range and scale.
    value : float
        Where it begins [model units].
    on_change : callable
        Takes the name and the new value after the user has moved something.
    looks : Looks, optional
        To be shared among controls.
    """

    def __init__(
        self,
        control: Control,
        value: float,
        on_change: Callable[[str, float], None],
        looks: Looks | None = None,
    ):
        looks = looks or Looks()
        self.control = control
        low, high = (float(control.scaled(edge)) for edge in control.interval)
        self._step = (high - low) / STEPS
        self._on_change = on_change
        self._programmatic = False
        self._low = low
        self._echoes: list[tuple[float, float]] = []  # when, and where it was before
        name, unit = control.element, control.unit
        logarithmic = control.logarithmic
        kind = ipywidgets.FloatLogSlider if logarithmic else ipywidgets.FloatSlider
        self.slider = kind(
            value=self._on_grid(value),
            min=low,
            max=high,
            step=self._step,
            readout=False,
            description=name,
            tooltip=f"{name} [{unit}]" if unit else name,
            style=looks.slider_style,
            layout=looks.slider,
        )
        bracketed = f"[{unit}]" if unit else ""
        self.number = ipywidgets.FloatText(
            value=value,
            step=None,
            description=" ".join(filter(None, [control.label, bracketed])),
            tooltip=f"value of {name}",
            style=looks.number_style,
            layout=looks.number,
        )
        self.slider.observe(self._slider_moved, "value")
        self.number.observe(self._number_typed, "value")

    @property
    def value(self) -> float:
        """The value [model units]."""
        return self.number.value

    @property
    def disabled(self) -> bool:
        """Whether it stands still."""
        return self.slider.disabled

    @disabled.setter
    def disabled(self, disabled: bool) -> None:
        self.slider.disabled = self.number.disabled = disabled

    def set(self, value: float) -> None:
        """Move both controls without telling `on_change`."""
        place = self._on_grid(self.number.value)
        self._echoes = [*self._echoes[1 - MOST_ECHOES :], (time.monotonic(), place)]
        self._programmatic = True
        try:
            self.number.value = value
            self.slider.value = self._on_grid(value)
        finally:
            self._programmatic = False

    def close(self) -> None:
        """Close both."""
        self.slider.close()
        self.number.close()

    def _on_grid(self, value: float) -> float:
        """Return the value of the slider's nearest step."""
        steps = round(
            (self.control.scaled(self.control.within(value)) - self._low) / self._step
        )
        place = self._low + steps * self._step
        return _plain(10.0**place if self.control.logarithmic else place)

    def _is_echo(self, value: float) -> bool:
        """Whether a slider only reports where it was put, and nobody moved it.

        It does when it is shown, rounded to its grid. Such a report may come late, when
        it has been put elsewhere already; a move of the user's that is taken for one
        is sent again by the page.
        """
        begun = time.monotonic() - SECONDS_OF_AN_ECHO
        self._echoes = [echo for echo in self._echoes if echo[0] > begun]

        def distance(place: float) -> float:
            return abs(self.control.scaled(value) - self.control.scaled(place))

        return distance(self._on_grid(self.number.value)) < 0.49 * self._step or any(
            distance(place) < 1e-3 * self._step for _, place in self._echoes
        )

    def _slider_moved(self, change: dict) -> None:
        if self._programmatic or self._is_echo(change["new"]):
            return
        self._echoes = []
        self._programmatic = True
        try:
            self.number.value = _plain(change["new"])
        finally:
            self._programmatic = False
        self._on_change(self.control.element, self.value)

    def _number_typed(self, change: dict) -> None:
        if self._programmatic:
            return
        self.set(change["new"])
        self._on_change(self.control.element, self.value)


def _plain(value: float) -> float:
    """Return a value without the noise of arithmetic: 1.475, not 1.4749999999999999."""
    return float(f"{value:.12g}")
