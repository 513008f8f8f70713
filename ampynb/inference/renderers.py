"""Where a run's events are shown: in a monitor, a terminal, a log file, or nowhere."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from tqdm import tqdm

from ampynb.analysis.visualization import compile_ahead
from ampynb.distributed.hosts import is_first
from ampynb.inference.events import (
    Advanced,
    Event,
    Failed,
    Finished,
    PhaseChanged,
    Started,
)
from ampynb.inference.run import Renderer, Run

if TYPE_CHECKING:
    from ampynb.inference.race import Race
    from ampynb.widgets.monitor import RunMonitor
    from ampynb.widgets.race_view import RaceView

__all__ = [
    "EVENT_LOG",
    "JsonLines",
    "Lines",
    "ProgressBar",
    "check_progress",
    "in_notebook",
    "number_text",
    "race_view_of",
    "renderers_for",
]

EVENT_LOG = "AMPYNB_EVENT_LOG"
CHOICES = ("auto", "widget", "terminal", "json", "none")
SECONDS_BETWEEN_LINES = 30.0


class ProgressBar:
    """A progress bar in a terminal."""

    def __init__(self, stream: TextIO):
        self._stream = stream
        self._bar: Any = None

    def show(self, event: Event) -> None:
        """Move the bar."""
        if isinstance(event, Started):
            self._bar = tqdm(
                total=event.total,
                initial=event.step,
                file=self._stream,
                unit="step",
            )
        elif isinstance(event, PhaseChanged):
            self._bar.set_description(event.phase)
        elif isinstance(event, Advanced):
            self._bar.set_postfix_str(metrics_text(event), refresh=False)
            self._bar.update(event.step - self._bar.n)
        elif isinstance(event, Finished | Failed):
            self._bar.set_description(last_words(event))
            self._bar.close()


class Lines:
    """A line now and then, for logs that are not a terminal."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic):
        self._stream, self._clock = stream, clock
        self._next = clock() + SECONDS_BETWEEN_LINES

    def show(self, event: Event) -> None:
        """Print the event if it is the last one, or if it is time for a line."""
        if isinstance(event, Finished | Failed):
            print(last_words(event), file=self._stream, flush=True)
        elif isinstance(event, Advanced) and self._clock() >= self._next:
            self._next = self._clock() + SECONDS_BETWEEN_LINES
            of_total = "" if event.total is None else f"/{event.total}"
            line = f"{event.phase} {event.step}{of_total} {metrics_text(event)}"
            print(line, file=self._stream, flush=True)


class JsonLines:
    """Every event as one line of JSON, to a stream or appended to a file."""

    def __init__(self, target: TextIO | Path):
        self._target = target

    def show(self, event: Event) -> None:
        """Write one line."""
        line = json.dumps(event.as_dict()) + "\n"
        if isinstance(self._target, Path):
            with self._target.open("a") as file:
                file.write(line)
        else:
            self._target.write(line)
            self._target.flush()


def metrics_text(event: Advanced) -> str:
    """Return the algorithm's numbers in a few words."""
    return ", ".join(
        f"{name.replace('_', ' ')} {number_text(value)}"
        for name, value in event.metrics.items()
    )


def number_text(value: float) -> str:
    """Return a metric in few digits: counts whole, logarithms to the hundredth."""
    if isinstance(value, int):
        return f"{value}"
    return f"{value:.3g}" if abs(value) < 10 else f"{value:.2f}"


def last_words(event: Finished | Failed) -> str:
    """Return how a run ended in one line."""
    how = event.reason if isinstance(event, Finished) else f"failed: {event.message}"
    return f"{how} after {event.step} steps in {event.seconds:.1f} s"


def in_notebook() -> bool:
    """Whether there is a kernel that can show widgets."""
    if "ipykernel" not in sys.modules:
        return False
    from IPython.core.getipython import get_ipython

    return getattr(get_ipython(), "kernel", None) is not None


def monitor_of(run: Run) -> RunMonitor:
    """Return a fresh monitor of a run."""
    from ampynb.widgets.monitor import RunMonitor

    return RunMonitor(run)


def race_view_of(race: Race) -> RaceView:
    """Return a fresh view of a race."""
    from ampynb.widgets.race_view import RaceView

    return RaceView(race)


def check_progress(progress: Any) -> None:
    """Raise `ValueError` for what is no way to show a run."""
    is_renderer = callable(getattr(progress, "show", None))
    if not (isinstance(progress, bool) or is_renderer or progress in CHOICES):
        raise ValueError(
            f"expected progress among {', '.join(map(repr, CHOICES))}, or an object "
            f"with a show(event) method; got {progress!r}; use 'auto'"
        )


def renderers_for(progress: str | bool | Renderer, run: Run) -> list[Renderer]:
    """Return who shows a run; of several processes, the first alone does.

    Parameters
    ----------
    progress : str, bool or object with ``show(event)``
        ``"auto"`` is a monitor in a notebook, a bar in a terminal, and a line every 30
        seconds elsewhere. The file named by the variable ``AMPYNB_EVENT_LOG`` also
        gets every event, as JSON lines.
    """
    check_progress(progress)
    if not is_first():
        return []
    log = os.environ.get(EVENT_LOG)
    logged: list[Renderer] = [JsonLines(Path(log))] if log else []
    if isinstance(progress, bool):
        progress = "auto" if progress else "none"
    if not isinstance(progress, str):
        return [progress, *logged]
    if progress == "auto":
        progress = "widget" if in_notebook() else "terminal"
    if progress == "widget":
        compile_ahead(run.posterior)
        monitor = monitor_of(run)
        monitor.display()
        return [monitor, *logged]
    if progress == "terminal":
        stream = sys.stderr
        return [ProgressBar(stream) if stream.isatty() else Lines(stream), *logged]
    return [JsonLines(sys.stderr), *logged] if progress == "json" else logged
