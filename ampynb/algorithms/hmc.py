"""Hamiltonian Monte Carlo: numpyro's kernels in our own loop."""

from __future__ import annotations

import abc
import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from numpyro.infer.hmc import HMCState, hmc
from numpyro.infer.hmc_util import HMCAdaptState
from numpyro.infer.util import ParamInfo

from ampynb.algorithms.algorithm import Algorithm, Draws, Outcome, Start, Status
from ampynb.algorithms.chunk import draws_from, repeat, traced_template
from ampynb.algorithms.hmc_circle import Pull, begin_on_circle, end_on_circle
from ampynb.algorithms.mass_matrix import first_variances, with_former_variances
from ampynb.analysis.posterior import Posterior
from ampynb.analysis.rejections import Rejections, counted
from ampynb.distributed.devices import across_devices
from ampynb.model.options import names_options

__all__ = ["HMC", "NUTS", "Hamiltonian"]

DENSE_MASS_UP_TO = 30

# The step counter and the adaptation window are the same in every chain. Left out of
# the batch, they keep the adaptation a real branch, which sampling steps do not pay.
_KERNEL_AXES = HMCState(
    **{field: 0 for field in HMCState._fields if field not in ("i", "adapt_state")},
    i=None,
    adapt_state=HMCAdaptState(
        **{field: 0 for field in HMCAdaptState._fields if field != "window_idx"},
        window_idx=None,
    ),
)


class ChainsState(NamedTuple):
    """The states of numpyro's kernel, and what `counted` has counted.

    Attributes
    ----------
    kernel : HMCState
    evaluated : array of int, (nchains, 3)
    tried : array of int, (3,)
        Before the first step.
    """

    kernel: HMCState
    evaluated: jax.Array
    tried: jax.Array


_AXES = ChainsState(_KERNEL_AXES, 0, None)  # type: ignore[arg-type]


@dataclass(frozen=True, kw_only=True)
class Hamiltonian(Algorithm):
    """What `NUTS` and `HMC` have in common.

    Step size and mass matrix adapt during ``burn`` in Stan's windows and are frozen
    after it. The mass matrix begins with the priors' widths, narrowed where the
    gradient at the start shows a narrower posterior, so that the units of the
    parameters do not matter. All chains run in one compiled program. The coordinate of
    a parameter that wraps has no end: trajectories go round freely.

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
        """Return the settings of the trajectory for numpyro's kernel."""

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

    def init(self, posterior: Posterior, key: jax.Array, start: Start) -> ChainsState:
        """Return the chains at the start, their step size and mass not yet tuned."""
        counts = start.rejections.counts()
        return _init(posterior, key, jnp.asarray(start.position), counts, self)

    def template(self, posterior: Posterior) -> ChainsState:
        """Return a state's structure."""
        return traced_template(self, posterior)

    def advance(
        self, posterior: Posterior, state: ChainsState, n: int
    ) -> tuple[ChainsState, Draws]:
        """Make ``n`` steps of all chains, or as many as one call can hold."""
        status = self.status(state)
        state, records = _advance(posterior, state, n, self)
        done = int(state.kernel.i) - status.step
        draws = draws_from(records, done, status.phase)
        draws.stats.update(self.trajectory_stats(draws.stats["n_steps"]))
        return state, draws

    def step(
        self, posterior: Posterior, state: ChainsState
    ) -> tuple[ChainsState, dict[str, jax.Array]]:
        """Make one trajectory of every chain; see `Steps`."""

        def of_chain(kernel: HMCState) -> tuple[HMCState, jax.Array]:
            init, one_step = _kernel(self, kernel.z.shape[-1])
            # numpyro's sample() reads its settings from the last init() of a kernel.
            jax.eval_shape(
                functools.partial(init, posterior), kernel.z, rng_key=kernel.rng_key
            )
            return counted(lambda counting: one_step(counting, kernel), posterior)

        chains = jax.vmap(of_chain, in_axes=(_KERNEL_AXES,), out_axes=(_KERNEL_AXES, 0))
        kernel, evaluated = chains(state.kernel)
        state = state._replace(kernel=kernel, evaluated=state.evaluated + evaluated)
        record = jax.vmap(_record, in_axes=(None, _KERNEL_AXES))(posterior, kernel)
        return state, record

    def status(self, state: ChainsState) -> Status:
        """Return how far the chains are, with acceptance and step size."""
        kernel, step = state.kernel, int(state.kernel.i)
        metrics = {
            "acceptance_rate": float(jnp.mean(kernel.mean_accept_prob)),
            "step_size": float(jnp.mean(kernel.adapt_state.step_size)),
        }
        evaluated = np.asarray(state.evaluated).sum(axis=0)
        rejections = Rejections.of_counts(np.asarray(state.tried) + evaluated)
        return self.status_at(step, metrics if step else {}, rejections)

    def live(self, state: HMCState) -> None:
        """Return None: all is in the draws."""

    def finish(self, draws: Draws, live: Draws | None) -> Outcome:
        """Return the draws as they are."""
        return Outcome(draws.position, draws.stats)


@names_options
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


@names_options
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
        one and a half times as much (Neal 2011, section 5.4.2.2), so that
        no period returns it to its start.
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


def _potential(
    posterior: Posterior, pull: Pull | None = None
) -> Callable[[jax.Array], jax.Array]:
    if pull is None:
        return lambda z: -posterior.log_density(z)
    return lambda z: pull.at(z) - posterior.log_density(z)


def _kernel(algorithm: Hamiltonian, ndim: int) -> tuple:
    """Return numpyro's kernel for one chain.

    As ``init(posterior, z, rng_key=key)`` and ``step(posterior, state)``.
    """
    settings = algorithm.kernel_settings()
    numpyro_init, sample = hmc(potential_fn_gen=_potential, algo=settings.pop("algo"))
    dense = algorithm.dense_mass

    def init(posterior: Posterior, z: Any, **options: Any) -> HMCState:
        return numpyro_init(
            z,
            num_warmup=algorithm.burn,
            target_accept_prob=algorithm.target_accept,
            dense_mass=ndim <= DENSE_MASS_UP_TO if dense is None else dense,
            # Its constant is in units of z; `with_former_variances` has none.
            regularize_mass_matrix=False,
            model_args=(posterior,),
            **settings,
            **options,
        )

    def step(posterior: Posterior, state: HMCState) -> HMCState:
        begin = algorithm.before_step(with_former_variances(state))
        if not posterior.model.wraps:
            return sample(begin, (posterior,))
        begin, pull = begin_on_circle(begin, np.isfinite(posterior.model.periods))
        return end_on_circle(sample(begin, (posterior, pull)), pull)

    return init, step


@functools.partial(jax.jit, static_argnames=("algorithm",))
def _init(
    posterior: Posterior,
    key: jax.Array,
    position: jax.Array,
    counts: jax.Array,
    algorithm: Hamiltonian,
) -> ChainsState:
    nchains, ndim = position.shape
    init, _ = _kernel(algorithm, ndim)
    z = jax.vmap(posterior.model.unconstrain)(position)
    keys = jax.random.split(key, nchains)
    energy, gradient = jax.vmap(jax.value_and_grad(_potential(posterior)))(z)
    variances = first_variances(posterior, key, gradient)

    def of_chain(point: ParamInfo, key: jax.Array) -> HMCState:
        return init(posterior, point, inverse_mass_matrix=variances, rng_key=key)

    chains = jax.vmap(of_chain, out_axes=_KERNEL_AXES)
    kernel = chains(ParamInfo(z, energy, gradient), keys)
    return ChainsState(kernel, jnp.zeros((nchains, 3), int), counts)


@functools.partial(jax.jit, static_argnames=("algorithm",))
def _advance(
    posterior: Posterior, state: ChainsState, n: ArrayLike, algorithm: Hamiltonian
) -> tuple[ChainsState, dict[str, jax.Array]]:
    def chunk(posterior: Posterior, state: ChainsState, n: ArrayLike) -> tuple:
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
