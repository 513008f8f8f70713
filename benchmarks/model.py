"""A model of 90 parameters: time to compose, and to evaluate beside hand-written JAX.

Thirty Gaussian components over 100 data, as thirty models within a model and as three
vectors of thirty. The log posterior of 1024 points, and its gradient, against the same
arithmetic written by hand on the vector, in alternating rounds; all in processor time,
which other work on the machine hardly changes. Run
``python benchmarks/model.py``.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jax.scipy import stats

import ampynb as anb

N, POINTS, ROUNDS, CALLS = 30, 1024, 15, 2
X = np.linspace(0.0, 100.0, 100)
NOISE = np.full(100, 0.5)


class Gaussian:
    """One component of the sum."""

    def __init__(self, centre, normalization, sigma):
        self.centre, self.normalization, self.sigma = centre, normalization, sigma


def profile(x, centre, normalization, sigma):
    """Return the values of Gaussian components, in any shapes that broadcast."""
    return normalization / sigma * jnp.exp(-0.5 * ((x - centre) / sigma) ** 2)


class Sum(anb.Analysis):
    """The sum of components that are models within a model."""

    def __init__(self, x, y, noise):
        super().__init__()
        self.x, self.y, self.noise = x, y, noise

    def fit_from(self, instance):
        """Return the fit, component by component."""
        model = sum(
            profile(self.x, one.centre, one.normalization, one.sigma)
            for one in instance
        )
        return anb.GaussianFit(self.y, self.noise, model)


class SumOfVectors(Sum):
    """The same sum of components whose parameters are vectors."""

    def fit_from(self, instance):
        """Return the fit, all components at once."""
        each = profile(
            self.x,
            instance.centre[:, None],
            instance.normalization[:, None],
            instance.sigma[:, None],
        )
        return anb.GaussianFit(self.y, self.noise, each.sum(axis=0))


def priors() -> dict[str, dist.Distribution]:
    """Return the priors of one component."""
    return {
        "centre": dist.Uniform(0.0, 100.0),
        "normalization": dist.LogUniform(0.01, 100.0),
        "sigma": dist.TruncatedNormal(10.0, 5.0, low=0.1),
    }


def components() -> anb.Model:
    """Return thirty models in a collection."""
    return anb.Model(
        anb.Collection(*(anb.Model(Gaussian, **priors()) for _ in range(N)))
    )


def vectors() -> anb.Model:
    """Return three parameters of thirty elements each."""
    return anb.Model(**{name: prior.expand([N]) for name, prior in priors().items()})


def by_hand_of_components(vector, y):
    """Return the log posterior, component by component."""
    parts = [vector[3 * i : 3 * i + 3] for i in range(N)]
    model = sum(profile(X, part[0], part[1], part[2]) for part in parts)
    return by_hand(*vector.reshape(N, 3).T, model, y)


def by_hand_of_vectors(vector, y):
    """Return the log posterior, all components at once."""
    centre, normalization, sigma = vector.reshape(3, N)
    model = profile(X, centre[:, None], normalization[:, None], sigma[:, None]).sum(
        axis=0
    )
    return by_hand(centre, normalization, sigma, model, y)


def by_hand(centre, normalization, sigma, model, y):
    """Return the log posterior from the parameters and the model's values."""
    inside = (normalization > 0.01) & (normalization < 100.0)
    log_prior = jnp.sum(stats.uniform.logpdf(centre, 0.0, 100.0))
    log_prior += jnp.sum(
        jnp.where(inside, -jnp.log(normalization) - np.log(np.log(1e4)), -jnp.inf)
    )
    log_prior += jnp.sum(stats.truncnorm.logpdf(sigma, -1.98, np.inf, 10.0, 5.0))
    return log_prior + jnp.sum(stats.norm.logpdf(y, model, NOISE))


def log_posterior(posterior, vector):
    """Return the log posterior as a function of the posterior too."""
    return posterior.log_posterior(vector)


def compose() -> None:
    """Print how long it takes to compose the model, priors and all."""
    times = []
    for _ in range(20):
        begun = time.process_time()
        components()
        times.append(1e3 * (time.process_time() - begun))
    print(
        f"compose 90 parameters: first {times[0]:.0f} ms, then median "
        f"{statistics.median(times[1:]):.1f} ms"
    )


def evaluate(name: str, model: anb.Model, kind: type, hand: Callable) -> None:
    """Print both times of the log posterior and of its gradient, and their ratio."""
    points = model.sample_prior(jax.random.key(0), POINTS)
    y = np.ones(100)
    posterior = anb.Posterior(kind(X, y, NOISE), model)
    programs = {
        "value": (
            (jax.jit(jax.vmap(log_posterior, (None, 0))), (posterior, points)),
            (jax.jit(jax.vmap(hand, (0, None))), (points, y)),
        ),
        "gradient": (
            (
                jax.jit(jax.vmap(jax.value_and_grad(log_posterior, 1), (None, 0))),
                (posterior, points),
            ),
            (jax.jit(jax.vmap(jax.value_and_grad(hand), (0, None))), (points, y)),
        ),
    }
    for what, pair in programs.items():
        outcomes = [jax.tree_util.tree_leaves(p(*arguments)) for p, arguments in pair]
        for one, other in zip(*outcomes, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)
        times: list[list[float]] = [[], []]
        for _ in range(ROUNDS):
            for (program, arguments), found in zip(pair, times, strict=True):
                begun = time.process_time()
                for _ in range(CALLS):
                    jax.block_until_ready(program(*arguments))
                found.append(1e6 * (time.process_time() - begun) / CALLS / POINTS)
        ours, theirs = map(min, times)
        ratios = [one / other for one, other in zip(*times, strict=True)]
        print(
            f"{name}, {what}: {ours:.2f} us a point, by hand {theirs:.2f}; ratio "
            f"{ours / theirs:.2f} of the least, {statistics.median(ratios):.2f} median"
        )


def main() -> None:
    """Compose, and evaluate both forms of the model."""
    compose()
    evaluate("components", components(), Sum, by_hand_of_components)
    evaluate("vectors", vectors(), SumOfVectors, by_hand_of_vectors)


if __name__ == "__main__":
    main()
