"""Hamiltonian Monte Carlo: numpyro's No-U-Turn kernel in our own loop."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from numpyro.infer.hmc import HMCState, hmc
from numpyro.infer.hmc_util import HMCAdaptState

from ampynb.algorithms.algorithm import Algorithm, Draws, Outcome, Start, Status
from ampynb.algorithms.chunk import draws_from, repeat, traced_template
from ampynb.analysis.posterior import Posterior

__all__ = ["NUTS"]

DENSE_MASS_UP_TO = 30


@dataclass(frozen=True, kw_only=True)
class NUTS(Algorithm):
    """No-U-Turn sampler (Hoffman and Gelman 2014) in unconstrained coordinates.

    Step size and mass matrix adapt during ``burn`` in Stan's windows and are frozen
    after it. All chains run in one compiled program.

    Parameters
    ----------
    target_accept : float
        Acceptance probability that the step size is tuned to. Raise it towards 1
        where there are divergences.
    max_tree_depth : int
        A trajectory has at most 2**max_tree_depth steps.
    dense_mass : bool, optional
        Whether the mass matrix has correlations; by default up to 30 dimensions.
    """

    target_accept: float = 0.8
    max_tree_depth: int = 10
    dense_mass: bool | None = None

    name: ClassVar[str] = "nuts"
    takes_numpy: ClassVar[bool] = False
    independent_chains: ClassVar[bool] = True
    candidates_per_walker: ClassVar[int] = 16

    def __post_init__(self):
        if not 0 < self.target_accept < 1:
            raise ValueError(
                f"expected target_accept between 0 and 1; got {self.target_accept}; "
                "0.8 is usual, 0.95 helps against divergences"
            )
        if self.max_tree_depth < 1:
            raise ValueError(
                "expected max_tree_depth of at least 1; got "
                f"{self.max_tree_depth}; 10 is usual"
            )

    def check(self, posterior: Posterior) -> None:
        """Raise where there is no chain."""
        if self.nwalkers < 1:
            raise ValueError(
                f"expected at least 1 chain; got nwalkers={self.nwalkers}; 4 are usual"
            )

    def init(self, posterior: Posterior, key: jax.Array, start: Start) -> HMCState:
        """Return the chains at the start, their step size and mass not yet tuned."""
        return _init(posterior, key, jnp.asarray(start.position), self)

    def template(self, posterior: Posterior) -> HMCState:
        """Return a state's structure."""
        return traced_template(self, posterior)

    def advance(
        self, posterior: Posterior, state: HMCState, n: int
    ) -> tuple[HMCState, Draws]:
        """Make ``n`` steps of all chains, or as many as one call can hold."""
        status = self.status(state)
        state, records = _advance(posterior, state, n, self)
        draws = draws_from(records, int(state.i) - status.step, status.phase)
        n_steps = draws.stats["n_steps"]
        draws.stats["tree_depth"] = np.log2(n_steps).astype(int) + 1
        return state, draws

    def status(self, state: HMCState) -> Status:
        """Return how far the chains are, with acceptance and step size."""
        step = int(state.i)
        metrics = {
            "acceptance_rate": float(jnp.mean(state.mean_accept_prob)),
            "step_size": float(jnp.mean(state.adapt_state.step_size)),
        }
        return self.status_at(step, metrics if step else {})

    def live(self, state: HMCState) -> None:
        """Return None: all is in the draws."""

    def finish(self, draws: Draws, live: Draws | None) -> Outcome:
        """Return the draws as they are."""
        return Outcome(draws.position, draws.stats)


# The step counter and the adaptation window are the same in every chain. Left out of
# the batch, they keep the adaptation a real branch, which sampling steps do not pay.
_AXES = HMCState(
    **{field: 0 for field in HMCState._fields if field not in ("i", "adapt_state")},
    i=None,
    adapt_state=HMCAdaptState(
        **{field: 0 for field in HMCAdaptState._fields if field != "window_idx"},
        window_idx=None,
    ),
)


def _potential(posterior: Posterior) -> Callable[[jax.Array], jax.Array]:
    return lambda z: -posterior.log_density(z)


def _kernel(posterior: Posterior, algorithm: NUTS, ndim: int) -> tuple:
    """Return numpyro's ``init(z, key)`` and ``sample(state)`` for one chain."""
    init, sample = hmc(potential_fn_gen=_potential, algo="NUTS")
    no_length: Any = None  # numpyro's annotation leaves out what its NUTS passes
    dense = algorithm.dense_mass
    one_chain_init = functools.partial(
        init,
        num_warmup=algorithm.burn,
        target_accept_prob=algorithm.target_accept,
        max_tree_depth=algorithm.max_tree_depth,
        dense_mass=ndim <= DENSE_MASS_UP_TO if dense is None else dense,
        trajectory_length=no_length,
        model_args=(posterior,),
    )
    return one_chain_init, lambda state: sample(state, (posterior,))


@functools.partial(jax.jit, static_argnames=("algorithm",))
def _init(
    posterior: Posterior, key: jax.Array, position: jax.Array, algorithm: NUTS
) -> HMCState:
    nchains, ndim = position.shape
    init, _ = _kernel(posterior, algorithm, ndim)
    z = jax.vmap(posterior.model.unconstrain)(position)
    keys = jax.random.split(key, nchains)
    return jax.vmap(lambda z, key: init(z, rng_key=key), out_axes=_AXES)(z, keys)


@functools.partial(jax.jit, static_argnames=("algorithm",))
def _advance(
    posterior: Posterior, state: HMCState, n: ArrayLike, algorithm: NUTS
) -> tuple[HMCState, dict[str, jax.Array]]:
    ndim = state.z.shape[-1]
    init, sample = _kernel(posterior, algorithm, ndim)
    # numpyro's sample() reads its settings from the last init() of the same kernel.
    jax.eval_shape(init, state.z[0], rng_key=state.rng_key[0])

    def step(state: HMCState) -> tuple[HMCState, dict[str, jax.Array]]:
        state = jax.vmap(sample, in_axes=(_AXES,), out_axes=_AXES)(state)
        return state, jax.vmap(_record, in_axes=(None, _AXES))(posterior, state)

    return repeat(step, state, n)


def _record(posterior: Posterior, state: Any) -> dict[str, jax.Array]:
    position = posterior.model.constrain(state.z)
    log_prior, log_likelihood = posterior.log_densities(position)
    return {
        "position": position,
        "lp": log_prior + log_likelihood,
        "log_likelihood": log_likelihood,
        "diverging": state.diverging,
        "energy": state.energy,
        "n_steps": state.num_steps,
        "acceptance_rate": state.accept_prob,
        "step_size": state.adapt_state.step_size,
    }
