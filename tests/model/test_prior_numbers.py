"""The numbers in a prior: in one order, and back to the same prior."""

from typing import Any

import jax
import numpy as np
import numpyro.distributions as dist
import pytest
from numpyro.distributions.transforms import AffineTransform, ExpTransform

from ampynb.model.prior_numbers import Numbers, numbers_in


class OwnOrder(dist.Normal):
    """A family that is flattened into something else than its parameters."""

    def tree_flatten(self) -> tuple[tuple, Any]:
        loc: Any = self.loc
        return (loc + self.scale,), self.scale

    @classmethod
    def tree_unflatten(cls, scale: Any, numbers: tuple) -> Any:
        made = cls.__new__(cls)
        made.loc, made.scale = numbers[0] - scale, scale
        dist.Distribution.__init__(made, (), ())
        return made


PRIORS = [
    dist.Normal(1.0, 2.0),
    dist.TruncatedNormal(0.0, 1.0, low=-1.0, high=2.0),
    dist.LogUniform(1.0, 2.0),
    dist.Gamma(2.0, 3.0).expand([3]).to_event(1),
    dist.TransformedDistribution(
        dist.Normal(0.0, 1.0), [AffineTransform(1.0, 2.0), ExpTransform()]
    ),
    dist.MixtureSameFamily(
        dist.Categorical(np.array([0.3, 0.7])), dist.Normal(np.array([0.0, 4.0]), 1.0)
    ),
    OwnOrder(1.0, 2.0),
]


@pytest.mark.parametrize("prior", PRIORS, ids=lambda prior: type(prior).__name__)
def test_a_prior_is_rebuilt_from_its_numbers(prior: Any):
    numbers, structure = jax.tree_util.tree_flatten(Numbers(prior))
    rebuilt = jax.tree_util.tree_unflatten(structure, numbers).prior
    assert type(rebuilt) is type(prior)
    point = prior.sample(jax.random.key(0))
    assert float(rebuilt.log_prob(point)) == float(prior.log_prob(point))


def test_the_order_is_that_of_names():
    prior = dist.TruncatedNormal(5.0, 6.0, low=7.0, high=8.0)
    by_name = numbers_in(prior)
    assert by_name == jax.tree_util.tree_leaves(Numbers(prior))
    assert by_name[-2:] == [8.0, 7.0]  # after the base distribution: high, low


def test_numbers_that_are_mapped_are_those_of_each_prior():
    both = dist.TruncatedNormal(np.array([1.0, 2.0]), 3.0, low=np.array([0.0, 1.0]))
    half = jax.tree_util.tree_map(lambda one: one / 2, Numbers(both)).prior
    assert half.low.tolist() == [0.0, 0.5]
    assert half.base_dist.loc.tolist() == [0.5, 1.0]
