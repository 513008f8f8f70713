"""Trajectories of Hamiltonian Monte Carlo where coordinates are phases, without an end.

On a circle on which little is known a trajectory would never turn back, and no step
would be too long. So each has a weak spring to a point that is drawn around its start:
with that point as a further variable, whose distribution around the phase is normal,
the density of phase and point together is that of the phase times the normal one, and
drawing the point and moving the phase are two steps of Gibbs sampling. What is left of
it without the point is the density of the phase, exactly.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.infer.hmc import HMCState

from ampynb.model.circle import FULL_TURN

__all__ = ["Pull", "begin_on_circle", "end_on_circle"]

SOFT = FULL_TURN  # standard deviation of the point around the phase


class Pull(NamedTuple):
    """The spring of one trajectory.

    Attributes
    ----------
    centre : array, (ndim,)
    stiffness : array, (ndim,)
        0 for coordinates that are no phases.
    """

    centre: jax.Array
    stiffness: Any

    def at(self, z: jax.Array) -> jax.Array:
        """Return the energy of the spring."""
        return 0.5 * jnp.sum(self.stiffness * (z - self.centre) ** 2)

    def slope(self, z: jax.Array) -> jax.Array:
        """Return the gradient of the energy."""
        return self.stiffness * (z - self.centre)


def begin_on_circle(state: HMCState, wraps: np.ndarray) -> tuple[HMCState, Pull]:
    """Draw the spring of a chain's next trajectory, and add its energy to the state.

    While the mass matrix is estimated, phases are first moved by whole turns next to
    the mean that the estimate has so far: how often a chain has gone round is no width.

    Parameters
    ----------
    wraps : array of bool, (ndim,)
    """
    key, key_centre = jax.random.split(state.rng_key)
    mean, _, count = state.adapt_state.mm_state
    turns = jnp.where(wraps & (count > 0), jnp.round((state.z - mean) / FULL_TURN), 0.0)
    z = state.z - FULL_TURN * turns
    normal = jax.random.normal(key_centre, z.shape, z.dtype)
    pull = Pull(z + SOFT * normal, np.where(wraps, SOFT**-2, 0.0))
    state = state._replace(
        rng_key=key,
        z=z,
        potential_energy=state.potential_energy + pull.at(z),
        z_grad=state.z_grad + pull.slope(z),
    )
    return state, pull


def end_on_circle(state: HMCState, pull: Pull) -> HMCState:
    """Take the energy of the spring away again."""
    energy = pull.at(state.z)
    return state._replace(
        potential_energy=state.potential_energy - energy,
        z_grad=state.z_grad - pull.slope(state.z),
        energy=state.energy - energy,
    )
