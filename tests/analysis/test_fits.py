"""Ready fits against SciPy's densities."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import ampynb as anb

pytestmark = pytest.mark.usefixtures("all_optimisations")

DATA = np.array([0.3, -1.2, 2.0, 0.0, 5.0, 1.1])
NOISE = np.array([0.5, 1.0, 2.0, 0.1, 1.5, 0.7])
MODEL = np.array([0.0, -1.0, 2.5, 0.05, 1.0, 1.0])
MASK = np.array([True, False, True, True, False, True])
LIMIT = np.array([False, False, True, False, True, False])
COUNTS = np.array([0.0, 3.0, 7.0, 1.0, 0.0, 12.0])
RATES = np.array([0.4, 2.0, 9.5, 1.0, 0.1, 11.0])

GAUSSIAN = stats.norm.logpdf(DATA, MODEL, NOISE)
BELOW = stats.norm.logcdf(DATA, MODEL, NOISE)
STUDENT = stats.t.logpdf(DATA, 4.0, MODEL, NOISE)
POISSON = stats.poisson.logpmf(COUNTS, RATES)
Z = (DATA - MODEL) / NOISE
GRID = (2, 3)

# A fit, its log likelihood for each datum, and its chi squared.
CASES = {
    "Gaussian": (anb.GaussianFit(DATA, NOISE, MODEL), GAUSSIAN, np.sum(Z**2)),
    "Gaussian, one noise": (
        anb.GaussianFit(DATA, 0.7, MODEL),
        stats.norm.logpdf(DATA, MODEL, 0.7),
        np.sum((DATA - MODEL) ** 2) / 0.49,
    ),
    "Gaussian, masked": (
        anb.GaussianFit(DATA, NOISE, MODEL, mask=MASK),
        np.where(MASK, GAUSSIAN, 0.0),
        np.sum(Z[MASK] ** 2),
    ),
    "Gaussian, upper limits": (
        anb.GaussianFit(DATA, NOISE, MODEL, upper_limit=LIMIT),
        np.where(LIMIT, BELOW, GAUSSIAN),
        np.sum(Z[~LIMIT] ** 2),
    ),
    "Gaussian, masked and upper limits": (
        anb.GaussianFit(DATA, NOISE, MODEL, mask=MASK, upper_limit=LIMIT),
        np.where(MASK, np.where(LIMIT, BELOW, GAUSSIAN), 0.0),
        np.sum(Z[MASK & ~LIMIT] ** 2),
    ),
    "Gaussian, one datum": (
        anb.GaussianFit(0.3, 0.5, 0.1),
        stats.norm.logpdf(0.3, 0.1, 0.5),
        0.16,
    ),
    "Gaussian image": (
        anb.GaussianFit(*(a.reshape(GRID) for a in (DATA, NOISE, MODEL))),
        GAUSSIAN.reshape(GRID),
        np.sum(Z**2),
    ),
    "Poisson": (
        anb.PoissonFit(COUNTS, RATES),
        POISSON,
        np.sum((COUNTS - RATES) ** 2 / RATES),
    ),
    "Poisson, masked": (
        anb.PoissonFit(COUNTS, RATES, mask=MASK),
        np.where(MASK, POISSON, 0.0),
        np.sum((COUNTS - RATES)[MASK] ** 2 / RATES[MASK]),
    ),
    "Poisson, whole numbers": (
        anb.PoissonFit(COUNTS.astype(int), RATES),
        POISSON,
        np.sum((COUNTS - RATES) ** 2 / RATES),
    ),
    "Student-t": (anb.StudentTFit(DATA, NOISE, MODEL), STUDENT, np.sum(Z**2)),
    "Student-t, Cauchy": (
        anb.StudentTFit(DATA, NOISE, MODEL, degrees_of_freedom=1.0),
        stats.cauchy.logpdf(DATA, MODEL, NOISE),
        np.sum(Z**2),
    ),
    "Student-t, masked": (
        anb.StudentTFit(DATA, NOISE, MODEL, mask=MASK),
        np.where(MASK, STUDENT, 0.0),
        np.sum(Z[MASK] ** 2),
    ),
}


def in_jax(fit: Any) -> Any:
    """Return the fit with JAX arrays instead of NumPy's."""
    fields = {f.name: getattr(fit, f.name) for f in dataclasses.fields(fit)}
    given = {name: jnp.asarray(v) for name, v in fields.items() if v is not None}
    return dataclasses.replace(fit, **given)


LIBRARIES = {"NumPy": lambda fit: fit, "JAX": in_jax}


@pytest.mark.parametrize("library", LIBRARIES.values(), ids=LIBRARIES)
@pytest.mark.parametrize(("fit", "pointwise", "_"), CASES.values(), ids=CASES)
def test_the_log_likelihood_is_scipys(fit, pointwise, _, library):
    fit = library(fit)
    found = fit.pointwise_log_likelihood
    np.testing.assert_allclose(found, pointwise, rtol=1e-10, atol=1e-12)
    assert float(fit.log_likelihood) == pytest.approx(np.sum(pointwise))
    assert np.shape(fit.log_likelihood) == ()


@pytest.mark.parametrize("library", LIBRARIES.values(), ids=LIBRARIES)
@pytest.mark.parametrize(("fit", "_", "chi_squared"), CASES.values(), ids=CASES)
def test_chi_squared_is_that_of_the_residuals(fit, _, chi_squared, library):
    fit = library(fit)
    assert float(fit.chi_squared) == pytest.approx(chi_squared)
    assert np.shape(fit.residuals) == np.shape(fit.data)


@pytest.mark.parametrize("name", ["Gaussian", "Poisson", "Student-t"])
def test_numpy_stays_in_numpy(name):
    fit = CASES[name][0]
    kinds = {type(fit.log_likelihood), type(fit.pointwise_log_likelihood)}
    assert kinds <= {np.float64, np.ndarray}


def test_no_count_where_none_is_expected_is_certain():
    for array in (np.array, jnp.array):
        certain = anb.PoissonFit(array([0.0, 1.0]), array([0.0, 1.0]))
        assert certain.pointwise_log_likelihood.tolist() == [0.0, -1.0]
    impossible = anb.PoissonFit(jnp.array([1.0]), jnp.array([0.0]))
    assert impossible.log_likelihood == -np.inf


def test_far_upper_limits_do_not_underflow():
    model = np.array([10.0, 40.0, 100.0])
    limit = np.ones(3, bool)
    expected = stats.norm.logcdf(-model)
    for array in (np.asarray, jnp.asarray):
        fit = anb.GaussianFit(np.zeros(3), 1.0, array(model), upper_limit=limit)
        np.testing.assert_allclose(fit.pointwise_log_likelihood, expected, rtol=1e-10)


MISSING = np.where(MASK, DATA, np.nan)
MASKED = {
    "Gaussian": lambda data, noise, model: anb.GaussianFit(
        data, noise, model, mask=MASK
    ),
    "Gaussian, upper limits": lambda data, noise, model: anb.GaussianFit(
        data, noise, model, mask=MASK, upper_limit=LIMIT
    ),
    "Student-t": lambda data, noise, model: anb.StudentTFit(
        data, noise, model, mask=MASK
    ),
    "Poisson": lambda data, noise, model: anb.PoissonFit(
        jnp.abs(data), jnp.exp(model) + 0 * noise, mask=MASK
    ),
}


@pytest.mark.parametrize("fit_of", MASKED.values(), ids=MASKED)
@pytest.mark.parametrize("noise", [NOISE, np.where(MASK, NOISE, 0.0)], ids=["", "no"])
@pytest.mark.parametrize("compiled", [True, False])
def test_masked_data_may_be_missing(fit_of, noise, compiled):
    """NaN stands for missing data: neither the value nor the gradient may see it."""

    def log_likelihood(model, data, noise):
        return fit_of(data, noise, model).log_likelihood

    value_and_slope = jax.value_and_grad(log_likelihood)
    evaluate = jax.jit(value_and_slope) if compiled else value_and_slope
    value, slope = evaluate(*map(jnp.asarray, (MODEL, MISSING, noise)))
    expected, expected_slope = evaluate(*map(jnp.asarray, (MODEL, DATA, NOISE)))
    assert float(value) == pytest.approx(float(expected))
    np.testing.assert_allclose(slope, expected_slope, rtol=1e-12)
    assert np.all(slope[~MASK] == 0.0)


def test_the_gradient_is_finite_where_no_count_is_expected_and_none_seen():
    def log_likelihood(scale):
        model = scale * np.array([0.0, 1.0])
        return anb.PoissonFit(np.array([0.0, 1.0]), model).log_likelihood

    # d/ds (ln s - s) = 1 / s - 1
    assert float(jax.grad(log_likelihood)(0.5)) == pytest.approx(1.0)


# A fit, and mean, variance and excess kurtosis of the data that it predicts.
PREDICTIONS = {
    "Gaussian": (
        anb.GaussianFit(DATA, NOISE, MODEL),
        stats.norm(MODEL, NOISE).stats("mvk"),
    ),
    "Gaussian, one noise": (
        anb.GaussianFit(DATA, 0.7, MODEL),
        stats.norm(MODEL, 0.7).stats("mvk"),
    ),
    "Poisson": (
        anb.PoissonFit(COUNTS, RATES),
        stats.poisson(RATES).stats("mvk"),
    ),
    "Student-t": (
        anb.StudentTFit(DATA, NOISE, MODEL, degrees_of_freedom=8.0),
        stats.t(8.0, MODEL, NOISE).stats("mvk"),
    ),
}


@pytest.mark.parametrize(("fit", "moments"), PREDICTIONS.values(), ids=PREDICTIONS)
def test_predictions_have_the_moments_of_their_distribution(fit, moments):
    n = 20_000
    mean, variance, excess = moments
    drawn = np.asarray(jax.vmap(fit.predict)(jax.random.split(jax.random.key(5), n)))
    assert drawn.shape == (n, *np.shape(fit.data))
    error = 5 * np.sqrt(variance / n)
    assert np.all(np.abs(drawn.mean(axis=0) - mean) < error)
    error = 5 * variance * np.sqrt((2 + excess) / n)
    assert np.all(np.abs(drawn.var(axis=0) - variance) < error)


def test_a_fit_prints_its_numbers():
    fit = anb.GaussianFit(np.zeros(2), 1.0, np.ones(2))
    # Two residuals of 1: ln L = -(1 + 1) / 2 - 2 ln sqrt(2 pi)
    assert repr(fit) == "GaussianFit(2 data, log_likelihood=-2.83788, chi_squared=2)"


@pytest.mark.parametrize("traced", ["data", "noise", "model"])
def test_a_traced_fit_prints_too(traced):
    """An error message inside compiled code may print any part of it."""
    printed = []

    def log_likelihood(value):
        arrays = {"data": DATA, "noise": NOISE, "model": MODEL}
        fit = anb.GaussianFit(**{**arrays, traced: value})
        printed.append(repr(fit))
        return fit.log_likelihood

    jax.eval_shape(log_likelihood, NOISE)
    assert printed[0].startswith("GaussianFit(6 data")


SHORT = np.ones(5)
UNEQUAL = {
    "model": lambda: anb.GaussianFit(DATA, NOISE, SHORT),
    "noise": lambda: anb.GaussianFit(DATA, SHORT, MODEL),
    "mask": lambda: anb.GaussianFit(DATA, NOISE, MODEL, mask=SHORT > 0),
    "upper_limit": lambda: anb.GaussianFit(DATA, NOISE, MODEL, upper_limit=SHORT > 0),
    "model in a column": lambda: anb.GaussianFit(DATA, NOISE, MODEL[:, None]),
    "mask in a column": lambda: anb.GaussianFit(DATA, NOISE, MODEL, mask=MASK[:, None]),
    "data of one": lambda: anb.GaussianFit(DATA[:1], NOISE, MODEL),
    "Poisson model": lambda: anb.PoissonFit(COUNTS, SHORT),
    "Poisson mask": lambda: anb.PoissonFit(COUNTS, RATES, mask=SHORT > 0),
    "Student-t model": lambda: anb.StudentTFit(DATA, NOISE, SHORT),
    "Student-t noise": lambda: anb.StudentTFit(DATA, SHORT, MODEL),
    "Student-t mask": lambda: anb.StudentTFit(DATA, NOISE, MODEL, mask=SHORT > 0),
}


@pytest.mark.parametrize("make", UNEQUAL.values(), ids=UNEQUAL)
def test_arrays_of_unequal_lengths_are_refused(make):
    with pytest.raises(ValueError, match=r"expected arrays .*; got data \(.*; give"):
        make()


@pytest.mark.parametrize("xp", [np, jnp])
def test_infinite_degrees_of_freedom_are_gaussian(xp):
    data, model = xp.asarray([1.0, 2.0, 4.0, 3.0]), xp.full(4, 2.0)
    for mask in (None, xp.asarray([True, False, True, True])):
        given = {"data": data, "noise": 0.7, "model": model, "mask": mask}
        student = anb.StudentTFit(**given, degrees_of_freedom=np.inf)
        gaussian = anb.GaussianFit(**given)
        np.testing.assert_allclose(
            student.pointwise_log_likelihood, gaussian.pointwise_log_likelihood
        )
