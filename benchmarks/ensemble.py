"""Ensemble sampling beside its peers, in steps.

A five-parameter fit of 1,000 points with 40 walkers in float64, monitor on, by stretch
moves; ``moves.py`` compares those with the default. The runs of compiled programs are
long beside the half second that the monitor takes for its first and last pictures. The
peers are a bare ``lax.scan`` over a stretch move with fixed halves, and serial emcee
with a NumPy likelihood, and with a compiled and batched one. ``samplers.py`` runs it.
"""

from __future__ import annotations

import contextlib
import io

import emcee
import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from contest import Contest
from jax import lax

import ampynb as anb
from ampynb.algorithms.algorithm import Start

NWALKERS, NDIM, POINTS = 40, 5, 1000
STEPS = {"ampynb": 60_000, "scan": 60_000, "emcee": 1_000, "vectorised": 2_000}
LOWER, UPPER = np.full(NDIM, -5.0), np.full(NDIM, 5.0)
TRUTH = np.array([0.5, -1.0, 0.3, 1.2, 0.7])

random = np.random.default_rng(0)
X = np.linspace(-1, 1, POINTS)


def curve(xp, p, x):
    """Return a parabola and a Gaussian line, for NumPy and JAX alike."""
    profile = xp.exp(-0.5 * ((x - p[2]) / 0.2) ** 2)
    return p[0] + p[1] * x + p[3] * profile + p[4] * x * x


NOISE = np.full(POINTS, 0.5)
Y = curve(np, TRUTH, X) + NOISE * random.normal(size=POINTS)
POSITION = TRUTH + 0.01 * random.normal(size=(NWALKERS, NDIM))


class Curve(anb.Analysis):
    """The same fit as an ampynb analysis."""

    def __init__(self, x, y, noise):
        super().__init__()
        self.x, self.y, self.noise = x, y, noise

    def fit_from(self, instance):
        """Return the fit of one instance."""
        model = curve(jnp, instance.p, self.x)
        return anb.GaussianFit(data=self.y, noise=self.noise, model=model)


def numpy_log_posterior(p):
    """Log posterior of one point."""
    if np.any(p < LOWER) or np.any(p > UPPER):
        return -np.inf
    return -0.5 * np.sum(((Y - curve(np, p, X)) / NOISE) ** 2)


def jax_log_posterior(p, data):
    """Log posterior of one point, the data as arguments."""
    x, y, noise = data
    inside = jnp.all((p >= LOWER) & (p <= UPPER))
    squared = jnp.sum(((y - curve(jnp, p, x)) / noise) ** 2)
    return jnp.where(inside, -0.5 * squared, -jnp.inf)


BATCH = jax.jit(jax.vmap(jax_log_posterior, in_axes=(0, None)))


@jax.jit
def bare_scan(key, position, data):
    """Return the floor: stretch moves of fixed halves in one scan, nothing else."""
    batch = jax.vmap(jax_log_posterior, in_axes=(0, None))
    half = NWALKERS // 2

    def move(key, active, density, others):
        key_stretch, key_choice, key_accept = jax.random.split(key, 3)
        stretch = (jax.random.uniform(key_stretch, (half,)) + 1.0) ** 2 / 2.0
        centre = others[jax.random.randint(key_choice, (half,), 0, half)]
        proposal = centre + stretch[:, None] * (active - centre)
        new = batch(proposal, data)
        ratio = (NDIM - 1) * jnp.log(stretch) + new - density
        accept = jnp.log(jax.random.uniform(key_accept, (half,))) < ratio
        kept = jnp.where(accept[:, None], proposal, active)
        return kept, jnp.where(accept, new, density)

    def step(carry, _):
        key, a, b, density_a, density_b = carry
        key, key_a, key_b = jax.random.split(key, 3)
        a, density_a = move(key_a, a, density_a, b)
        b, density_b = move(key_b, b, density_b, a)
        carry = key, a, b, density_a, density_b
        return carry, (jnp.concatenate([a, b]), jnp.concatenate([density_a, density_b]))

    a, b = position[:half], position[half:]
    start = key, a, b, batch(a, data), batch(b, data)
    return lax.scan(step, start, None, length=STEPS["scan"])[1]


def run_ampynb(seed: int) -> float:
    """Sample with the engine, its monitor on."""
    model = anb.Model(p=dist.Uniform(-5, 5).expand([NDIM]))
    engine = anb.InferenceEngine(Curve(X, Y, NOISE), model, seed=seed)
    with contextlib.redirect_stdout(io.StringIO()):  # outside a notebook: as text
        engine.start(
            nwalkers=NWALKERS,
            iterations=STEPS["ampynb"],
            burn=0,
            sampler=anb.Ensemble(moves="stretch"),
            start=Start(POSITION),
            progress="widget",
        ).wait()
    return STEPS["ampynb"]


def run_scan(seed: int) -> float:
    """Sample with the bare scan, and bring the draws to the host."""
    draws = bare_scan(jax.random.key(seed), POSITION, (X, Y, NOISE))
    jax.tree_util.tree_map(np.asarray, draws)
    return STEPS["scan"]


def run_emcee(seed: int) -> float:
    """Sample with serial emcee."""
    sampler = emcee.EnsembleSampler(NWALKERS, NDIM, numpy_log_posterior)
    sampler.run_mcmc(POSITION, STEPS["emcee"])
    return STEPS["emcee"]


def run_vectorised(seed: int) -> float:
    """Sample with emcee over a compiled, batched likelihood."""
    sampler = emcee.EnsembleSampler(
        NWALKERS, NDIM, lambda p: np.asarray(BATCH(p, (X, Y, NOISE))), vectorize=True
    )
    sampler.run_mcmc(POSITION, STEPS["vectorised"])
    return STEPS["vectorised"]


CONTESTS = [
    Contest("ensemble / bare lax.scan of stretch moves", run_ampynb, run_scan, 0.85),
    Contest("ensemble / emcee, NumPy, serial", run_ampynb, run_emcee, 3),
    Contest("ensemble / emcee, vectorize=True", run_ampynb, run_vectorised, 3),
]
