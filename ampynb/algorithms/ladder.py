"""Ladders of inverse temperatures: how they begin, and how they adapt."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

__all__ = ["Adaptation", "adapted", "check_ladder", "geometric_step", "make_ladder"]

USUAL_NTEMPS = 8
SWAP_RATE = 0.25


def geometric_step(ndim: int) -> float:
    """Return the ratio of temperatures at which a quarter of the swaps is accepted.

    For a Gaussian likelihood in ``ndim`` dimensions, whose swaps between temperatures
    of ratio r are accepted at the rate 2 I(1 / (1 + r); ndim/2, ndim/2), with the
    regularised incomplete beta function I.

    Source: Predescu, Predescu and Ciobanu 2004, J. Chem. Phys. 120, 4119.
    """
    from scipy.special import betaincinv  # a tenth of a second

    return float(1 / betaincinv(ndim / 2, ndim / 2, SWAP_RATE / 2) - 1)


def make_ladder(
    ndim: int, ntemps: int | None, max_temperature: float | None
) -> np.ndarray:
    """Return inverse temperatures from 1 downwards, (ntemps,).

    Parameters
    ----------
    ndim : int
    ntemps : int, optional
        By default as many as a finite ``max_temperature`` needs, or 8.
    max_temperature : float, optional
        Infinity for a last inverse temperature of 0, above a geometric ladder; None
        for the geometric ladder as far as ``ntemps`` goes.
    """
    step = geometric_step(ndim)
    if max_temperature is None:
        return step ** -np.arange(float(ntemps or USUAL_NTEMPS))
    if math.isinf(max_temperature):
        finite = step ** -np.arange(float(ntemps or USUAL_NTEMPS) - 1)
        return np.append(finite, 0.0)
    if ntemps is None:
        ntemps = max(math.ceil(math.log(max_temperature) / math.log(step)) + 1, 2)
    return np.geomspace(1.0, 1 / max_temperature, ntemps)


def check_ladder(
    ntemps: int | None, max_temperature: float | None, betas: Sequence[float] | None
) -> None:
    """Raise where the three do not describe a ladder."""
    is_count = isinstance(ntemps, int | np.integer) and not isinstance(ntemps, bool)
    if ntemps is not None and not (is_count and ntemps >= 2):
        raise ValueError(
            f"expected ntemps as a whole number of at least 2; got {ntemps!r}; 8 are "
            "usual, and sampler='ensemble' samples without tempering"
        )
    if max_temperature is not None and not max_temperature > 1:
        raise ValueError(
            f"expected max_temperature above 1; got {max_temperature!r}; give infinity "
            "for the prior, or None for as high as ntemps go"
        )
    if betas is None:
        return
    falls = all(a > b for a, b in itertools.pairwise(betas))
    if len(betas) < 2 or betas[0] != 1 or not falls or not betas[-1] >= 0:
        raise ValueError(
            "expected betas that begin with 1 and decrease to 0 or more; got "
            f"{betas!r}; give for instance [1, 0.3, 0.1, 0]"
        )
    if ntemps not in (None, len(betas)) or max_temperature not in (None, math.inf):
        raise ValueError(
            f"expected betas, or ntemps and max_temperature; got {len(betas)} betas, "
            f"ntemps={ntemps!r} and max_temperature={max_temperature!r}; give betas "
            "alone, or leave them out"
        )


class Adaptation(NamedTuple):
    """How fast a ladder adapts, and until when.

    Attributes
    ----------
    time : float
        Steps in which a gap of the ladder changes by a factor e, where one of its
        swap rates is 1 and the next is 0.
    lag : float
        Steps after which the adaptation is half as fast.
    until : float
        The step at which the ladder freezes.
    """

    time: float
    lag: float
    until: float


def adapted(
    beta: jax.Array, swap_rate: jax.Array, step: jax.Array, adaptation: Adaptation
) -> jax.Array:
    """Return a ladder with gaps that are wider where more swaps are accepted.

    The logarithm of each gap between temperatures changes by what its swap rate
    exceeds the next one's; the coldest and the hottest stay (Vousden, Farr and Mandel
    2016, section 3).

    Parameters
    ----------
    beta : array, (ntemps,)
    swap_rate : array, (ntemps - 1,)
        Of the last step.
    step : int
        Steps done before it.
    """
    temperature = 1 / beta[:-1]
    decay = adaptation.lag / (step + adaptation.lag)
    rate = jnp.where(step < adaptation.until, decay / adaptation.time, 0.0)
    change = rate * (swap_rate[:-1] - swap_rate[1:])
    gaps = jnp.diff(temperature) * jnp.exp(change)
    warmer = 1 / (temperature[0] + jnp.cumsum(gaps))
    moved = jnp.concatenate([beta[:1], warmer, beta[-1:]])
    # A ladder that would reach past its hottest temperature stays as it is.
    allowed = (rate > 0) & jnp.all(jnp.diff(moved) < 0)
    return jnp.where(allowed, moved, beta)
