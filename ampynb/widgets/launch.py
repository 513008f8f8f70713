"""A run that begins where the explorer is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ampynb.analysis.analysis import Analysis
from ampynb.inference.engine import InferenceEngine
from ampynb.inference.events import Event, Failed, Finished
from ampynb.inference.run import Run
from ampynb.widgets.point import Point

__all__ = ["launch"]

DEFAULTS = {"iterations": 1000, "burn": 500}


def launch(
    analysis: Analysis,
    point: Point,
    when_ended: Callable[[], None],
    sampler: Any,
    seed: int,
    options: dict[str, Any],
) -> Run:
    """Start a run at a point, of the point's model.

    Parameters
    ----------
    when_ended : callable
        Called in the run's thread.
    sampler : str or Algorithm, optional
        NUTS by default, or the ensemble for an analysis in NumPy.
    options : dict
        As of `InferenceEngine.start`; four chains or enough walkers by default.
    """
    sampler = sampler or ("nuts" if analysis.use_jax else "ensemble")
    walkers = max(16, 4 * point.model.ndim) if sampler == "ensemble" else 4
    engine = InferenceEngine(analysis, point.model, seed=seed)
    asked = {"nwalkers": walkers, **DEFAULTS, "progress": _WhenEnded(when_ended)}
    return engine.start(sampler=sampler, start=point.instance, **{**asked, **options})


class _WhenEnded:
    """Tells when a run has ended."""

    def __init__(self, tell: Callable[[], None]):
        self._tell = tell

    def show(self, event: Event) -> None:
        """Take one event."""
        if isinstance(event, Finished | Failed):
            self._tell()
