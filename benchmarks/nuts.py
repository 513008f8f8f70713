"""NUTS beside numpyro's ``MCMC.run`` and blackjax's window adaptation and scan.

The five-parameter fit of ``ensemble.py``, 4 chains of 500 + 1000 steps from the same
points near the truth, the work being a whole run. numpyro compiles at each run, so that
a first run, without any compiled program at hand, is compared with one; blackjax'
programs are compiled before both are timed. ``samplers.py`` runs it.
"""

from __future__ import annotations

import contextlib
import io

import blackjax
import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from contest import Contest
from ensemble import NDIM, NOISE, POSITION, Curve, X, Y, curve

import ampynb as anb
from ampynb.algorithms.algorithm import Start

CHAINS, WARMUP, DRAWS = 4, 500, 1000
BEGIN = POSITION[:CHAINS]
BEGIN_SHARE = (BEGIN + 5) / 10  # of the prior's range
UNCONSTRAINED = np.log(BEGIN_SHARE) - np.log1p(-BEGIN_SHARE)


def run_ampynb(seed: int) -> float:
    """Sample with the engine, its monitor on."""
    model = anb.Model(p=dist.Uniform(-5, 5).expand([NDIM]))
    engine = anb.InferenceEngine(Curve(X, Y, NOISE), model, seed=seed)
    with contextlib.redirect_stdout(io.StringIO()):  # outside a notebook: as text
        engine.start(
            CHAINS, DRAWS, WARMUP, "nuts", start=Start(BEGIN), progress="widget"
        ).wait()
    return 1.0


def numpyro_model(x, y, noise):
    p = numpyro.sample("p", dist.Uniform(-5, 5).expand([NDIM]).to_event(1))
    numpyro.sample("y", dist.Normal(curve(jnp, p, x), noise), obs=y)


def run_numpyro(seed: int) -> float:
    """Sample with numpyro's own driver, all chains in one program."""
    mcmc = numpyro.infer.MCMC(
        numpyro.infer.NUTS(numpyro_model),
        num_warmup=WARMUP,
        num_samples=DRAWS,
        num_chains=CHAINS,
        chain_method="vectorized",
        progress_bar=False,
    )
    begin = {"p": jnp.asarray(UNCONSTRAINED)}
    mcmc.run(jax.random.key(seed), X, Y, NOISE, init_params=begin)
    jax.tree_util.tree_map(np.asarray, mcmc.get_samples())
    return 1.0


def log_density(z, data):
    """Log posterior of an unconstrained point."""
    x, y, noise = data
    share = jax.nn.sigmoid(z)
    residuals = (y - curve(jnp, -5 + 10 * share, x)) / noise
    prior = jnp.sum(jax.nn.log_sigmoid(z) + jax.nn.log_sigmoid(-z))
    return prior - 0.5 * jnp.sum(residuals**2)


@jax.jit
def blackjax_chains(keys, positions, data):
    """Adapt and sample each chain, all in one program."""

    def chain(key, position):
        def density(z):
            return log_density(z, data)

        key_warmup, key = jax.random.split(key)
        warmup = blackjax.window_adaptation(blackjax.nuts, density)
        (state, parameters), _ = warmup.run(key_warmup, position, num_steps=WARMUP)
        step = blackjax.nuts(density, **parameters).step

        def one(state, key):
            state, _ = step(key, state)
            return state, state.position

        return jax.lax.scan(one, state, jax.random.split(key, DRAWS))[1]

    return jax.vmap(chain)(keys, positions)


def run_blackjax(seed: int) -> float:
    """Sample with blackjax, and bring the draws to the host."""
    keys = jax.random.split(jax.random.key(seed), CHAINS)
    np.asarray(blackjax_chains(keys, UNCONSTRAINED, (X, Y, NOISE)))
    return 1.0


def cold(run):
    """Return a run that finds no compiled program."""

    def run_cold(seed: int) -> float:
        jax.clear_caches()
        return run(seed)

    return run_cold


CONTESTS = [
    Contest(
        "NUTS, first run / numpyro MCMC.run, first run",
        cold(run_ampynb),
        cold(run_numpyro),
        1 / 0.8,
    ),
    Contest("NUTS, repeat / blackjax, repeat", run_ampynb, run_blackjax, 1 / 1.5),
]
