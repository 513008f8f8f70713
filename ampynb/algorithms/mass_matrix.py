"""The mass matrix of Hamiltonian chains, adapted without a unit."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from numpyro.infer.hmc import HMCState

from ampynb.analysis.posterior import Posterior

__all__ = ["first_variances", "with_former_variances"]

PRIOR_DRAWS = 256  # for the priors' widths
# What the variances of one window count in those of the next, in draws: enough for a
# dense matrix to be positive definite, and 1e-3 at most of the variance itself.
WEIGHT_OF_FORMER = 0.05


def with_former_variances(state: HMCState) -> HMCState:
    """Let the variances that a new window adapts begin near those of the last one.

    What Stan adds to the variances at the end of a window, 1e-3, has a unit: that of
    z. Beside a parameter whose scale is 1e-6 it would hold all others fast.
    """
    mean, scatter, n = state.adapt_state.mm_state
    inverse_mass = state.adapt_state.inverse_mass_matrix
    if inverse_mass.ndim == 2:
        inverse_mass = jnp.diag(jnp.diag(inverse_mass))
    scatter = jnp.where(n == 0, WEIGHT_OF_FORMER * inverse_mass, scatter)
    adapt_state = state.adapt_state._replace(mm_state=(mean, scatter, n))
    return state._replace(adapt_state=adapt_state)


def first_variances(
    posterior: Posterior, key: jax.Array, gradient: jax.Array
) -> jax.Array:
    """Return a guess of the posterior's variances in z, (ndim,).

    A chain that begins a prior's width W from the peak of a Gaussian of deviation s
    sees the gradient W / s**2. No variance is taken to exceed that of the prior.

    Parameters
    ----------
    gradient : array, (nchains, ndim)
        Of the log density in z, where the chains begin.
    """
    draws = posterior.model.sample_prior(key, PRIOR_DRAWS)
    z = jax.vmap(posterior.model.unconstrain)(draws)
    low, high = jnp.quantile(z, jnp.array([0.16, 0.84]), axis=0)
    width = (high - low) / 2
    width = jnp.where(jnp.isfinite(width) & (width > 0), width, 1.0)
    steepness = jnp.sqrt(jnp.mean(gradient**2, axis=0))
    guess = jnp.minimum(width / steepness, width**2)
    return jnp.where(jnp.isfinite(guess) & (guess > 0), guess, width**2)
