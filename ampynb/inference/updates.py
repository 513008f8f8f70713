"""Updates on the best point so far: what an analysis and its visualizer draw of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ampynb.algorithms.algorithm import SAMPLING
from ampynb.analysis.hooks import is_written
from ampynb.analysis.joint import JointAnalysis
from ampynb.analysis.posterior import Posterior
from ampynb.analysis.visualization import compile_ahead
from ampynb.inference.parts import Part, parts_of
from ampynb.results.history import Best, History

__all__ = ["Updates"]

SECONDS_BETWEEN_UPDATES = 2.0
SHARE_OF_TIME = 0.1  # that updates may take of the run, which waits for them


class Updates:
    """Draws the best point so far, when there is a better one and it is time to.

    Parameters
    ----------
    posterior : Posterior
    folder : Path, optional
    history : History
    tell : callable
        Takes the name of a hook and what it raised. One that has raised while the run
        went on is asked no more until the run's end.
    every : int, optional
        Steps from one update to the next; by default some seconds pass, so many that
        updates take a small share of the run.
    """

    def __init__(
        self,
        posterior: Posterior,
        folder: Path | None,
        history: History,
        tell: Callable[[str, Exception], Any],
        every: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._pictures: dict[str, bytes] = {}
        self.parts = list(parts_of(posterior.analysis, folder))
        self._posterior, self._history, self._tell = posterior, history, tell
        self._every, self._clock = every, clock
        self._next_step, self._next = 0, -float("inf")
        self._drawn = -float("inf")
        self._switched_off: set[str] = set()
        self._thread: threading.Thread | None = None
        self._are_wanted = any(
            is_written(part.analysis, "perform_quick_update")
            or part.analysis.Visualizer is not None
            for part in self.parts
        )

    @property
    def picture(self) -> bytes | None:
        """The last quick update as PNG, or else the last picture of the fit.

        Of joined analyses, what is drawn of all together.
        """
        return self._pictures.get("quick_update", self._pictures.get("fit"))

    def begin(self) -> None:
        """Draw what can be before the first draw, and compile what comes later."""
        if not self._are_wanted:
            return
        compile_ahead(self._posterior)
        for part in self.parts:
            visualizer: Any = part.analysis.Visualizer
            if visualizer is not None:
                method = visualizer.visualize_before_fit
                model = self._posterior.model
                self._draw(part, method, "before_fit", part.analysis, model=model)

    def observe(self, step: int) -> None:
        """Draw if it is time to; in a thread where the analysis allows that."""
        is_busy = self._thread is not None and self._thread.is_alive()
        if not self._are_wanted or is_busy or not self._is_due(step):
            return
        best = self._best()
        if best is None or best.value <= self._drawn:
            return
        self._next_step = step + (self._every or 0)
        if self._posterior.analysis.supports_background_update:
            self._thread = threading.Thread(
                target=self._update, args=(best,), name="ampynb-update", daemon=True
            )
            self._thread.start()
        else:
            self._update(best)

    def end(self) -> None:
        """Draw the best point of all, and then that of the result, once more."""
        best = self._best()
        if not self._are_wanted or best is None:
            return
        self._switched_off.clear()
        if best.value > self._drawn:
            self._quick(best)
        sampled = self._history.best("log_likelihood", SAMPLING)
        self._visualize(sampled or best, during_analysis=False)

    def wait(self) -> None:
        """Wait for an update that is made beside the run."""
        if self._thread is not None:
            self._thread.join()

    def _is_due(self, step: int) -> bool:
        if self._every is not None:
            return step >= self._next_step
        return self._clock() >= self._next

    def _best(self) -> Best | None:
        return self._history.best("log_likelihood")

    def _update(self, best: Best) -> None:
        begun, self._drawn = self._clock(), best.value
        self._quick(best)
        self._visualize(best, during_analysis=True)
        ended = self._clock()
        wait = max(SECONDS_BETWEEN_UPDATES, (ended - begun) / SHARE_OF_TIME)
        self._next = ended + wait

    def _quick(self, best: Best) -> None:
        whole = self._posterior.model.instance_from_vector(best.position)
        for part in self.parts:
            if is_written(part.analysis, "perform_quick_update"):
                method = part.analysis.perform_quick_update
                self._draw(part, method, "quick_update", instance=whole)

    def _visualize(self, best: Best, during_analysis: bool) -> None:
        whole = self._posterior.model.instance_from_vector(best.position)
        for part in self.parts:
            visualizer: Any = part.analysis.Visualizer
            if visualizer is None:
                continue
            joins = isinstance(part.analysis, JointAnalysis)
            method = visualizer.visualize_combined if joins else visualizer.visualize
            self._draw(
                part,
                method,
                "fit",
                part.analysis,
                instance=whole,
                during_analysis=during_analysis,
            )

    def _draw(
        self, part: Part, method: Callable, image: str, *first: Any, **named: Any
    ) -> None:
        """Let a hook draw, keep what it returns, and tell where it fails."""
        hook = part.label(method.__name__)
        if hook in self._switched_off:
            return
        try:
            if "instance" in named:
                named["instance"] = part.instance_of(named["instance"])
            returned = method(*first, part.own_folder(), **named)
            png = part.keep(returned, image)
        except Exception as error:
            self._switched_off.add(hook)
            self._tell(hook, error)
            return
        if png is not None and part is self.parts[0]:
            self._pictures[image] = png
