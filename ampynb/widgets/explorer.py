"""Sliders over a fit: move a parameter, see the model move."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ampynb.algorithms.optimise import Optimum
from ampynb.analysis.analysis import Analysis
from ampynb.analysis.check import check_likelihood
from ampynb.analysis.posterior import Posterior
from ampynb.inference.run import Run
from ampynb.model.model import Model
from ampynb.model.parameter import Collection
from ampynb.results.result import Result
from ampynb.widgets.board import Board, weakly
from ampynb.widgets.buttons import SLOW, buttons_of, press
from ampynb.widgets.climb import Climb
from ampynb.widgets.closing import close_all
from ampynb.widgets.code import code_of
from ampynb.widgets.comparison import Comparison
from ampynb.widgets.controls import ParameterControl
from ampynb.widgets.launch import launch
from ampynb.widgets.page import page_html
from ampynb.widgets.point import Point
from ampynb.widgets.static import bundle_with_record
from ampynb.widgets.targets import check_result, draw_of, target
from ampynb.widgets.undo import UndoHistory
from ampynb.widgets.worker import Worker

__all__ = ["FitExplorer"]


class FitExplorer:
    """Controls from the parameter table, and the fit through `fit_for_visualization`.

    Ranges are the prior's bounds, or its central 99 % where it has none; the scale is
    logarithmic where the prior is. When a control is grabbed or focused, the fit is
    computed for all its values at once, and the picture follows without the kernel.
    Every button has a method that does the same.

    Parameters are those of `ampynb.explore`.

    Raises
    ------
    ValueError
        Where the result is of another model.
    """

    def __init__(
        self,
        analysis: Analysis,
        model: Model | Collection,
        result: Result | None = None,
        start: Any = None,
        *,
        panels: Sequence[Callable[[Any, Any], Any]] = (),
    ):
        given = Posterior(analysis, model)
        check_likelihood(given)
        self.analysis = analysis
        self.run: Run | None = None
        self._comparison = Comparison(analysis)
        self._result: Result | None = None
        self._best: Point | None = None
        self._climb: Climb | None = None
        self._seed = 0
        # Handlers may run in the main thread or beside it, with ipykernel's version.
        self._lock = threading.RLock()
        start = start.median() if isinstance(start, Result) else start
        chosen = start is not None
        if not chosen and result is not None:
            start = result.median()
        elif not chosen:
            start = given.model.instance_from_prior_medians()
        point = Point.at(given.model, start)
        self.history = UndoHistory(point if chosen else point.rounded())
        self._board = Board(
            analysis, self.point, weakly(self._moved), weakly(self._receive), panels
        )
        self._tasks = Worker(("press", "adopt"), weakly(self._board.tell))
        self._finalizer = weakref.finalize(self, close_all, self._board.widgets)
        self._board.draw()
        self.result = result

    # Where it is

    @property
    def point(self) -> Point:
        """Where the controls are, and what is fixed."""
        return self.history.state

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
        """Numbers beside the picture, as texts by name."""
        return dict(self._board.view.frame.get("numbers", ()))

    @property
    def draws_curves(self) -> bool:
        """Whether the fit is drawn as curves, which bands and snapshots can be."""
        return self._board.draws_curves

    # Moving

    def set(self, values: dict[str, Any] | None = None, /, **by_name: Any) -> None:
        """Move parameters: ``explorer.set(slope=2)``.

        Names with dots or brackets go into a dictionary, as in
        ``explorer.set({"lens.theta_E": 1.2})``.
        """
        self._go(self.point.moved({**(values or {}), **by_name}))

    def fix(self, *names: str) -> None:
        """Hold parameters at their values, for the optimiser and samplers too."""
        point = self.point
        for name in names:
            point = point.with_fixed(name)
        self._go(point)

    def free(self, name: str, prior: Any = None) -> None:
        """Free a parameter, with another prior if one is given.

        A parameter that the model itself fixes gets a log-uniform prior over two
        decades about a positive value, else a normal one about it.
        """
        self._go(self.point.with_free(name, prior))

    def undo(self) -> None:
        """Take back the last change; a drag of a slider is one."""
        with self._lock:
            self._show(self.history.undo())

    def redo(self) -> None:
        """Do again what was undone."""
        with self._lock:
            self._show(self.history.redo())

    def reset(self, to: str = "prior median", seed: int | None = None) -> None:
        """Go to a point.

        Parameters
        ----------
        to : str
            ``"prior median"``, ``"prior draw"``, ``"best"``, the best point of the
            result or else of the optimiser, or ``"posterior median"``.
        seed : int, optional
            Of the prior draw; another one each time by default.
        """
        self._seed += 1
        seed = self._seed if seed is None else seed
        self._go(target(to, self.point, self._result, self._best, seed))

    def draw(self, n: int) -> None:
        """Go to the ``n``-th draw of the result."""
        self._go(draw_of(self._result, self.point, n))

    def _go(self, point: Point) -> None:
        with self._lock:
            self.history.record(point)
            self._show(point)

    def _show(self, point: Point) -> None:
        self._board.show(point)
        self._refresh()

    def _refresh(self) -> None:
        self._board.view.buttons = buttons_of(self)

    def _moved(self, name: str, value: float) -> None:
        """Take over what the user did; draw it in a thread."""
        with self._lock:
            point = self.point.moved({name: value})
            self.history.record(point, key=name)
            self._board.show_soon(point)
            self._refresh()

    def _receive(self, content: dict) -> None:
        """Do what a button says, in a thread where it takes time."""
        if content["do"] == "snapshot":  # of what is shown now, whatever moves it
            point = self.point
            self._board.soon(lambda: self._keep(None, point))
            return
        if content["do"] in SLOW:
            self._tasks.submit("press", lambda: press(self, content))
            return
        try:
            press(self, content)
        except Exception as error:  # shown where the user looks
            self._board.tell(error)

    # From here

    @property
    def is_optimising(self) -> bool:
        """Whether the optimiser is at work."""
        return self._climb is not None

    def optimise(self) -> Optimum:
        """Climb to the nearest maximum of the posterior, showing the way.

        It ends where it is when a control is moved meanwhile.
        """
        begun = here = self.point

        def show(point: Point) -> bool:
            nonlocal here
            with self._lock:
                if self.point is not here:
                    return False
                # The way is one change, whatever of it was shown.
                note = self.history.record if here is begun else self.history.replace
                note(point)
                here = point
                self._show(point)
                return True

        self._climb = Climb(show)
        self._refresh()
        try:
            optimum = self._climb.from_point(self.posterior, begun)
            best = begun.at_vector(optimum.vector).rounded()
            if show(best):
                self._best = best
        finally:
            self._climb = None
            self._refresh()
        return optimum

    def stop_optimising(self) -> None:
        """End `optimise` after its present step."""
        climb = self._climb
        if climb is not None:
            climb.stop()

    def sample(self, sampler: Any = None, seed: int = 0, **options: Any) -> Run:
        """Start a sampler here; its monitor is shown below the explorer.

        Parameters
        ----------
        sampler : str or Algorithm, optional
            NUTS by default, or the ensemble for an analysis in NumPy.
        seed : int
        **options
            As of `InferenceEngine.start`: ``nwalkers``, ``iterations``, ``burn``, ...

        Returns
        -------
        Run
            Its result becomes the explorer's when it has ended.
        """
        ended = weakly(self._run_ended)
        self.run = launch(self.analysis, self.point, ended, sampler, seed, options)
        self._board.show_run(self.run)
        return self.run

    def _run_ended(self) -> None:
        self._tasks.submit("adopt", self._adopt)

    def _adopt(self) -> None:
        """Take the result of the run, if it has draws, for the buttons."""
        run = self.run
        if run is not None and len((result := run.wait()).draws):
            self.result = result

    # Comparing

    @property
    def result(self) -> Result | None:
        """The result whose points and band are at hand."""
        return self._result

    @result.setter
    def result(self, result: Result | None) -> None:
        if result is not None:
            check_result(result, self.point)
        self._result = result
        self._refresh()

    @property
    def has_best(self) -> bool:
        """Whether there is a best point to go to."""
        return self._result is not None or self._best is not None

    @property
    def snapshots(self) -> dict[str, Any]:
        """The instances of the snapshots, by name."""
        return {one.name: one.point.instance for one in self._comparison.snapshots}

    @property
    def bands(self) -> list[str]:
        """Which bands are shown: ``"prior"``, ``"posterior"``."""
        return list(self._comparison.bands)

    def snapshot(self, name: str | None = None) -> None:
        """Keep the present curve in grey, with its numbers."""
        self._keep(name, self.point)

    def _keep(self, name: str | None, point: Point) -> None:
        self._comparison.keep(name, point, *self._board.look_at(point))
        self._compare()

    def restore(self, name: str) -> None:
        """Go back to a snapshot."""
        self._go(self._comparison.point_of(name))

    def clear_snapshots(self) -> None:
        """Forget all snapshots."""
        self._comparison.snapshots = []
        self._compare()

    def band(self, of: str, shown: bool = True, n: int = 100) -> None:
        """Shade the central 68 % of the curves of draws, or take the shade away.

        Parameters
        ----------
        of : str
            ``"prior"`` or ``"posterior"``.
        n : int
            Draws.
        """
        if shown:
            self._comparison.shade(of, self.model, self._result, n)
        else:
            self._comparison.bands.pop(of, None)
        self._compare()

    def _compare(self) -> None:
        comparison = self._comparison
        self._board.view.chips = comparison.chips
        self._board.compare_with(comparison.ghosts, list(comparison.bands.values()))
        self._refresh()

    def code(self) -> str:
        """Return the Python that makes the present instance, and its model."""
        return code_of(self.point)

    def save(self, path: str | Path) -> Path:
        """Write a page of HTML in which sliders work, one at a time, without a kernel.

        It needs no network either. The picture begins at the present point, to which
        the other sliders go back when one is moved.
        """
        path = Path(path)
        path.write_text(page_html(self._board.drawing, self.point), encoding="utf-8")
        return path

    # Being there

    def wait(self, timeout: float = 60.0) -> bool:
        """Wait until all that was asked for is drawn; return whether it was in time."""
        return self._tasks.wait(timeout) and self._board.wait(timeout)

    def close(self) -> None:
        """Close every widget of the explorer, and let go of its figure."""
        self._tasks.close()
        self._board.close()
        self._finalizer.detach()

    # Views

    def __repr__(self) -> str:
        values = (f"{name}={value:.6g}" for name, value in self.point.elements.items())
        return f"FitExplorer({', '.join(values)})"

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        if self._board.closed:
            return {"text/plain": repr(self)}
        record = weakly(self._record)
        return bundle_with_record(
            self.widget, repr(self), record, self._board.records, **kwargs
        )

    def _record(self) -> str:
        return self._board.record(repr(self))
