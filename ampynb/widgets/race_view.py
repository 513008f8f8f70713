"""The monitors of a race side by side, and who is ahead."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

import ipywidgets
import numpy as np
from IPython.display import DisplayHandle, display

from ampynb.inference.race import Race
from ampynb.widgets.cell import running_request
from ampynb.widgets.closing import close_all
from ampynb.widgets.controls_view import ControlsView
from ampynb.widgets.monitor import STYLE, RunMonitor
from ampynb.widgets.static import bundle_of

__all__ = ["RaceView", "bars_html"]

SECONDS_PER_LOOK = 0.25
SHARE_OF_TIME = 0.06  # of one core, for all monitors together: a race is to be watched
STOPPING = "■ stopping"
STOP_ALL = {
    "do": "stop",
    "text": "Stop all",
    "title": "end all runs and keep every draw",
    "asked": STOPPING,
}


class RaceView:
    """Shows the runs of a race while they sample, and a static record after.

    Parameters
    ----------
    race : Race

    Attributes
    ----------
    monitors : dict of str to RunMonitor
    """

    def __init__(self, race: Race):
        self.race = race
        share = SHARE_OF_TIME / len(race.runs)
        self.monitors = {
            name: RunMonitor(run, share) for name, run in race.runs.items()
        }
        self._handle: DisplayHandle | None = None
        self._shown_by = ""
        self._pump: threading.Thread | None = None
        self._closed = False
        self.bars = ipywidgets.HTML(layout=ipywidgets.Layout(width="100%"))
        self.controls = ControlsView(self._stop)
        columns = [_column(name, one) for name, one in self.monitors.items()]
        row = ipywidgets.Layout(flex_flow="row wrap", width="100%")
        self.widget = ipywidgets.VBox(
            [self.bars, self.controls, ipywidgets.HBox(columns, layout=row)]
        )
        self.widget.add_class("ampynb-run")
        self._update()

    def display(self) -> None:
        """Show the view under the present cell; the record replaces it later."""
        self._handle = display(self._live_bundle(), raw=True, display_id=True)
        self._shown_by = running_request()
        self._start()

    @property
    def is_shown_here(self) -> bool:
        """Whether the present cell, in its present run, shows the view."""
        return bool(self._shown_by) and self._shown_by == running_request()

    def mimebundle(self) -> dict[str, Any]:
        """Return the live view of a race that goes on, the record of one that ended."""
        if self.race.ended:
            return {"text/html": self.record()}
        self._start()
        return self._live_bundle()

    def settle(self) -> None:
        """Wait until the record of the ended race is shown."""
        if self._pump is not None:
            self._pump.join()

    def close(self) -> None:
        """Close every widget of the view; the race goes on."""
        self._closed = True
        for monitor in self.monitors.values():
            monitor.close()
        close_all([self.widget])

    def record(self) -> str:
        """Return the race as static HTML: who was how fast, and each run's record."""
        rates = {
            name: standing.ess_per_second
            for name, standing in self.race.standings.items()
        }
        table = self.race.table.to_html(float_format="{:.4g}".format, border=0)
        runs = "".join(
            f"<section><h4>{escape(name)}</h4>{monitor.mimebundle()['text/html']}"
            "</section>"
            for name, monitor in self.monitors.items()
        )
        return (
            f'{STYLE}<div class="ampynb-run">{bars_html(rates)}'
            f'<div class="ampynb-run-table">{table}</div>'
            f'<div class="ampynb-race-runs">{runs}</div></div>'
        )

    def _live_bundle(self) -> dict[str, Any]:
        return bundle_of(self.widget, repr(self.race))

    def _start(self) -> None:
        for monitor in self.monitors.values():
            monitor.mimebundle()  # lets it follow its run
        if self._pump is None:
            self._pump = threading.Thread(
                target=self._keep_up, name="ampynb-race", daemon=True
            )
            self._pump.start()

    def _keep_up(self) -> None:
        while not (self.race.ended or self._closed):
            self._update()
            time.sleep(SECONDS_PER_LOOK)
        if self._closed:
            return
        for monitor in self.monitors.values():
            monitor.settle()
        self._update()
        if self._handle is not None:
            record = {"text/html": self.record(), "text/plain": repr(self.race)}
            self._handle.update(record, raw=True)
            self.close()

    def _stop(self, _: dict[str, Any]) -> None:
        self.race.stop()
        self._update_controls()

    def _update_controls(self) -> None:
        stopping = all(run.is_stopping for run in self.race.runs.values())
        self.controls.buttons = [{**STOP_ALL, "disabled": stopping or self.race.ended}]
        self.controls.state = {"text": STOPPING} if stopping else {}

    def _update(self) -> None:
        self._update_controls()
        self.bars.value = bars_html(dict(self._rates()))

    def _rates(self) -> Iterator[tuple[str, float]]:
        """Yield effective samples per second, by each run's own time, as known now."""
        if self.race.ended:
            for name, standing in self.race.standings.items():
                yield name, standing.ess_per_second
            return
        for name, monitor in self.monitors.items():
            yield name, monitor.found.get("ess_per_second", np.nan)


def _column(name: str, monitor: RunMonitor) -> ipywidgets.Widget:
    title = ipywidgets.HTML(f"<h4>{escape(name)}</h4>")
    layout = ipywidgets.Layout(flex="1 1 24em", min_width="min(20em, 100%)")
    return ipywidgets.VBox([title, monitor.widget], layout=layout)


def bars_html(rates: Mapping[str, float]) -> str:
    """Return effective samples per second as bars, the fastest marked.

    Parameters
    ----------
    rates : dict of str to float
        NaN where it is not known.
    """
    known = {name: rate for name, rate in rates.items() if np.isfinite(rate)}
    most = max(known.values(), default=0.0)
    rows = "".join(
        _bar_html(name, rate, rate / most if most and name in known else 0.0)
        for name, rate in rates.items()
    )
    return (
        '<table class="ampynb-race"><caption>effective samples per second, by each '
        f"run's own time</caption>{rows}</table>"
    )


def _bar_html(name: str, rate: float, share: float) -> str:
    told = f"{rate:.3g}" if np.isfinite(rate) else "not known yet"
    first = ' <i role="img" aria-label="the fastest">★</i>' if share == 1.0 else ""
    width = f"{100 * share:.0f}%"
    return (
        f'<tr><th scope="row">{escape(name)}</th><td class="ampynb-race-bar">'
        f'<div style="width:{width};height:0.9em;background:#0072B2"></div></td>'
        f"<td>{told}{first}</td></tr>"
    )
