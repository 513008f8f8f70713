"""Parallel tempering beside ptemcee: steps per second, in one process, interleaved.

Two posteriors in float64, of two modes in 2 dimensions and of four modes in 10, with 8
temperatures of 40 walkers each, both samplers adapting their ladder, ampynb's monitor
on. ptemcee has a NumPy likelihood and needs the alias ``np.float``, which NumPy has not
had since 1.24 and which is restored here. Install ptemcee and run ``python
benchmarks/tempered.py``; the ratios are what counts, for the machine's speed drops out
of them. CPU time is that of all threads.
"""

from __future__ import annotations

import contextlib
import io
import statistics
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist

import ampynb as anb

vars(np).setdefault("float", float)  # as ptemcee expects it
import ptemcee  # noqa: E402

NWALKERS, NTEMPS, ROUNDS, SD = 40, 8, 5, 0.5
STEPS = {"ampynb": 20_000, "ptemcee": 300}
BURN = 1000
PROBLEMS = {
    "2-D, two modes": (np.array([[-4.0, -4.0], [4.0, 4.0]]), [0.7, 0.3]),
    "10-D, four modes": (
        6 * np.eye(4, 10) - 3 * np.eye(4, 10)[[1, 2, 3, 0]],
        [0.4, 0.3, 0.2, 0.1],
    ),
}


class Modes(anb.Analysis):
    """Gaussian modes of one width."""

    def __init__(self, places, log_weights):
        super().__init__()
        self.places, self.log_weights = places, log_weights

    def log_likelihood_function(self, instance):
        """Return the log likelihood of one instance."""
        squares = jnp.sum(((instance.p - self.places) / SD) ** 2, axis=-1)
        return jax.nn.logsumexp(self.log_weights - 0.5 * squares)


class Contest:
    """One posterior, and how either sampler draws from it."""

    def __init__(self, places: np.ndarray, weights: list[float]):
        self.places, self.weights = places, np.array(weights)
        self.ndim = places.shape[1]
        self.log_weights = np.log(weights) - self.ndim * np.log(SD * np.sqrt(2 * np.pi))

    def log_likelihood(self, p: np.ndarray) -> float:
        """Log likelihood of one point, in NumPy."""
        terms = self.log_weights - 0.5 * np.sum(((p - self.places) / SD) ** 2, axis=-1)
        highest = terms.max()
        return highest + np.log(np.sum(np.exp(terms - highest)))

    def log_prior(self, p: np.ndarray) -> float:
        """Log prior of one point."""
        return 0.0 if np.all(np.abs(p) < 10) else -np.inf

    def run_ampynb(self, seed: int) -> np.ndarray:
        """Sample with the engine, its monitor on."""
        model = anb.Model(p=dist.Uniform(-10, 10).expand([self.ndim]))
        analysis = Modes(self.places, self.log_weights)
        engine = anb.InferenceEngine(analysis, model, seed=seed)
        with contextlib.redirect_stdout(io.StringIO()):  # outside a notebook: as text
            result = engine.start(
                nwalkers=NWALKERS,
                iterations=STEPS["ampynb"] - BURN,
                burn=BURN,
                sampler="tempered",
                ntemps=NTEMPS,
                progress="widget",
            ).wait()
        return result.draws

    def run_ptemcee(self, seed: int) -> np.ndarray:
        """Sample with ptemcee."""
        random = np.random.default_rng(seed)
        begin = random.uniform(-10, 10, size=(NTEMPS, NWALKERS, self.ndim))
        sampler = ptemcee.Sampler(
            NWALKERS, self.ndim, self.log_likelihood, self.log_prior, ntemps=NTEMPS
        )
        sampler.run_mcmc(begin, STEPS["ptemcee"], adapt=True)
        return np.moveaxis(sampler.chain[0], 0, 1)

    def mode_error(self, draws: np.ndarray) -> float:
        """Return half the sum of what the modes' shares are off."""
        apart = np.sum((draws[..., None, :] - self.places) ** 2, axis=-1)
        nearest = np.argmin(apart, axis=-1).ravel()
        shares = np.bincount(nearest, minlength=len(self.weights)) / nearest.size
        return float(0.5 * np.sum(np.abs(shares - self.weights)))


def timed(run: Callable[[int], np.ndarray], seed: int, steps: int) -> tuple:
    """Return steps per wall second and per CPU second, and the draws."""
    wall, cpu = time.perf_counter(), time.process_time()
    draws = run(seed)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return steps / wall, steps / cpu, draws


def compare(name: str, contest: Contest) -> None:
    """Time both in turn, several rounds, and print medians and ratios."""
    runs = {"ampynb": contest.run_ampynb, "ptemcee": contest.run_ptemcee}
    for run in runs.values():
        run(0)  # compile
    found: dict[str, list] = {sampler: [] for sampler in runs}
    for seed in range(1, ROUNDS + 1):
        for sampler, run in runs.items():
            wall, cpu, draws = timed(run, seed, STEPS[sampler])
            found[sampler].append((wall, cpu, contest.mode_error(draws)))
    print(name)
    for sampler, rates in found.items():
        wall, cpu, error = map(statistics.median, zip(*rates, strict=True))
        print(
            f"  {sampler:8s} {wall:8.0f} steps per second, {cpu:8.0f} per CPU second; "
            f"mode error {error:.3f} after {STEPS[sampler]} steps"
        )
    for column, unit in enumerate(("second", "CPU second")):
        ratios = [
            ours[column] / theirs[column]
            for ours, theirs in zip(found["ampynb"], found["ptemcee"], strict=True)
        ]
        print(
            f"  ampynb/ptemcee per {unit}: {statistics.median(ratios):.1f} "
            f"({min(ratios):.1f} to {max(ratios):.1f})"
        )


def main() -> None:
    """Compare on each problem."""
    for name, problem in PROBLEMS.items():
        compare(name, Contest(*problem))


if __name__ == "__main__":
    main()
