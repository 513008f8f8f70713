"""Hamiltonian Monte Carlo: numpyro's kernels in our own loop."""

from __future__ import annotations

import abc
import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from numpyro.infer.hmc import HMCState, hmc
from numpyro.infer.hmc_util import HMCAdaptState
from numpyro.infer.util import ParamInfo

from ampynb.algorithms.algorithm import Algorithm, Draws, Outcome, Start, Status
from ampynb.algorithms.chunk import draws_from, repeat, traced_template
from ampynb.analysis.posterior import Posterior
from ampynb.distributed.devices import across_devices

__all__ = ["HMC", "NUTS", "Hamiltonian"]

DENSE_MASS_UP_TO = 30
PRIOR_DRAWS = 256  # for the priors' widths
# What the variances of one window count in those of the next, in draws: enough for a
# dense matrix to be positive definite, and 1e-3 at most of the variance itself.
WEIGHT_OF_FORMER = 0.05

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


@dataclass(frozen=True, kw_only=True)
class Hamiltonian(Algorithm):
    """What `NUTS` and `HMC` have in common.

    Step size and mass matrix adapt during ``burn`` in Stan's windows and are frozen
    after it. The mass matrix begins with the priors' widths, narrowed where the
    gradient at the start shows a narrower posterior, so that the units of the
    parameters do not matter. All chains run in one compiled program.

    Parameters
    ----------
    target_accept : float
        Acceptance probability that the step size is tuned to. Raise it towards 1
        where there are divergences.
    dense_mass : bool, optional
        Whether the mass matrix has correlations; by default up to 30 dimensions.
    """

    target_accept: float = 0.8
    dense_mass: bool | None = None

    takes_numpy: ClassVar[bool] = False
    independent_chains: ClassVar[bool] = True
    candidates_per_walker: ClassVar[int] = 16
    shares_devices: ClassVar[bool] = True
    state_axes: ClassVar[Any] = _AXES

    def __post_init__(self):
        if not 0 < self.target_accept < 1:
            raise ValueError(
                f"expected target_accept between 0 and 1; got {self.target_accept}; "
                "0.8 is usual, 0.95 helps against divergences"
            )
        self.check_trajectory()

    @abc.abstractmethod
    def check_trajectory(self) -> None:
        """Raise `ValueError` where the options of the trajectory cannot be."""

    @abc.abstractmethod
    def kernel_settings(self) -> dict[str, Any]:
        """Return what numpyro's kernel is told of the trajectory."""

    @abc.abstractmethod
    def before_step(self, state: HMCState) -> HMCState:
        """Return the state of one chain as its next step takes it."""

    @abc.abstractmethod
    def trajectory_stats(self, n_steps: np.ndarray) -> dict[str, np.ndarray]:
        """Return further numbers of each draw, of the shape of ``n_steps``."""

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
        draws.stats.update(self.trajectory_stats(draws.stats["n_steps"]))
        return state, draws

    def step(
        self, posterior: Posterior, state: HMCState
    ) -> tuple[HMCState, dict[str, jax.Array]]:
        """Make one trajectory of every chain; see `Steps`."""
        init, one_step = _kernel(posterior, self, state.z.shape[-1])
        # numpyro's sample() reads its settings from the last init() of the same kernel.
        jax.eval_shape(init, state.z[0], rng_key=state.rng_key[0])
        state = jax.vmap(one_step, in_axes=(_AXES,), out_axes=_AXES)(state)
        return state, jax.vmap(_record, in_axes=(None, _AXES))(posterior, state)

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


@dataclass(frozen=True, kw_only=True)
class NUTS(Hamiltonian):
    """No-U-Turn sampler (Hoffman and Gelman 2014) in unconstrained coordinates.

    Step size and mass matrix adapt during ``burn`` in Stan's windows and are frozen
    after it. All chains run in one compiled program.

    Parameters
    ----------
    target_accept : float
        Acceptance probability that the step size is tuned to. Raise it towards 1
        where there are divergences.
    dense_mass : bool, optional
        Whether the mass matrix has correlations; by default up to 30 dimensions.
    max_tree_depth : int
        A trajectory has at most 2**max_tree_depth steps.
    """

    max_tree_depth: int = 10

    name: ClassVar[str] = "nuts"

    def check_trajectory(self) -> None:
        """Raise where a trajectory would have no step."""
        if self.max_tree_depth < 1:
            raise ValueError(
                "expected max_tree_depth of at least 1; got "
                f"{self.max_tree_depth}; 10 is usual"
            )

    def kernel_settings(self) -> dict[str, Any]:
        """Return the kernel's name and the depth of its trees."""
        return {
            "algo": "NUTS",
            "max_tree_depth": self.max_tree_depth,
            "trajectory_length": None,
        }

    def before_step(self, state: HMCState) -> HMCState:
        """Return the state as it is: a trajectory ends where it turns back."""
        return state

    def trajectory_stats(self, n_steps: np.ndarray) -> dict[str, np.ndarray]:
        """Return the depth of each tree."""
        return {"tree_depth": np.log2(n_steps).astype(int) + 1}


@dataclass(frozen=True, kw_only=True)
class HMC(Hamiltonian):
    """Hamiltonian Monte Carlo (Duane et al. 1987) in unconstrained coordinates.

    Step size and mass matrix adapt during ``burn`` in Stan's windows and are frozen
    after it. All chains run in one compiled program. `NUTS` finds the length of its
    trajectories itself; here all are about as long, which wastes nothing where one
    length suits the whole posterior.

    Parameters
    ----------
    target_accept : float
        Acceptance probability that the step size is tuned to. Raise it towards 1
        where there are divergences.
    dense_mass : bool, optional
        Whether the mass matrix has correlations; by default up to 30 dimensions.
    trajectory_length : float
        Mean length in units of the mass matrix: a quarter of the period of a
        Gaussian, which forgets where it began, by default. Each is drawn from half to
        one and a half times as much (Neal 2011, section 5.4.2.2), lest a period
        return it to its start.
    max_steps : int
        A trajectory has at most so many steps, and is shorter where they are small.
    """

    trajectory_length: float = math.pi / 2
    max_steps: int = 1024

    name: ClassVar[str] = "hmc"

    def check_trajectory(self) -> None:
        """Raise where a trajectory would lead nowhere."""
        if not 0 < self.trajectory_length < math.inf:
            raise ValueError(
                "expected trajectory_length above 0; got "
                f"{self.trajectory_length}; 1.57, a quarter of a period, is usual"
            )
        if self.max_steps < 1:
            raise ValueError(
                f"expected max_steps of at least 1; got {self.max_steps}; 1024 is usual"
            )

    def kernel_settings(self) -> dict[str, Any]:
        """Return the kernel's name and the mean length of a trajectory."""
        return {"algo": "HMC", "trajectory_length": self.trajectory_length}

    def before_step(self, state: HMCState) -> HMCState:
        """Draw the length of the next trajectory."""
        key, key_length = jax.random.split(state.rng_key)
        factor = jax.random.uniform(key_length, minval=0.5, maxval=1.5)
        # A little less: rounding must not make one step more of it.
        longest = (1 - 1e-5) * self.max_steps * state.adapt_state.step_size
        length = jnp.minimum(factor * self.trajectory_length, longest)
        return state._replace(rng_key=key, trajectory_length=length)

    def trajectory_stats(self, n_steps: np.ndarray) -> dict[str, np.ndarray]:
        """Return nothing: ``n_steps`` tells all."""
        return {}


def _potential(posterior: Posterior) -> Callable[[jax.Array], jax.Array]:
    return lambda z: -posterior.log_density(z)


def _kernel(posterior: Posterior, algorithm: Hamiltonian, ndim: int) -> tuple:
    """Return numpyro's ``init(z, key)`` and a ``step(state)`` for one chain."""
    settings = algorithm.kernel_settings()
    init, sample = hmc(potential_fn_gen=_potential, algo=settings.pop("algo"))
    dense = algorithm.dense_mass
    one_chain_init = functools.partial(
        init,
        num_warmup=algorithm.burn,
        target_accept_prob=algorithm.target_accept,
        dense_mass=ndim <= DENSE_MASS_UP_TO if dense is None else dense,
        # Its constant is in units of z; `_with_former_variances` has none.
        regularize_mass_matrix=False,
        model_args=(posterior,),
        **settings,
    )
    return one_chain_init, lambda state: sample(
        algorithm.before_step(_with_former_variances(state)), (posterior,)
    )


def _with_former_variances(state: HMCState) -> HMCState:
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


def _first_variances(
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


@functools.partial(jax.jit, static_argnames=("algorithm",))
def _init(
    posterior: Posterior, key: jax.Array, position: jax.Array, algorithm: Hamiltonian
) -> HMCState:
    nchains, ndim = position.shape
    init, _ = _kernel(posterior, algorithm, ndim)
    z = jax.vmap(posterior.model.unconstrain)(position)
    keys = jax.random.split(key, nchains)
    energy, gradient = jax.vmap(jax.value_and_grad(_potential(posterior)))(z)
    variances = _first_variances(posterior, key, gradient)

    def of_chain(point: ParamInfo, key: jax.Array) -> HMCState:
        return init(point, inverse_mass_matrix=variances, rng_key=key)

    return jax.vmap(of_chain, out_axes=_AXES)(ParamInfo(z, energy, gradient), keys)


@functools.partial(jax.jit, static_argnames=("algorithm",))
def _advance(
    posterior: Posterior, state: HMCState, n: ArrayLike, algorithm: Hamiltonian
) -> tuple[HMCState, dict[str, jax.Array]]:
    def chunk(posterior: Posterior, state: HMCState, n: ArrayLike) -> tuple:
        return repeat(functools.partial(algorithm.step, posterior), state, n)

    axes = {"in_axes": (None, _AXES, None), "out_axes": (_AXES, 1)}
    return across_devices(chunk, **axes)(posterior, state, n)


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
