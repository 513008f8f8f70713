"""Simulated data: how they come, and how they take the place of the observed ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest

import ampynb as anb
from ampynb.analysis.simulation import simulate
from tests.helpers import Line, line_problem

X = np.linspace(0.0, 2.0, 20)
MODEL = line_problem().model


def simulated(analysis: anb.Analysis, n: int = 2, seed: int = 0, model: Any = MODEL):
    vectors = np.asarray(model.sample_prior(jax.random.key(seed), n))
    keys = jax.random.split(jax.random.key(seed + 1), n)
    return simulate(anb.Posterior(analysis, model), vectors, keys)


def data_of(simulation: Any) -> Any:
    posterior = simulation.posterior
    instance = posterior.model.instance_from_vector(simulation.vector)
    return posterior.analysis.fit_for_visualization(instance).data


# Where the data hang


class Nested(anb.Analysis):
    """Its data hang in an object of their own."""

    def __init__(self, x, y, yerr):
        super().__init__()
        self.table = Table(x, y, yerr)
        self.units = {"y": "mJy"}

    def fit_from(self, instance):
        model = instance.slope * self.table.x + instance.intercept
        return anb.GaussianFit(self.table.y, self.table.yerr, model)


class Table:
    def __init__(self, x, y, yerr):
        self.x, self.y, self.yerr = x, y, yerr


class Converted(Line):
    """Its fit has a copy of the data."""

    def fit_from(self, instance):
        return replace(super().fit_from(instance), data=jnp.array(self.y) * 1.0)


class Logarithmic(Line):
    """Keeps fluxes, fits their logarithms, and says how both are made anew."""

    def __init__(self, x, flux, yerr):
        super().__init__(x, flux, yerr)
        self.largest = np.max(flux)  # which no traced array could give

    def fit_from(self, instance):
        return replace(super().fit_from(instance), data=jnp.log(self.y))

    def with_data(self, data, observed):
        return Logarithmic(self.x, np.exp(data), self.yerr)


class NumpyLine(Line):
    def __init__(self, x, y, yerr):
        super().__init__(x, y, yerr, use_jax=False)


class Aliased(Line):
    """Keeps the data under two names."""

    def __init__(self, x, y, yerr):
        super().__init__(x, y, yerr)
        self.flux = y

    def log_likelihood_function(self, instance):
        return replace(self.fit_from(instance), data=self.flux).log_likelihood


KINDS = (Line, Nested, Converted, NumpyLine, Aliased)


@pytest.mark.parametrize("kind", KINDS)
def test_simulated_data_take_the_place_of_the_observed(kind: Any):
    y, yerr = np.sin(9 * X), np.full(20, 0.01)
    analysis = kind(X, y, yerr)
    for one in simulated(analysis):
        slope, intercept = one.vector
        away = (data_of(one) - slope * X - intercept) / yerr
        assert np.std(away) == pytest.approx(1.0, abs=0.5)
        exact = -0.5 * np.sum(away**2) - 20 * np.log(0.01 * np.sqrt(2 * np.pi))
        assert one.log_likelihood == pytest.approx(exact)
    instance = MODEL.instance_from_vector(np.zeros(2))
    np.testing.assert_array_equal(analysis.fit_for_visualization(instance).data, y)


def test_what_depends_on_the_data_is_made_anew_by_the_users_own_method():
    analysis = Logarithmic(X, np.exp(X), np.full(20, 0.5))
    for one in simulated(analysis):
        made: Any = one.posterior.analysis
        assert made.largest == np.max(made.y) != analysis.largest
        slope, intercept = one.vector
        away = (np.log(made.y) - slope * X - intercept) / 0.5
        assert np.std(away) == pytest.approx(1.0, abs=0.5)


def test_simulated_data_have_the_law_of_the_fit():
    data = np.array([data_of(one) for one in simulated(line_of_zero(), 400)])
    np.testing.assert_allclose(data.mean(axis=0), 0.0, atol=0.15)
    np.testing.assert_allclose(data.std(axis=0), 0.5, atol=0.1)
    correlation = np.corrcoef(data.T) - np.eye(20)
    assert np.max(np.abs(correlation)) < 0.25


def line_of_zero() -> Line:
    class Zero(Line):
        def fit_from(self, instance):
            return replace(super().fit_from(instance), model=0.0 * self.x)

    return Zero(X, X, np.full(20, 0.5))


def test_keys_make_the_data():
    analysis = line_problem().analysis
    first, again = simulated(analysis), simulated(analysis)
    np.testing.assert_array_equal(data_of(first[0]), data_of(again[0]))
    assert not np.any(data_of(first[0]) == data_of(first[1]))


def test_counts_are_simulated_as_counts():
    class Counts(anb.Analysis):
        def __init__(self):
            super().__init__()
            self.counts = np.arange(5)

        def fit_from(self, instance):
            return anb.PoissonFit(self.counts, instance.rate * jnp.ones(5))

    model = anb.Model(rate=dist.Uniform(3.0, 5.0))
    one, _ = simulated(Counts(), model=model)
    analysis: Any = one.posterior.analysis
    counts = analysis.counts
    assert np.issubdtype(counts.dtype, np.integer)
    np.testing.assert_array_equal(counts, data_of(one))


@dataclass(frozen=True)
class TwoBands:
    """A fit of the user's own, whose data are two arrays."""

    data: Any
    model: Any

    @property
    def log_likelihood(self):
        pairs = zip(self.data, self.model, strict=True)
        return sum(jnp.sum(-0.5 * (data - model) ** 2) for data, model in pairs)

    def predict(self, key):
        return tuple(
            model + jax.random.normal(key, model.shape) for model in self.model
        )


def test_data_may_be_several_arrays():
    class Bands(anb.Analysis):
        def __init__(self):
            super().__init__()
            self.optical, self.radio = np.arange(3.0), np.arange(7.0)

        def fit_from(self, instance):
            model = (instance.slope * jnp.ones(3), instance.intercept * jnp.ones(7))
            return TwoBands((self.optical, self.radio), model)

    one, _ = simulated(Bands())
    optical, radio = data_of(one)
    assert abs(optical.mean() - one.vector[0]) < 2
    assert abs(radio.mean() - one.vector[1]) < 2


def joint(**members: anb.Analysis) -> Any:
    """Return simulations of analyses that share a slope and have two intercepts."""
    names = tuple(members)
    model = anb.Model(
        slope=dist.Normal(0.0, 1.0),
        **{name: anb.Model(intercept=dist.Normal(0.0, 1.0)) for name in names},
    )
    return simulated(anb.JointAnalysis(**members), model=model)


def test_analyses_that_are_fitted_together_are_simulated_together():
    """Each as it would be by itself, also where it has a with_data of its own."""
    yerr = np.full(20, 0.01)
    radio, optical = Line(X, X, yerr), Logarithmic(X, np.exp(X), yerr)
    for one in joint(radio=radio, optical=optical):
        slope, *intercepts = one.vector
        made: Any = one.posterior.analysis
        data = made.analyses["radio"].y, np.log(made.analyses["optical"].y)
        for y, intercept in zip(data, intercepts, strict=True):
            away = (y - slope * X - intercept) / 0.01
            assert np.std(away) == pytest.approx(1.0, abs=0.5)
        assert made.analyses["optical"].largest == np.max(made.analyses["optical"].y)
        assert not np.allclose(data[0] - intercepts[0], data[1] - intercepts[1])
    np.testing.assert_array_equal(radio.y, X)


# By hand


def test_data_are_exchanged_by_hand():
    analysis = line_problem().analysis
    other = analysis.with_data(np.ones(20), analysis.y)
    np.testing.assert_array_equal(other.y, np.ones(20))
    assert other.x is analysis.x and other.yerr is analysis.yerr
    assert analysis.y is not other.y
    equal = analysis.with_data(np.ones(20), np.array(analysis.y))
    np.testing.assert_array_equal(equal.y, np.ones(20))


@pytest.mark.parametrize(
    ("x", "observed", "got"), [(X, X + 1.0, "got none"), (X**2, X**2, "got 2")]
)
def test_data_that_are_no_attribute_or_two_are_told(x, observed, got):
    analysis = Line(x, X**2, np.full(20, 0.5))
    with pytest.raises(ValueError, match=f"attributes of Line .*{got}; keep .*with_da"):
        analysis.with_data(np.ones(20), np.array(observed))


def test_predictions_of_another_shape_are_told():
    class Short(anb.GaussianFit):
        def predict(self, key):
            return super().predict(key)[1:]

    class Shortened(Line):
        def fit_from(self, instance):
            fit = super().fit_from(instance)
            return Short(fit.data, fit.noise, fit.model)

    with pytest.raises(ValueError, match=r"shape .*\(20,\).*; got \[\(19,\)\]; give"):
        simulated(Shortened(X, X, np.full(20, 0.5)))
