"""The live view of a run: numbers, traces, the best fit, and its three buttons."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Iterator
from html import escape
from typing import Any

import ipywidgets
import numpy as np
from IPython.display import DisplayHandle, display

from ampynb.algorithms.algorithm import SAMPLING
from ampynb.inference.events import Event
from ampynb.inference.renderers import number_text
from ampynb.inference.run import Run, RunStatus
from ampynb.results.diagnostics import GOOD_ESS, GOOD_R_HAT, live_diagnostics
from ampynb.widgets.live_picture import LivePicture

__all__ = ["RunMonitor"]

SECONDS_PER_NUMBERS = 0.125
SECONDS_PER_PICTURE = 0.5
SHARE_OF_TIME = 0.04  # of one core, at most, for pictures and diagnostics
DRAWS_FOR_DIAGNOSTICS = 1000
SIGNS = {  # of shapes that every font has
    "compiling": "○",
    "warmup": "◐",
    "sampling": "●",
    "pausing": "‖",
    "paused": "‖",
    "stopping": "■",
    "completed": "✓",
    "stopped": "■",
    "failed": "✗",
}
CELL = "padding:0 1.2em 0 0;text-align:left;white-space:nowrap"


class RunMonitor:
    """Shows one run while it samples, and a static record of it when it has ended.

    The run's thread only leaves word that something happened. A thread of the monitor
    reads the run and is the only one that writes to the widgets, at a bounded rate.

    Parameters
    ----------
    run : Run
    """

    def __init__(self, run: Run):
        self.run = run
        self._picture = LivePicture(run.posterior, run.history)
        self._diagnostics: dict[str, float] = {}
        self._handle: DisplayHandle | None = None
        self._pump: threading.Thread | None = None
        self._trouble = ""
        self._draw_costs = 0.0
        self._last_drawing = -np.inf
        self._make_widgets()
        self._update_numbers()

    def _make_widgets(self) -> None:
        self.numbers = ipywidgets.HTML()
        self.bar = ipywidgets.FloatProgress(
            min=0, max=1, layout=ipywidgets.Layout(width="100%", height="0.6em")
        )
        self.picture = ipywidgets.Image(
            format="png",
            layout=ipywidgets.Layout(
                max_width="100%", display="none", align_self="flex-start"
            ),
        )
        self.buttons = {
            word: ipywidgets.Button(
                description=word,
                icon=icon,
                tooltip=tooltip,
                layout=ipywidgets.Layout(width="7em"),
            )
            for word, icon, tooltip in (
                ("Pause", "pause", "hold the run after the present chunk of steps"),
                ("Resume", "play", "let the run go on"),
                ("Stop", "stop", "end the run and keep every draw"),
            )
        }
        for word, action in (
            ("Pause", self.run.pause),
            ("Resume", self.run.resume),
            ("Stop", self.run.stop),
        ):
            self.buttons[word].on_click(lambda _, action=action: action())
        self.widget = ipywidgets.VBox(
            [
                ipywidgets.HBox(list(self.buttons.values())),
                self.bar,
                self.numbers,
                self.picture,
            ]
        )

    # The renderer's side

    def show(self, event: Event) -> None:
        """Take note that something happened; the pump does the rest."""
        self._start_pump()

    def settle(self) -> None:
        """Wait until the record of the ended run is shown."""
        if self._pump is not None:
            self._pump.join()

    def display(self) -> None:
        """Show the monitor under the present cell; the record replaces it later."""
        self._handle = display(self._live_bundle(), raw=True, display_id=True)

    def mimebundle(self) -> dict[str, Any]:
        """Return the live view of a run that goes on, the record of one that ended."""
        if self.run.status.ended:
            self._update_all()
            return {"text/html": self.record()}
        self._start_pump()
        return self._live_bundle()

    def _live_bundle(self) -> dict[str, Any]:
        bundle = self.widget._repr_mimebundle_() or {}
        return {**bundle, "text/plain": repr(self.run)}

    def close(self) -> None:
        """Close every widget of the monitor; the run goes on."""
        for widget in (self.widget, *self.widget.children, *self.buttons.values()):
            widget.close()

    # The pump

    def _start_pump(self) -> None:
        if self._pump is None:
            self._pump = threading.Thread(
                target=self._keep_up, name="ampynb-monitor", daemon=True
            )
            self._pump.start()

    def _keep_up(self) -> None:
        while not self.run.status.ended:
            self._update_numbers()
            if self._is_time_to_draw():
                self._draw_or_say_why_not()
            time.sleep(SECONDS_PER_NUMBERS)
        self._update_all()
        if self._handle is not None:
            self._handle.update(
                {"text/html": self.record(), "text/plain": repr(self.run)}, raw=True
            )

    def _update_all(self) -> None:
        self._draw_or_say_why_not()
        self._update_numbers()

    def _is_time_to_draw(self) -> bool:
        wait = max(SECONDS_PER_PICTURE, self._draw_costs / SHARE_OF_TIME)
        return time.monotonic() - self._last_drawing > wait

    def _draw_or_say_why_not(self) -> None:
        """Draw; a picture that fails is told of and does not end the numbers."""
        try:
            self._draw()
            self._trouble = ""
        except Exception as error:
            self._trouble = f"no picture: {type(error).__name__}: {error}"

    def _draw(self) -> None:
        begun = time.thread_time()
        if self.run.algorithm.draws_chains:
            _, drawn = self.run.history.thinned(DRAWS_FOR_DIAGNOSTICS, SAMPLING)
            self._diagnostics = live_diagnostics(drawn)
        png = self._picture.png()
        if png is not None:
            self.picture.value = png
            self.picture.layout.display = None
        self._draw_costs = time.thread_time() - begun
        self._last_drawing = time.monotonic()

    def _update_numbers(self) -> None:
        status = self.run.status
        self.bar.value = status.fraction
        told = " ".join(filter(None, (status.message, self._trouble)))
        text = _numbers_html(status.state, told, self._lines(status))
        if text != self.numbers.value:
            self.numbers.value = text
        ending = status.ended or status.state == "stopping"
        held = status.state in ("pausing", "paused")
        self.buttons["Pause"].disabled = ending or held
        self.buttons["Resume"].disabled = not held
        self.buttons["Stop"].disabled = ending

    def _lines(self, status: RunStatus) -> Iterator[tuple[str, str]]:
        """Yield the monitor's numbers, name and text."""
        yield "step", f"{status.steps} ({100 * status.fraction:.0f} %)"
        if status.rate:
            yield "rate", f"{status.rate:.3g} steps/s"
        yield "time", f"{status.seconds:.1f} s"
        if status.seconds_left is not None and not status.ended:
            yield "time left", _duration(status.seconds_left)
        for name, value in status.metrics.items():
            yield name.replace("_", " "), number_text(value)
        divergences = self.run.history.count("diverging")
        if divergences is not None:
            yield "divergences", _judged(f"{divergences}", divergences == 0)
        if "r_hat" in self._diagnostics:
            r_hat = self._diagnostics["r_hat"]
            yield "worst R-hat", _judged(f"{r_hat:.3f}", r_hat <= GOOD_R_HAT)
        if "ess" in self._diagnostics:
            ess = self._diagnostics["ess"]
            yield "least ESS", _judged(f"{ess:.0f}", ess >= GOOD_ESS)
        if np.isfinite(self._picture.best_log_posterior):
            yield "best ln posterior", f"{self._picture.best_log_posterior:.2f}"

    # The record

    def record(self) -> str:
        """Return the run as static HTML: numbers, moments and the last picture."""
        png = base64.b64encode(self.picture.value).decode()
        alt = "traces of the parameters, and the best fit"
        picture = (
            f'<img alt="{alt}" style="max-width:100%" '
            f'src="data:image/png;base64,{png}">'
            if png
            else ""
        )
        return f"<div>{self.numbers.value}{picture}</div>"


def _judged(text: str, good: bool) -> str:
    """Mark a number as good or bad, by sign and word and not by colour alone."""
    if good:
        return f'<span style="color:#00785a">{text} ✓</span>'
    return f'<span style="color:#b45309">{text} ⚠</span>'


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _numbers_html(state: str, told: str, lines: Iterator[tuple[str, str]]) -> str:
    pairs = list(lines)
    head = "".join(f'<th style="{CELL};opacity:.7">{name}</th>' for name, _ in pairs)
    cells = "".join(f'<td style="{CELL}">{text}</td>' for _, text in pairs)
    message = f'<div role="alert">{escape(told)}</div>' if told else ""
    return (
        f"<div><b>{SIGNS.get(state, '')} {state}</b></div>"
        '<table style="font-variant-numeric:tabular-nums;font-size:90%;'
        f'border-collapse:collapse"><tr>{head}</tr><tr>{cells}</tr></table>{message}'
    )
