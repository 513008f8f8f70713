"""Impossible priors are refused where the parameter is made, and by name."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from numpyro.distributions import constraints, transforms

import ampynb as anb

INF, NAN = np.inf, np.nan
UNIT = constraints.unit_interval
NORMAL = dist.Normal(0.0, 1.0)


def scaled_beta(loc, scale):
    affine = transforms.AffineTransform(loc, scale, domain=UNIT)
    return dist.TransformedDistribution(dist.Beta(2.0, 3.0), affine)


REVERSED = {
    "uniform": lambda a, b: dist.Uniform(a, b),
    "log-uniform": lambda a, b: dist.LogUniform(a, b),
    "truncated normal": lambda a, b: dist.TruncatedNormal(0.0, 1.0, low=a, high=b),
    "truncated Cauchy": lambda a, b: dist.TruncatedCauchy(0.0, 1.0, low=a, high=b),
    "truncated Laplace": lambda a, b: dist.TruncatedDistribution(
        dist.Laplace(0.0, 1.0), low=a, high=b
    ),
    "truncated gamma": lambda a, b: dist.TruncatedGamma(2.0, 1.0, low=a, high=b),
    "power law": lambda a, b: dist.DoublyTruncatedPowerLaw(-2.0, a, b),
    "scaled beta": lambda a, b: scaled_beta(a, b - a),
    "expanded": lambda a, b: dist.Uniform(a, b).expand([3]).to_event(1),
}
HOLDERS = {
    "model": lambda prior: anb.Model(a=prior),
    "parameter": lambda prior: anb.Parameter(prior),
    "component": lambda prior: anb.Model(inner=anb.Model(a=prior)),
    "collection": lambda prior: anb.Model(inner=anb.Collection(prior)),
    "with_priors": lambda prior: anb.Model(a=NORMAL).with_priors(a=prior),
    "function": lambda prior: anb.Model(b=NORMAL, a=lambda m: prior),
}


@pytest.mark.parametrize(
    ("name", "edges"),
    [
        (name, edges)
        for name in REVERSED
        for edges in [(5.0, 2.0), (5.0, 5.0)]
        # A negative scale only turns the distribution around.
        if (name, edges) != ("scaled beta", (5.0, 2.0))
    ],
)
def test_bounds_that_hold_nothing_are_refused(name, edges):
    low, high = edges
    prior = REVERSED[name](*edges)
    with pytest.raises(
        ValueError, match=f"low below high; got low={low:g}, high={high:g}"
    ):
        anb.Parameter(prior)


@pytest.mark.parametrize("edges", [(1.0, INF), (1.0, NAN), (NAN, 2.0)])
@pytest.mark.parametrize("name", sorted(set(REVERSED) - {"scaled beta"}))
def test_bounds_that_are_not_finite_are_refused(name, edges):
    with pytest.raises(ValueError, match=r"inf|nan|invalid"):
        anb.Parameter(REVERSED[name](*edges))


@pytest.mark.parametrize("hold", HOLDERS.values(), ids=HOLDERS)
def test_every_holder_of_a_prior_refuses(hold):
    with pytest.raises(ValueError, match=r"expected low below high; got low=5, high=-"):
        hold(dist.Uniform(5.0, -5.0))


IMPOSSIBLE = {
    "one element of a vector": (
        lambda: dist.Uniform(np.zeros(3), np.array([1.0, -1.0, 1.0])),
        ["low=0, high=-1 at element 1"],
    ),
    "an infinite element": (
        lambda: dist.Uniform(0.0, np.array([1.0, INF])),
        ["inf at element 1 for high"],
    ),
    "an infinite scale": (lambda: dist.Normal(0.0, INF), ["scale", "improper"]),
    "an infinite scale within": (lambda: dist.LogNormal(0.0, INF), ["scale"]),
    "a negative scale": (
        lambda: dist.Normal(0.0, -1.0, validate_args=False),
        ["scale above 0; got -1 in Normal(loc=0, scale=-1)"],
    ),
    "a negative scale of a vector": (
        lambda: dist.Normal(0.0, np.array([1.0, -1.0]), validate_args=False),
        ["scale above 0; got -1 at element 1"],
    ),
    "a location that is no number": (
        lambda: dist.Normal(NAN, 1.0, validate_args=False),
        ["got nan for loc in Normal"],
    ),
    "a concentration of zero": (
        lambda: dist.Weibull(1.0, 0.0, validate_args=False),
        ["concentration above 0"],
    ),
    "a covariance that is none": (
        lambda: dist.MultivariateNormal(
            np.zeros(2), scale_tril=-np.eye(2), validate_args=False
        ),
        ["scale_tril as lower cholesky"],
    ),
    "a mixture": (
        lambda: dist.MixtureSameFamily(
            dist.Categorical(np.array([0.3, 0.7])),
            dist.Normal(0.0, np.array([1.0, INF])),
        ),
        ["inf at element 1 for scale"],
    ),
    "an infinite transform": (lambda: scaled_beta(0.0, INF), ["AffineTransform"]),
    "a transform of another domain": (
        lambda: dist.TransformedDistribution(
            dist.Uniform(0.0, 1.0), transforms.AffineTransform(1.0, 2.0)
        ),
        ["the support of Uniform(low=0, high=1)", "domain=base.support"],
    ),
    "no element": (lambda: dist.Normal(np.zeros(0), 1.0), ["at least one value", "0,"]),
    "atoms": (lambda: dist.Delta(3.0).expand([2]), ["a density; got Delta", "fix"]),
    "a mask": (lambda: NORMAL.mask(False), ["a density; got Masked"]),
    "improper": (
        lambda: dist.ImproperUniform(constraints.positive, (), ()),
        ["be drawn from; got ImproperUniform"],
    ),
    "a sphere": (
        lambda: dist.ProjectedNormal(np.array([1.0, 0.0, 0.0])),
        ["vary freely; got 'a' with ProjectedNormal", "Sphere"],
    ),
    "a discrete one": (lambda: dist.DiscreteUniform(0, 3), ["DiscreteUniform"]),
}


@pytest.mark.parametrize(("prior", "words"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_impossible_priors_are_named(prior, words):
    with pytest.raises((TypeError, ValueError)) as told:
        anb.Model(a=prior())
    for word in ["expected", "'a'", *words]:
        assert word in str(told.value)


def test_a_prior_that_depends_on_others_is_checked_at_their_medians():
    with pytest.raises(ValueError, match=r"'b', with the others .*low=0, high=-5 in"):
        anb.Model(a=NORMAL, b=lambda m: dist.Uniform(m.a, -5.0))
    with pytest.raises(
        ValueError, match=r"'b', with the others .*scale above 0; got -1"
    ):
        anb.Model(a=NORMAL, b=lambda m: dist.Normal(0.0, -jnp.exp(m.a)))


def test_a_prior_that_is_impossible_at_some_draws_is_never_sampled():
    model = anb.Model(a=NORMAL, b=lambda m: dist.Uniform(m.a, 0.5))
    with pytest.raises(
        ValueError, match=r"'b': .*Uniform\(m.a, 0.5\) with a=\d.*draws"
    ):
        model.sample_prior(jax.random.key(0), 100)
    assert model.log_prior(np.array([1.0, 0.7])) == -np.inf
    assert np.isnan(model.prior_transform(np.array([0.9, 0.5]))[1])
    # At some places of the others it is possible, so that the model can be made.
    negative = anb.Model(a=dist.Normal(1.0, 1.0), b=lambda m: dist.Normal(0.0, m.a))
    assert negative.log_prior(np.array([-1.0, 0.7])) == -np.inf


def test_a_delta_fixes_its_parameter():
    model = anb.Model(a=NORMAL, b=dist.Delta(np.array([3.0, 1e16])))
    assert model.names == ["a"]
    np.testing.assert_array_equal(
        model.instance_from_vector(np.zeros(1)).b, [3.0, 1e16]
    )
    assert model.log_prior(np.zeros(1)) == NORMAL.log_prob(0.0)


def test_possible_priors_pass():
    upside_down = transforms.AffineTransform(1.0, -2.0, domain=UNIT)
    turned = dist.TransformedDistribution(dist.Beta(2.0, 3.0), upside_down)
    np.testing.assert_allclose(anb.Model(a=turned).bounds, [[-1.0, 1.0]])
    assert anb.Model(a=dist.TruncatedNormal(0.0, 1.0, low=-3.0)).ndim == 1
