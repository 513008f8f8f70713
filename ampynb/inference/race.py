"""Several samplers on one problem, side by side."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, TextIO

from ampynb.analysis.analysis import Analysis
from ampynb.inference.engine import InferenceEngine
from ampynb.inference.events import Event, Failed, Finished
from ampynb.inference.renderers import in_notebook, last_words, race_view_of
from ampynb.inference.request import Request
from ampynb.inference.run import Renderer, Run
from ampynb.inference.turns import drive_in_turns
from ampynb.inference.waiting import wait_or_stop
from ampynb.model.model import Model
from ampynb.model.options import names_options
from ampynb.model.parameter import Collection
from ampynb.results.race_table import Standing, evaluations_in, standing_of
from ampynb.results.result import Result

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Race", "race"]

CHOICES = ("auto", "widget", "terminal", "none")
EXAMPLE = "race(analysis, model, ['ensemble', 'nuts'])"


@names_options
def race(
    analysis: Analysis,
    model: Model | Collection,
    samplers: Mapping[str, Mapping[str, Any]] | Sequence[str],
    seed: int = 0,
    *,
    progress: str = "auto",
) -> Race:
    """Let several samplers draw from one posterior, and compare how fast they are.

    They take turns in one worker thread: the next chunk of steps is always that of the
    sampler which has computed for the least time. So each has the machine for itself
    while it computes, all are equally far in time, and effective samples per second,
    by each run's own time, can be compared. That time has compilation and burn-in in
    it, as a user has to wait for both.

    Parameters
    ----------
    analysis : Analysis
    model : Model or Collection
    samplers : dict of str to dict, or sequence of str
        Options of `InferenceEngine.start` by the sampler's name, or by a name of your
        own beside an option ``sampler``; or names alone.
    seed : int
        Of every run.
    progress : str
        ``"auto"``, ``"widget"``, ``"terminal"`` or ``"none"``.

    Returns
    -------
    Race
        At once; show it as the last expression of a cell, or `Race.wait` for it.

    Examples
    --------
    ::

        race = anb.race(
            analysis,
            model,
            {
                "ensemble": dict(nwalkers=32, iterations=5000, burn=1000),
                "nuts": dict(nwalkers=4, iterations=1000, burn=500),
                "dense": dict(sampler=anb.NUTS(dense_mass=True), iterations=1000),
            },
            seed=1,
        )
        race.wait()
        race.table
    """
    if progress not in CHOICES:
        raise ValueError(
            f"expected progress among {', '.join(map(repr, CHOICES))}; got "
            f"{progress!r}; use 'auto'"
        )
    runs: dict[str, Run] = {}
    try:
        for name, options in _options_of(samplers).items():
            request = Request(**{"sampler": name, **options})
            engine = InferenceEngine(analysis, model, seed=seed)
            runs[name] = engine.prepare(request)
    except BaseException:
        for run in runs.values():
            run.close()
        raise
    return Race(runs, progress)


def _options_of(samplers: Any) -> dict[str, dict[str, Any]]:
    """Return the options of each sampler, by name."""
    if isinstance(samplers, Mapping):
        options = dict(samplers)
    elif isinstance(samplers, Sequence) and not isinstance(samplers, str):
        options = {name: {} for name in samplers}
        if len(options) < len(samplers):
            raise ValueError(
                "expected each sampler once; got "
                f"{', '.join(map(str, samplers))}; give a dictionary with names of "
                "your own, {'first': dict(sampler='nuts'), ...}"
            )
    else:
        raise TypeError(
            "expected samplers as a dictionary of options by name, or as a list of "
            f"names; got {type(samplers).__qualname__}; call for instance {EXAMPLE}"
        )
    if not options:
        raise ValueError(
            f"expected samplers to race; got none; call for instance {EXAMPLE}"
        )
    for name, given in options.items():
        known = isinstance(name, str) and isinstance(given, Mapping)
        unknown = set(given) - set(Request.__dataclass_fields__) if known else ()
        if not known or unknown:
            told = f"unknown {', '.join(sorted(unknown))}" if unknown else f"{given!r}"
            raise TypeError(
                f"expected options of InferenceEngine.start for {name!r}; got {told}; "
                "give for instance {'nuts': dict(nwalkers=4, iterations=1000)}"
            )
    return {name: dict(given) for name, given in options.items()}


class Race:
    """Runs of one problem that take turns; `race` makes one.

    Attributes
    ----------
    runs : dict of str to Run
        Each can be paused, resumed and stopped by itself.
    """

    def __init__(self, runs: Mapping[str, Run], progress: str = "none"):
        self.runs = dict(runs)
        self._view: Any = None
        self._standings: dict[str, Standing] = {}
        self._thread: threading.Thread | None = None
        renderers = self._renderers(progress)
        self._thread = drive_in_turns(list(self.runs.values()), renderers)

    def _renderers(self, progress: str) -> list[list[Renderer]]:
        if progress == "auto":
            progress = "widget" if in_notebook() else "terminal"
        if progress == "widget":
            self._view = race_view_of(self)
            self._view.display()
            return [[monitor] for monitor in self._view.monitors.values()]
        if progress == "terminal":
            return [[_LastWords(name, sys.stderr)] for name in self.runs]
        return [[] for _ in self.runs]

    def pause(self) -> None:
        """Hold all runs at the end of their present chunk."""
        for run in self.runs.values():
            run.pause()

    def resume(self) -> None:
        """Let all runs go on."""
        for run in self.runs.values():
            run.resume()

    def stop(self) -> None:
        """End all runs, and keep every draw."""
        for run in self.runs.values():
            run.stop()

    def wait(self, timeout: float | None = None) -> dict[str, Result]:
        """Wait until all have ended, and return their results.

        One that failed has its draws and its error in its result; the others go on. An
        interrupt stops all and keeps every draw.

        Raises
        ------
        TimeoutError
            Where they go on after ``timeout`` seconds.
        """
        if not wait_or_stop(self._ends_within, self.stop, timeout):
            going = [name for name, run in self.runs.items() if not run.status.ended]
            raise TimeoutError(
                f"expected the race to end within {timeout} s; {', '.join(going)} "
                "go on; wait longer, or stop() it"
            )
        if self._view is not None:
            self._view.settle()
        return self.results

    def _ends_within(self, seconds: float) -> bool:
        if self._thread is not None:
            self._thread.join(seconds)
        return self.ended

    @property
    def ended(self) -> bool:
        """Whether no more draws will come."""
        return self._thread is not None and not self._thread.is_alive()

    @property
    def results(self) -> dict[str, Result]:
        """The results of runs that have all ended.

        Raises
        ------
        RuntimeError
            While one goes on.
        """
        return {name: run.result for name, run in self.runs.items()}

    @property
    def standings(self) -> dict[str, Standing]:
        """Where each sampler is now; the draws are looked at, which takes a moment."""
        return {name: self._standing(name) for name in self.runs}

    def _standing(self, name: str) -> Standing:
        if name in self._standings:
            return self._standings[name]
        run, status = self.runs[name], self.runs[name].status
        counted = evaluations_in(
            run.history, run.algorithm, status.step, status.metrics
        )
        standing = standing_of(run.inspect(), counted)
        if standing.state != "running":
            self._standings[name] = standing
        return standing

    @property
    def table(self) -> pd.DataFrame:
        """The standings, one row for each sampler."""
        import pandas as pd

        rows = self.standings
        table = pd.DataFrame(list(rows.values()), index=list(rows))
        return table.astype({"evaluations": "Int64"})

    # Views

    def __repr__(self) -> str:
        lines = [f"{name}: {run!r}" for name, run in self.runs.items()]
        return "\n".join([f"Race of {len(lines)} samplers", *lines])

    def _ipython_display_(self) -> None:
        """Show nothing more in the cell that shows the race."""
        if self._view is None or not self._view.is_shown_here:
            raise NotImplementedError  # so that IPython asks for the bundle

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        """Show all monitors while the race goes on, and their record after."""
        text = {"text/plain": repr(self)}
        if in_notebook():
            return text | race_view_of(self).mimebundle()
        table = self.table.round(4).to_html(border=0)
        return text | {"text/html": f"<b>{escape(repr(self))}</b>{table}"}


class _LastWords:
    """Says in one line how a run has ended."""

    def __init__(self, name: str, stream: TextIO):
        self._name, self._stream = name, stream

    def show(self, event: Event) -> None:
        """Print the last event."""
        if isinstance(event, Finished | Failed):
            print(f"{self._name}: {last_words(event)}", file=self._stream, flush=True)
