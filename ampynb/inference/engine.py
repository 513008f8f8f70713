"""The engine: every sampler under one call, over one model and one analysis."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np

from ampynb.algorithms.algorithm import Algorithm
from ampynb.algorithms.registry import algorithm_from
from ampynb.analysis.analysis import Analysis
from ampynb.analysis.check import check_likelihood
from ampynb.analysis.posterior import Posterior
from ampynb.distributed.pool import closing_pool, open_pool
from ampynb.inference.loop import sampling
from ampynb.inference.renderers import in_notebook, renderers_for
from ampynb.inference.run import Run
from ampynb.inference.starting import start_from
from ampynb.model.model import Model
from ampynb.model.parameter import Collection
from ampynb.results.history import History
from ampynb.results.result import Result

__all__ = ["InferenceEngine"]


class InferenceEngine:
    """Samples the posterior of a model and an analysis.

    Parameters
    ----------
    analysis : Analysis
        The data and the likelihood.
    model : Model or Collection
        The parameters and their priors.
    seed : int
        The same seed gives the same draws.

    Examples
    --------
    ::

        engine = InferenceEngine(analysis, model, seed=1)
        result = engine.run(nwalkers=4, iterations=1000, burn=500, sampler="nuts")
        run = engine.start(nwalkers=32, iterations=5000, burn=1000)
        run.pause(), run.resume()
        result = run.wait()
    """

    def __init__(self, analysis: Analysis, model: Model | Collection, seed: int = 0):
        is_count = isinstance(seed, int | np.integer) and not isinstance(seed, bool)
        if not is_count or seed < 0:
            raise ValueError(
                f"expected seed as a whole number, 0 or more; got {seed!r}; give for "
                "instance seed=1"
            )
        self.posterior = Posterior(analysis, model)
        self.seed = int(seed)

    @property
    def analysis(self) -> Analysis:
        """The data and the likelihood."""
        return self.posterior.analysis

    @property
    def model(self) -> Model:
        """The parameters and their priors."""
        return self.posterior.model

    @property
    def ndim(self) -> int:
        """Number of free parameters, vectors counted by element."""
        return self.model.ndim

    def run(
        self,
        nwalkers: int | None = None,
        iterations: int | None = None,
        burn: int | None = None,
        sampler: str | Algorithm = "ensemble",
        workers: Any = None,
        sampler_kw: Mapping[str, Any] | None = None,
        *,
        start: Any = None,
        progress: Any = "auto",
    ) -> Result:
        """Sample, and return the result when it is done.

        An interrupt (Ctrl-C, or the notebook's stop button) ends the run early and
        keeps every draw.

        Parameters
        ----------
        nwalkers : int, optional
            Walkers, or chains; the algorithm's own number by default.
        iterations : int, optional
            Steps that are kept as draws.
        burn : int, optional
            Burn-in or warm-up steps before them, kept apart.
        sampler : str or Algorithm
            ``"ensemble"``, ``"nuts"``, or a configured one: ``NUTS(dense_mass=True)``.
        workers : int or pool with ``map``, optional
            Where the NumPy likelihoods of an ensemble are computed: so many processes,
            or a pool of your own.
        sampler_kw : dict, optional
            Further options of the algorithm.
        start : instance, vector, array, Start or Result, optional
            Where the walkers begin: around a point, at (nwalkers, ndim) positions
            [model units], or at draws of a former fit. Prior draws by default.
        progress : str
            ``"auto"``, ``"widget"``, ``"terminal"``, ``"json"`` or ``"none"``.

        Raises
        ------
        ValueError, TypeError
            For a model, a likelihood or options that cannot be sampled.
        RunFailedError
            Where sampling itself fails; its ``result`` has the draws so far.
        """
        arguments = nwalkers, iterations, burn, sampler, workers, sampler_kw
        if progress in ("auto", True, "widget") and in_notebook():
            return self.start(*arguments, start=start, progress=progress).wait()
        run = self._prepare(*arguments, start)
        return run.drive_here(renderers_for(progress, run))

    def start(
        self,
        nwalkers: int | None = None,
        iterations: int | None = None,
        burn: int | None = None,
        sampler: str | Algorithm = "ensemble",
        workers: Any = None,
        sampler_kw: Mapping[str, Any] | None = None,
        *,
        start: Any = None,
        progress: Any = "auto",
    ) -> Run:
        """Begin to sample in a worker thread, and return the `Run` at once.

        The arguments are those of `run`.
        """
        arguments = nwalkers, iterations, burn, sampler, workers, sampler_kw
        run = self._prepare(*arguments, start)
        return run.drive_in_thread(renderers_for(progress, run))

    def _prepare(
        self,
        nwalkers: int | None,
        iterations: int | None,
        burn: int | None,
        sampler: str | Algorithm,
        workers: Any,
        sampler_kw: Mapping[str, Any] | None,
        start: Any,
    ) -> Run:
        """Check all that can be checked before sampling, and make the run."""
        posterior, seed = self.posterior, self.seed
        counts = {"nwalkers": nwalkers, "iterations": iterations, "burn": burn}
        given = {name: count for name, count in counts.items() if count is not None}
        algorithm = algorithm_from(sampler, posterior, {**(sampler_kw or {}), **given})
        _check_counts(algorithm)
        check_likelihood(posterior)
        algorithm.check(posterior)
        begin = start_from(start, self.model, algorithm.nwalkers, seed)
        pool = open_pool(workers, posterior)
        if pool is not None:
            algorithm = algorithm_from(algorithm, posterior, {"pool": pool})
        history = History()
        loop = sampling(posterior, algorithm, seed, begin, history)

        def make_result(seconds: float, reason: str) -> Result:
            return Result(
                posterior,
                algorithm,
                history,
                seed=seed,
                seconds=seconds,
                reason=reason,
            )

        return Run(posterior, closing_pool(loop, pool), history, make_result)

    def __repr__(self) -> str:
        return f"InferenceEngine({self.posterior!r}, seed={self.seed})"

    def _repr_html_(self) -> str:
        head = escape(f"InferenceEngine of {self.analysis!r}, seed {self.seed}")
        return f"<div>{head}</div>{self.model._repr_html_()}"


def _check_counts(algorithm: Algorithm) -> None:
    for name, least in (("nwalkers", 1), ("iterations", 1), ("burn", 0)):
        count = getattr(algorithm, name)
        is_count = isinstance(count, int | np.integer) and not isinstance(count, bool)
        if not is_count or count < least:
            raise ValueError(
                f"expected {name} as a whole number of at least {least}; got {count!r};"
                f" give for instance {name}=1000"
            )
