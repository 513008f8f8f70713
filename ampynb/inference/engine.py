"""The engine: every sampler under one call, over one model and one analysis."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from contextlib import ExitStack
from html import escape
from pathlib import Path
from typing import Any

import jax
import numpy as np

from ampynb.algorithms.algorithm import SAMPLING, WARMUP, Algorithm
from ampynb.algorithms.registry import algorithm_from
from ampynb.algorithms.start import start_or_draw
from ampynb.analysis.analysis import Analysis
from ampynb.analysis.check import check_likelihood
from ampynb.analysis.latent_samples import check_latents
from ampynb.analysis.posterior import Posterior
from ampynb.distributed.devices import mesh_for
from ampynb.distributed.hosts import clock, led_by_first
from ampynb.distributed.pool import ending, get_pool_context, open_pool
from ampynb.inference.callbacks import (
    log_likelihood_model,
    log_posterior_model,
    log_prior_model,
)
from ampynb.inference.hooks import RunHooks, modified
from ampynb.inference.loop import Command, Plan, sampling
from ampynb.inference.renderers import check_progress, in_notebook, renderers_for
from ampynb.inference.request import Request
from ampynb.inference.resuming import Beginning, begin, read_again
from ampynb.inference.run import Run
from ampynb.inference.starting import start_from
from ampynb.inference.stopping import StoppingRule
from ampynb.model.model import Model
from ampynb.model.options import checked_count, names_options
from ampynb.model.parameter import Collection
from ampynb.results.result import Result

__all__ = [
    "InferenceEngine",
    "get_pool_context",
    "log_likelihood_model",
    "log_posterior_model",
    "log_prior_model",
]

OPTIONS_OF_RUN = dict.fromkeys(
    [*(field.name for field in dataclasses.fields(Request)), "progress"],
    "give it to run() or start()",
)


class InferenceEngine:
    """Samples the posterior of a model and an analysis.

    Parameters
    ----------
    analysis : Analysis or Posterior
        The data and the likelihood; or both, from `Analysis.with_model`.
    model : Model or Collection, optional
        The parameters and their priors.
    seed : int
        The same seed gives the same draws.

    Attributes
    ----------
    sampler : Algorithm or None
        The algorithm of the last run, as it was configured.

    Examples
    --------
    ::

        engine = InferenceEngine(analysis, model, seed=1)
        result = engine.run(nwalkers=4, iterations=1000, burn=500, sampler="nuts")
        run = engine.start(nwalkers=32, iterations=5000, burn=1000)
        run.pause(), run.resume()
        result = run.wait()
    """

    @functools.partial(names_options, elsewhere=OPTIONS_OF_RUN)
    def __init__(
        self,
        analysis: Analysis | Posterior,
        model: Model | Collection | None = None,
        seed: int = 0,
    ):
        self.posterior = Posterior.of(analysis, model)
        self.seed = checked_count("seed", seed, least=0, usual=1)
        self.sampler: Algorithm | None = None
        self._last_run: tuple[Beginning, Run] | None = None

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

    @names_options
    def run(
        self,
        nwalkers: int | None = None,
        iterations: int | None = None,
        burn: int | None = None,
        sampler: str | Algorithm = "ensemble",
        workers: Any = None,
        ntemps: int | None = None,
        sampler_kw: Mapping[str, Any] | None = None,
        run_kw: Mapping[str, Any] | None = None,
        resume: bool | str = False,
        *,
        start: Any = None,
        path: str | Path | None = None,
        until: StoppingRule | None = None,
        executor: str = "process",
        devices: int | None = None,
        progress: Any = "auto",
    ) -> Result:
        """Sample, and return the result when it is done.

        An interrupt ends the run early and keeps every draw.

        Parameters
        ----------
        nwalkers : int, optional
            Walkers, chains or live points; the algorithm's own number by default.
        iterations : int, optional
            Steps kept as draws, counted from the beginning also where it is resumed.
        burn : int, optional
            Burn-in or warm-up steps before them, kept apart.
        sampler : str or Algorithm
            ``"ensemble"``, ``"tempered"``, ``"nuts"``, ``"hmc"``, ``"nested"``, or a
            configured one: ``NUTS(dense_mass=True)``.
        workers : int or pool with ``map``, optional
            Where NumPy likelihoods are computed: so many processes, threads, ranks or
            tasks, or a pool that stays open.
        ntemps : int, optional
            Temperatures of ``"tempered"``.
        sampler_kw : dict, optional
            Further options of the algorithm.
        run_kw : dict, optional
            ``thin_by``: one in so many steps is kept. ``iterations_per_quick_update``:
            steps between two updates of the analysis; some seconds by default.
        resume : bool or "auto"
            Continue the run at ``path``, or this engine's last one, to the same chain
            as if it had never been broken. ``"auto"`` begins where there is none. The
            same fit, finished, is read again whatever is given here.
        start : instance, vector, array, Start or Result, optional
            Where the walkers begin: around a point, at (nwalkers, ndim) positions
            [model units], or at draws of a former fit. Prior draws by default.
        path : str or Path, optional
            Folder to which the run is saved as it goes on; see `open_run`.
        until : StoppingRule, optional
            Ends the run early: ``ess(400) | seconds(600)``.
        executor : str
            What ``workers`` are: ``"process"``, ``"thread"``, ``"mpi"``, ``"dask"``.
        devices : int, optional
            JAX devices that share chains or walkers; all by default, but an ensemble
            stays on one processor.
        progress : str
            ``"auto"``, ``"widget"``, ``"terminal"``, ``"json"`` or ``"none"``.

        Raises
        ------
        ValueError, TypeError
            For a model, a likelihood or options that cannot be sampled.
        StoreError
            For a folder that cannot be written or continued.
        RunFailedError
            Where sampling itself fails; its ``result`` has the draws so far.
        """
        request = Request(
            nwalkers, iterations, burn, sampler, workers, ntemps, sampler_kw, run_kw,
            resume, start, path, until, executor, devices,
        )  # fmt: skip
        run = self.prepare(request, progress)
        if progress in ("auto", True, "widget") and in_notebook():
            return run.drive_in_thread(renderers_for(progress, run)).wait()
        return run.drive_here(renderers_for(progress, run))

    @names_options
    def start(
        self,
        nwalkers: int | None = None,
        iterations: int | None = None,
        burn: int | None = None,
        sampler: str | Algorithm = "ensemble",
        workers: Any = None,
        ntemps: int | None = None,
        sampler_kw: Mapping[str, Any] | None = None,
        run_kw: Mapping[str, Any] | None = None,
        resume: bool | str = False,
        *,
        start: Any = None,
        path: str | Path | None = None,
        until: StoppingRule | None = None,
        executor: str = "process",
        devices: int | None = None,
        progress: Any = "auto",
    ) -> Run:
        """Begin to sample in a worker thread, and return the `Run` at once.

        The arguments are those of `run`.
        """
        request = Request(
            nwalkers, iterations, burn, sampler, workers, ntemps, sampler_kw, run_kw,
            resume, start, path, until, executor, devices,
        )  # fmt: skip
        run = self.prepare(request, progress)
        return run.drive_in_thread(renderers_for(progress, run))

    def prepare(self, request: Request, progress: Any = "none") -> Run:
        """Check all that can be checked before sampling; return a run to be driven."""
        check_progress(progress)
        posterior, seed = modified(self.posterior, request.folder), self.seed
        algorithm = request.algorithm(posterior)
        check_likelihood(posterior)
        posterior = posterior.read()
        check_latents(posterior)
        algorithm.check(posterior)
        begin_at = start_from(request.start, posterior.model, algorithm.nwalkers, seed)
        mesh = mesh_for(request.devices, posterior, algorithm)
        with ExitStack() as opened:
            pool = opened.enter_context(open_pool(*request.pool(algorithm), posterior))
            options = {} if pool is None else {"pool": pool}
            computed = algorithm_from(algorithm, posterior, options)
            plan = Plan(
                posterior,
                computed,
                seed,
                begin_at,
                request.until,
                request.thin_by,
                mesh,
            )
            beginning = begin(plan, request, self._former(request))
            resources = opened.pop_all()
        history = beginning.history
        history.defaults = request.defaults_of(algorithm)
        loop = sampling(plan, history, beginning.seconds, clock)
        if beginning.ended is not None:
            loop = read_again(loop, beginning.ended)
        parts = {
            "algorithm": algorithm,
            "history": history,
            "seed": seed,
            "devices": plan.devices,
        }
        hooks = RunHooks(
            posterior,
            beginning.folder,
            parts,
            request.iterations_per_quick_update,
            is_new=beginning.ended is None,
            warnings=beginning.warnings,
        )
        run = Run(
            posterior,
            algorithm,
            ending(led_by_first(loop, Command.STOP), resources),
            history,
            hooks.make_result,
            beginning.recorder,
            request.until,
            hooks=hooks,
        )
        self.sampler, self._last_run = algorithm, (beginning, run)
        return run

    def _former(self, request: Request) -> Beginning | None:
        """Return what ``resume=True`` without a path continues."""
        if request.path is not None or not request.resume:
            return None
        run = self._ended_run()
        if self._last_run is None or run is None:
            return None
        status = run.status
        return dataclasses.replace(
            self._last_run[0], seconds=status.seconds, warnings=status.warnings
        )

    def _ended_run(self) -> Run | None:
        """Return the last run, if there was one; raise while it goes on."""
        if self._last_run is None:
            return None
        run = self._last_run[1]
        if not run.status.ended:
            raise RuntimeError(
                "expected the engine's last run to have ended; got one that is "
                f"{run.status.state}; wait() for it or stop() it, or make another "
                "engine"
            )
        return run

    # As in AMPy

    def set_sampler(
        self,
        sampler: str | Algorithm,
        nwalkers: int | None = None,
        pool: Any = None,
        ntemps: int | None = None,
        **options: Any,
    ) -> Algorithm:
        """Configure the algorithm that `set_start_positions` is for, and return it.

        Parameters
        ----------
        sampler, nwalkers, ntemps
            As in `run`.
        pool : object with ``map``, optional
            As of `get_pool_context`.
        **options
            Further options of the algorithm.
        """
        given = {} if pool is None else {"pool": pool}
        request = Request(
            nwalkers, sampler=sampler, ntemps=ntemps, sampler_kw={**options, **given}
        )
        self.sampler = request.algorithm(self.posterior)
        self.sampler.check(self.posterior)
        return self.sampler

    def set_start_positions(self, resume: bool = False) -> np.ndarray:
        """Return where the walkers begin, (nwalkers, ndim) [model units].

        Prior draws at which the posterior is finite, no two alike; with ``resume`` the
        last positions of the last run. Pass them to `run` as ``start``.
        """
        if resume:
            run = self._ended_run()
            both = () if run is None else map(run.history.draws, (SAMPLING, WARMUP))
            for draws in both:
                if draws is not None and len(draws.position):
                    return np.array(draws.position[-1])
            raise ValueError(
                "expected a former run of this engine with resume=True; got none that "
                "has draws; run once, or leave resume out"
            )
        if self.sampler is None:
            raise ValueError(
                "expected set_sampler(...) before set_start_positions(); got no "
                "sampler; or call run(...), which does both"
            )
        key, _ = jax.random.split(jax.random.key(self.seed))
        return start_or_draw(self.posterior, key, self.sampler, None).position

    @property
    def burn_chain(self) -> np.ndarray | None:
        """Burn-in of the last run, (n, nwalkers, ndim) [model units]; None without."""
        last = None if self._last_run is None else self._last_run[1]
        warmup = None if last is None else last.history.draws(WARMUP)
        return None if warmup is None else warmup.position

    def summary(self) -> dict[str, Any]:
        """Return the last run in numbers, by AMPy's names.

        Returns
        -------
        dict
            ``sampler``; ``burn_iters`` and ``prod_iters``, the kept steps;
            ``nwalkers``; ``nmap_idx``, the place of the draw with the highest log
            posterior in the flat chain, steps first, then walkers; ``nmap_val``, -2
            times that.
        """
        if self._last_run is None:
            raise RuntimeError("expected a run to sum up; got none; call run() first")
        result = self._last_run[1].inspect()
        if not len(result.draws):
            raise RuntimeError(
                "expected draws to sum up; got none after the burn-in; run longer"
            )
        log_posterior = np.asarray(result.stats["lp"]).ravel()
        best = int(np.argmax(log_posterior))
        return {
            "sampler": result.algorithm.name,
            "burn_iters": len(result.warmup),
            "prod_iters": len(result.draws),
            "nwalkers": result.draws.shape[1],
            "nmap_idx": best,
            "nmap_val": -2 * float(log_posterior[best]),
        }

    def __repr__(self) -> str:
        return f"InferenceEngine({self.posterior!r}, seed={self.seed})"

    def _repr_html_(self) -> str:
        head = escape(f"InferenceEngine of {self.analysis!r}, seed {self.seed}")
        return f"<div>{head}</div>{self.model._repr_html_()}"
