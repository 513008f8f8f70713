"""Exchanges of walkers between neighbouring temperatures."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from ampynb.algorithms.ensemble import Walkers

__all__ = ["Swaps", "propose_swaps", "swap"]


class Swaps(NamedTuple):
    """What is exchanged in one step.

    Attributes
    ----------
    origin : array of int, (ntemps, nwalkers)
        Where each walker comes from: temperature times ``nwalkers`` plus walker.
    log_likelihood : array, (ntemps, nwalkers)
        After the exchange.
    accepted : array of bool, (ntemps - 1, nwalkers)
        By pair of temperatures and walker of the colder one.
    """

    origin: jax.Array
    log_likelihood: jax.Array
    accepted: jax.Array


def swap(
    key: jax.Array, walkers: Walkers, beta: jax.Array
) -> tuple[Walkers, jax.Array]:
    """Exchange walkers between neighbouring temperatures.

    Counts of accepted moves stay where they are: they are of a temperature.

    Returns
    -------
    walkers : Walkers
    accepted : array of bool, (ntemps - 1, nwalkers)
    """
    swaps = propose_swaps(key, walkers.log_likelihood, beta)

    def exchanged(values: jax.Array) -> jax.Array:
        flat = values.reshape(-1, *values.shape[2:])
        return flat.at[swaps.origin].get(mode="promise_in_bounds")

    swapped = walkers._replace(
        position=exchanged(walkers.position),
        log_prior=exchanged(walkers.log_prior),
        log_likelihood=swaps.log_likelihood,
    )
    return swapped, swaps.accepted


def propose_swaps(key: jax.Array, log_likelihood: jax.Array, beta: jax.Array) -> Swaps:
    """Draw which walkers change places.

    First the pairs of temperatures that begin with an even one, all at once, then the
    others, so that a walker can go on in its direction (Okabe et al. 2001; Syed et al.
    2022). Each walker of the colder temperature is paired with one of the hotter; they
    change places with probability min(1, exp(step of beta times step of log
    likelihood)).

    Parameters
    ----------
    log_likelihood : array, (ntemps, nwalkers)
    beta : array, (ntemps,)
    """
    ntemps, nwalkers = log_likelihood.shape
    key_shift, key_accept = jax.random.split(key)
    shifts = jax.random.randint(key_shift, (2,), 0, nwalkers)
    shape = (ntemps - 1, nwalkers)
    log_uniform = jnp.log(jax.random.uniform(key_accept, shape, log_likelihood.dtype))
    origin = jnp.arange(ntemps * nwalkers).reshape(ntemps, nwalkers)
    accepted = jnp.zeros(shape, bool)
    for first, shift in enumerate(shifts):
        last = first + (ntemps - first) // 2 * 2
        colder, hotter = slice(first, last, 2), slice(first + 1, last, 2)
        partner = jnp.roll(log_likelihood[hotter], shift, axis=1)
        step = beta[colder] - beta[hotter]
        log_ratio = step[:, None] * (partner - log_likelihood[colder])
        accept = log_uniform[first::2] < log_ratio
        accepted = accepted.at[first::2].set(accept)
        log_likelihood = _exchanged(log_likelihood, accept, shift, first)
        origin = _exchanged(origin, accept, shift, first)
    return Swaps(origin, log_likelihood, accepted)


def _exchanged(
    values: jax.Array, accept: jax.Array, shift: jax.Array, first: int
) -> jax.Array:
    """Return values, (ntemps, nwalkers), with the accepted pairs exchanged."""
    last = first + 2 * len(accept)
    cold = values[first:last:2]
    hot = jnp.roll(values[first + 1 : last : 2], shift, axis=1)
    colder = jnp.where(accept, hot, cold)
    hotter = jnp.roll(jnp.where(accept, cold, hot), -shift, axis=1)
    pairs = jnp.stack([colder, hotter], axis=1).reshape(-1, values.shape[1])
    return jnp.concatenate([values[:first], pairs, values[last:]])
