"""The live view of a run: numbers, traces, the best fit, and its controls."""

from __future__ import annotations

import base64
import threading
import time
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets
from IPython.display import DisplayHandle, display

from ampynb.inference.events import Event
from ampynb.inference.run import Run, RunStatus
from ampynb.results.live_numbers import live_numbers
from ampynb.widgets.cell import running_request
from ampynb.widgets.closing import close_all
from ampynb.widgets.controls_view import ControlsView
from ampynb.widgets.live_picture import LivePicture
from ampynb.widgets.picture_view import PictureView
from ampynb.widgets.run_controls import RunControls, state_text
from ampynb.widgets.run_details import details_html
from ampynb.widgets.run_numbers import duration, numbers_html, progress_of, quality_of
from ampynb.widgets.static import bundle_of
from ampynb.widgets.threads import in_thread
from ampynb.widgets.throttle import Throttle

__all__ = ["STYLE", "RunMonitor"]

SECONDS_PER_LOOK = 0.125
SECONDS_PER_PICTURE = 0.5
SECONDS_PER_SENTENCE = 5.0  # to those who hear it
SHARE_OF_TIME = 0.006  # of one core, at most, for pictures and diagnostics
STYLE = f"<style>{(Path(__file__).parent / 'monitor.css').read_text()}</style>"
ALT = "traces of the parameters, their distributions, and the best fit"
DETAILS = {
    "do": "details",
    "text": "Details",
    "title": "show each chain, each temperature, or the live points",
}
BARS = {"completed": "success", "failed": "danger"}


class RunMonitor:
    """Shows one run while it samples, and a static record of it when it has ended.

    The run's thread only leaves word that something happened. A thread of the monitor
    reads the run and is the only one that writes to the widgets, at a bounded rate.

    Parameters
    ----------
    run : Run
    share : float
        Of one core, at most, for pictures and diagnostics.

    Attributes
    ----------
    found : dict of str to float
        What `live_numbers` said last, and ``ess_per_second`` of computing time.
    """

    def __init__(self, run: Run, share: float = SHARE_OF_TIME):
        self.run = run
        self._picture = LivePicture(run.posterior, run.history)
        self.found: dict[str, float] = {}
        self._handle: DisplayHandle | None = None
        self._shown_by = ""
        self._opened, self._detailing = False, threading.Lock()
        self._pump: threading.Thread | None = None
        self._closed = False
        self._no_picture = ""
        self._drawing = Throttle(SECONDS_PER_PICTURE, share)
        self._speaking = Throttle(SECONDS_PER_SENTENCE, 1.0)
        self._make_widgets()
        self._update_numbers()

    def _make_widgets(self) -> None:
        whole = ipywidgets.Layout(width="100%", margin="0")
        self.controls = RunControls(self.run)
        self.numbers = ipywidgets.HTML(layout=whole)
        self.alert = ipywidgets.HTML(layout=whole)
        self.spoken = ipywidgets.HTML(layout=whole)
        self.details = ipywidgets.HTML(layout=whole)
        self.details_button = ControlsView(self._toggle_details)
        self._show_details_button()
        self.bar = ipywidgets.FloatProgress(
            min=0,
            max=1,
            layout=ipywidgets.Layout(width="100%", height="6px", margin="0"),
        )
        self.picture = PictureView(alt=ALT)
        self.widget = ipywidgets.VBox(
            [
                self.spoken,
                self.controls.widget,
                self.bar,
                self.numbers,
                self.alert,
                self.picture,
                self.details_button,
                self.details,
            ]
        )
        self.widget.add_class("ampynb-run")

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
        self._shown_by = running_request()

    @property
    def is_shown_here(self) -> bool:
        """Whether the present cell, in its present run, shows the monitor."""
        return bool(self._shown_by) and self._shown_by == running_request()

    def mimebundle(self) -> dict[str, Any]:
        """Return the live view of a run that goes on, the record of one that ended."""
        if self.run.status.ended:
            self._update_all()
            return {"text/html": self.record()}
        self._start_pump()
        return self._live_bundle()

    def _live_bundle(self) -> dict[str, Any]:
        return bundle_of(self.widget, repr(self.run))

    def close(self) -> None:
        """Close every widget of the monitor; the run goes on."""
        self._closed = True
        close_all([self.widget])

    # The pump

    def _start_pump(self) -> None:
        if self._pump is None:
            self._pump = threading.Thread(
                target=self._keep_up, name="ampynb-monitor", daemon=True
            )
            self._pump.start()

    def _keep_up(self) -> None:
        while not (self.run.status.ended or self._closed):
            self._update_numbers()
            if self._drawing.is_due and self.run.history.best() is not None:
                self._draw_or_say_why_not()
            time.sleep(SECONDS_PER_LOOK)
        if self._closed:
            return
        self._update_all()
        if self._handle is not None:
            self._handle.update(
                {"text/html": self.record(), "text/plain": repr(self.run)}, raw=True
            )
            self.close()

    def _update_all(self) -> None:
        self._draw_or_say_why_not()
        self._update_numbers()

    def _draw_or_say_why_not(self) -> None:
        """Draw; a picture that fails is reported, and the numbers go on."""
        with self._drawing.working():
            try:
                self._draw()
                self._no_picture = ""
            except Exception as error:
                self._no_picture = f"no picture: {type(error).__name__}: {error}"

    def _draw(self) -> None:
        seconds = self.run.status.seconds
        found = live_numbers(self.run.history, self.run.algorithm)
        if "ess" in found and seconds:
            found["ess_per_second"] = found["ess"] / seconds
        self.found = found
        self._update_details()
        whole = self.run.status.ended
        png = self.run.picture or self._picture.png(whole=whole)
        if png is not None:
            self.picture.value = png

    def _toggle_details(self, _: dict[str, Any]) -> None:
        self._opened = not self._opened
        self._show_details_button()
        in_thread(self._update_details)

    def _show_details_button(self) -> None:
        self.details_button.buttons = [{**DETAILS, "pressed": self._opened}]

    def _update_details(self) -> None:
        """Make the tables, but only for those who look."""
        with self._detailing:
            self.details.value = details_html(self.run) if self._opened else ""

    def _update_numbers(self) -> None:
        status = self.run.status
        self.bar.value, self.bar.bar_style = status.fraction, BARS.get(status.state, "")
        self.controls.update()
        self.numbers.value = self._numbers_html(status)
        self.alert.value = self._alert_html(status)
        if self._speaking.is_due or status.ended:
            with self._speaking.working():
                self.spoken.value = STYLE + _spoken_html(status)

    def _numbers_html(self, status: RunStatus) -> str:
        return numbers_html(progress_of(self.run, status)) + numbers_html(
            quality_of(self.run, status, self.found)
        )

    def _alert_html(self, status: RunStatus) -> str:
        """Return what is wrong, in words, where something is."""
        trouble = self.controls.trouble * (not status.ended)
        told = [self._no_picture, trouble, *status.warnings, status.rejected]
        if status.state == "failed":
            kept = "; the draws before it are kept" if status.step else ""
            told.insert(0, f"the run failed: {status.message}{kept}")
        lines = "".join(f"<div>⚠ {escape(line)}</div>" for line in told if line)
        return f'<div class="ampynb-run-alert" role="alert">{lines}</div>' * bool(lines)

    # The record

    def record(self) -> str:
        """Return the run as static HTML: numbers, the last picture, and details."""
        png = base64.b64encode(self.picture.value).decode()
        picture = (
            f'<img class="ampynb-run-picture" alt="{ALT}" style="max-width:100%" '
            f'src="data:image/png;base64,{png}">'
            if png
            else ""
        )
        return (
            f'{STYLE}<div class="ampynb-run">{_head_html(self.run)}'
            f"{self.numbers.value}{self.alert.value}"
            f"{picture}<details><summary>Details</summary>{details_html(self.run)}"
            "</details></div>"
        )


def _head_html(run: Run) -> str:
    """Return the state of a run, as the page shows it of one that goes on."""
    text, more = map(escape, state_text(run, run.status))
    return f'<div class="ampynb-run-head"><b>{text}</b> <small>{more}</small></div>'


def _spoken_html(status: RunStatus) -> str:
    """Return a sentence for those who do not see the numbers."""
    left = status.seconds_left
    soon = "" if left is None or status.ended else f", {duration(left)} left"
    told = f"{status.state}, step {status.steps}, {100 * status.fraction:.0f} %{soon}"
    return f'<div class="ampynb-run-spoken" role="status">{told}</div>'
