"""Nested sampling beside dynesty: time to the same error of ln Z, interleaved.

Three problems in float64 with 500 live points and the monitor on: a five-parameter fit
of 1,000 points, the eggbox, and a correlated Gaussian in ten dimensions. dynesty has
the likelihood in NumPy, and its defaults. The error goes as one over the root of the
time, so that time x error^2 tells how long the same error would take. Run ``python
benchmarks/nested.py``; the first run compiles, with an empty cache.
"""

from __future__ import annotations

import contextlib
import io
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

os.environ["JAX_COMPILATION_CACHE_DIR"] = tempfile.mkdtemp()

import dynesty
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist

import ampynb as anb

NLIVE, ROUNDS = 500, 3
Estimate = tuple[float, float]
Run = Callable[[int], Estimate]

random = np.random.default_rng(0)
X = np.linspace(-1, 1, 1000)
NOISE = np.full(X.size, 0.5)
RHO, GAUSSIAN_NDIM = 0.5, 10
COVARIANCE = np.full((GAUSSIAN_NDIM,) * 2, RHO) + (1 - RHO) * np.eye(GAUSSIAN_NDIM)
PRECISION = np.linalg.inv(COVARIANCE)
NORMALISATION = -0.5 * np.linalg.slogdet(2 * np.pi * COVARIANCE)[1]


def curve(xp, p, x):
    """Return a parabola and a Gaussian line, for NumPy and JAX alike."""
    profile = xp.exp(-0.5 * ((x - p[2]) / 0.2) ** 2)
    return p[0] + p[1] * x + p[3] * profile + p[4] * x * x


Y = curve(np, [0.5, -1.0, 0.3, 1.2, 0.7], X) + NOISE * random.normal(size=X.size)


def log_fit(xp, p, data):
    """Log likelihood of the fit."""
    x, y, noise = data
    residuals = (y - curve(xp, p, x)) / noise
    return -0.5 * xp.sum(residuals**2 + xp.log(2 * np.pi * noise**2))


def log_eggbox(xp, p, data):
    """Log likelihood of the eggbox (Feroz, Hobson and Bridges 2009)."""
    return (2 + xp.cos(p[0] / 2) * xp.cos(p[1] / 2)) ** 5


def log_gaussian(xp, p, data):
    """Log likelihood of the correlated Gaussian."""
    (precision,) = data
    return NORMALISATION - 0.5 * p @ precision @ p


PROBLEMS: dict[str, tuple[Callable, tuple, int, float, float, float]] = {
    # name: function, data, ndim, lower, upper, ln Z (NaN where no formula gives it)
    "fit, 5 parameters": (log_fit, (X, Y, NOISE), 5, -5.0, 5.0, np.nan),
    "eggbox, 2": (log_eggbox, (), 2, 0.0, 10 * np.pi, 235.86),
    "Gaussian, 10": (log_gaussian, (PRECISION,), 10, -5.0, 5.0, -10 * np.log(10)),
}


class Fit(anb.Analysis):
    """A log likelihood as an analysis."""

    def __init__(self, log_likelihood, data):
        super().__init__()
        self.log_likelihood, self.data = log_likelihood, data

    def log_likelihood_function(self, instance):
        """Return the log likelihood of one instance."""
        return self.log_likelihood(jnp, instance.p, self.data)


def ampynb_run(name: str) -> Run:
    """Return a run of the engine, its monitor on."""
    function, data, ndim, lower, upper, _ = PROBLEMS[name]
    model = anb.Model(p=dist.Uniform(lower, upper).expand([ndim]))

    def run(seed: int) -> Estimate:
        engine = anb.InferenceEngine(Fit(function, data), model, seed=seed)
        with contextlib.redirect_stdout(io.StringIO()):  # outside a notebook: as text
            result: Any = engine.start(
                NLIVE, sampler="nested", progress="widget"
            ).wait()
        return result.log_evidence

    return run


def dynesty_run(name: str) -> Run:
    """Return a run of dynesty with its defaults, without its bar."""
    function, data, ndim, lower, upper, _ = PROBLEMS[name]

    def run(seed: int) -> Estimate:
        sampler = dynesty.NestedSampler(
            lambda p: function(np, p, data),
            lambda u: lower + (upper - lower) * u,
            ndim,
            nlive=NLIVE,
            rstate=np.random.default_rng(seed),
        )
        sampler.run_nested(print_progress=False)
        return sampler.results.logz[-1], sampler.results.logzerr[-1]

    return run


def timed(run: Run, seed: int) -> tuple[float, float, float, float]:
    """Return wall and CPU seconds of a run, and its estimate."""
    wall, cpu = time.perf_counter(), time.process_time()
    value, error = run(seed)
    return time.perf_counter() - wall, time.process_time() - cpu, value, error


def row(who: str, found: list[tuple[float, float, float, float]], truth: float) -> None:
    """Print the medians of some runs, and how far they are from the truth."""
    wall, cpu, _, error = map(statistics.median, zip(*found, strict=True))
    off = np.sqrt(np.mean([(value - truth) ** 2 for _, _, value, _ in found]))
    print(
        f"  {who:16s} wall {wall:6.2f} s  CPU {cpu:6.2f} s  error {error:.3f}  off "
        f"{off:.3f}  time x error^2: wall {wall * error**2:.4f}, CPU "
        f"{cpu * error**2:.4f}",
        flush=True,
    )


def main() -> None:
    """Time each in turn, several rounds, and print medians and ratios."""
    anb.Nested()  # what it takes to import blackjax is not measured
    for name, (*_, truth) in PROBLEMS.items():
        ours, peer = ampynb_run(name), dynesty_run(name)
        first = timed(ours, 0)
        pairs = [(timed(ours, s), timed(peer, s)) for s in range(1, ROUNDS + 1)]
        repeats, peers = (list(runs) for runs in zip(*pairs, strict=True))
        print(name)
        row("ampynb, first", [first], truth)
        row("ampynb, repeat", repeats, truth)
        row("dynesty", peers, truth)
        for what, i in (("wall", 0), ("CPU", 1)):
            costs = [
                statistics.median(one[i] * one[3] ** 2 for one in found)
                for found in ([first], repeats, peers)
            ]
            print(
                f"  {what}, ampynb / dynesty: first {costs[0] / costs[2]:.2f}, repeat "
                f"{costs[1] / costs[2]:.3f}"
            )


if __name__ == "__main__":
    main()
