"""Quantities are converted to one unit, or refused by name; none loses its unit."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from astropy import units as u
from astropy.table import QTable, Table

import ampynb as anb
from ampynb.analysis.check import check_likelihood
from ampynb.inference.starting import start_from

X = np.arange(1.0, 7.0)
DATA = np.array([3.0, 5.0, 1.0, 0.5, 4.0, 2.0])
MODEL = np.array([2.0, 4.0, 2.5, 1.0, 3.0, 2.0])
PLAIN = anb.GaussianFit(DATA, 0.5, MODEL)
FITS = {
    "noise in another unit": lambda: anb.GaussianFit(DATA * u.mJy, 500 * u.uJy, MODEL),
    "data in another unit": lambda: anb.GaussianFit(
        DATA * u.mJy, 5e-4 * u.Jy, (MODEL * 1e3) * u.uJy
    ),
    "data alone": lambda: anb.GaussianFit(DATA * u.mJy, 0.5, MODEL),
    "columns": lambda: anb.GaussianFit(
        Table({"y": DATA}, units={"y": "mJy"})["y"], 500 * u.uJy, MODEL
    ),
    "percent": lambda: anb.GaussianFit(
        DATA * u.dimensionless_unscaled, 50 * u.percent, MODEL
    ),
}


@pytest.mark.parametrize("make", FITS.values(), ids=FITS)
def test_a_fit_is_in_the_unit_of_its_data(make):
    assert make().log_likelihood == pytest.approx(PLAIN.log_likelihood)
    assert type(make().data) is np.ndarray


REFUSED = {
    "noise": lambda: anb.GaussianFit(DATA * u.mJy, 0.5 * u.s, MODEL),
    "model": lambda: anb.StudentTFit(DATA * u.mJy, 0.5, MODEL * u.m),
    "noise in a unit": lambda: anb.GaussianFit(DATA, 500 * u.uJy, MODEL),
}


@pytest.mark.parametrize("make", REFUSED.values(), ids=REFUSED)
def test_units_that_do_not_belong_together_are_refused(make):
    with pytest.raises((TypeError, ValueError), match=r"expected (noise|model) .*got"):
        make()


class Line(anb.Analysis):
    def __init__(self, x, y, yerr, **kwargs):
        super().__init__(**kwargs)
        self.x, self.y, self.yerr = x, y, yerr

    def fit_from(self, instance):
        return anb.GaussianFit(self.y, self.yerr, instance.m * self.x + 1.0)


SLOPE = anb.Model(m=dist.Normal(0, 10))
CONTAINERS = {
    "quantities": (X * u.d, DATA * u.mJy, 500 * u.uJy),
    "integers": (X.astype(int) * u.d, DATA * u.mJy, 500 * u.uJy),
    "table": (
        QTable({"x": X * u.d})["x"],
        Table({"y": DATA}, units={"y": "mJy"})["y"],
        np.full(6, 5e-4) * u.Jy,
    ),
    "masked": (X * u.d, np.ma.masked_array(DATA, X > 9), 0.5),
}


@pytest.mark.parametrize("given", CONTAINERS.values(), ids=CONTAINERS)
def test_an_analysis_in_jax_takes_quantities(given):
    value_and_slope = jax.jit(jax.value_and_grad(lambda v, p: p.log_posterior(v)))
    vector = jnp.array([0.4])
    found, expected = (
        value_and_slope(vector, anb.Posterior(Line(*one), SLOPE))
        for one in (given, (X, DATA, 0.5))
    )
    jax.tree_util.tree_map(np.testing.assert_allclose, found, expected)


def test_units_of_an_analysis_in_jax_are_coherent():
    """A speed beside days and kilometres is in kilometres a day, an angle in rad."""

    class Moving(anb.Analysis):
        def __init__(self):
            super().__init__()
            self.t, self.way = X * u.d, DATA * u.km
            self.speed, self.angle = 1.0 * u.m / u.s, 30.0 * u.deg

        def fit_from(self, instance):
            model = self.speed * self.t * np.sin(self.angle) * instance.m
            return anb.GaussianFit(self.way, 1 * u.km, model)

    instance = SLOPE.instance_from_vector(np.array([2.0]))
    fit = Moving().fit_for_visualization(instance)
    np.testing.assert_allclose(fit.model, 86.4 * X)
    np.testing.assert_array_equal(fit.data, DATA)


def test_functions_of_jax_refuse_a_quantity_by_name():
    class Exponential(Line):
        def fit_from(self, instance):
            return anb.GaussianFit(self.y, self.yerr, jnp.exp(self.x))

    analysis = Exponential(X * u.d, DATA, 0.5)
    with pytest.raises(ValueError, match=r"quantity .*\(6,\) in d, .* are \.value"):
        check_likelihood(anb.Posterior(analysis, SLOPE))


def test_an_analysis_refuses_units_that_do_not_belong_together():
    for yerr in (0.5 * u.s, 0.5 * u.km):
        analysis = Line(X, DATA * u.mJy, yerr)
        with pytest.raises(ValueError, match=r"noise .*mJy; got (s|km)"):
            check_likelihood(anb.Posterior(analysis, SLOPE))
    with pytest.raises(TypeError, match=r"products of others; got mag\(AB\)"):
        Line(X, DATA * u.ABmag, 0.1).fit_for_visualization(
            SLOPE.instance_from_prior_medians()
        )


def test_numbers_and_priors_with_units_have_them_in_the_table():
    model = anb.Model(
        d=3 * u.kpc,
        a=dist.Normal(0 * u.m, 1 * u.km),
        b=anb.Parameter(dist.Uniform(0 * u.m, 2 * u.km), unit=u.km),  # pyright: ignore
        c=anb.Parameter(1500 * u.pc, unit="kpc"),
        e=anb.Parameter(dist.StudentT(4, 0 * u.m, 1 * u.km)),
    )
    units = {row.name: row.unit for row in model.rows}
    assert units == {"d": "kpc", "a": "m", "b": "km", "c": "kpc", "e": "m"}
    instance = model.instance_from_vector(np.array([10.0, 1.0, 2.0]))
    assert (float(instance.d), float(instance.c)) == (3.0, 1.5)
    normal: Any = model.prior_of("a")
    uniform: Any = model.prior_of("b")
    assert (normal.scale, uniform.high) == (1000.0, 2.0)


@pytest.mark.parametrize(
    ("entry", "given"), [(anb.Parameter, [dist.Normal(0, 1)]), (anb.Latent, [])]
)
def test_a_unit_is_text_or_of_astropy_or_none(entry, given):
    assert entry(*given, unit=None).unit == ""
    assert entry(*given, unit=u.km).unit == "km"
    for unit in (3, True, b"km", ["km"], 2 * u.km):
        with pytest.raises(TypeError, match=r"expected a unit .*got \w+; write"):
            entry(*given, unit=unit)
    model: Any = anb.Model(a=anb.Parameter(dist.Normal(0, 1), unit=None))  # pyright: ignore
    assert "Normal" in repr(model)


@pytest.mark.parametrize(
    "make",
    [
        lambda: dist.LogNormal(0 * u.m, 1 * u.m),
        lambda: dist.Gamma(2.0, 1 / u.m),
        lambda: dist.TruncatedNormal(0 * u.m, 1 * u.m, low=0 * u.m),
        lambda: dist.Normal(0 * u.m, 1 * u.s),
    ],
)
def test_priors_whose_units_are_not_known_are_refused(make):
    with pytest.raises((TypeError, ValueError), match=r"'a': expected .*got"):
        anb.Model(a=make())


DISTANCE = anb.Model(
    d=anb.Parameter(dist.Normal(3.0, 1.0), unit="kpc"),
    w=anb.Parameter(dist.Normal(0.0, 1.0).expand([2]), unit="m"),
    n=dist.Normal(0.0, 1.0),
    x=anb.Parameter(dist.Normal(0.0, 1.0), unit="widths"),
)
VALUES = {"d": 2500 * u.pc, "w": [1.0, 2.0] * u.km, "n": 0.5, "x": 0.25}
EXPECTED = [2.5, 1000.0, 2000.0, 0.5, 0.25]


class Distance(anb.Analysis):
    def log_likelihood_function(self, instance):
        return -0.5 * (instance.d + instance.n + instance.x + jnp.sum(instance.w)) ** 2


def by_vector(values):
    return DISTANCE.vector_from_instance(anb.Instance(**values))


def by_explorer(values):
    explorer = anb.explore(Distance(), DISTANCE)
    try:
        explorer.set(values)
        return explorer.vector
    finally:
        explorer.close()


def by_start_of_an_explorer(values):
    explorer = anb.explore(Distance(), DISTANCE, start=values)
    explorer.close()
    return explorer.vector


def by_start_of_a_run(values):
    begin = start_from(values, DISTANCE, 50, 1)
    assert begin is not None
    assert np.all(np.std(begin.position, axis=0) < 0.1)  # a small ball
    return np.mean(begin.position, axis=0)


TAKES_VALUES = [by_vector, by_explorer, by_start_of_an_explorer, by_start_of_a_run]


@pytest.mark.parametrize("take", TAKES_VALUES)
def test_values_of_parameters_are_converted_to_their_unit(take):
    np.testing.assert_allclose(take(VALUES), EXPECTED, atol=0.02)
    plain = {"d": 2.5, "w": np.array([1e3, 2e3]), "n": 0.5, "x": 0.25}
    np.testing.assert_allclose(take(plain), EXPECTED, atol=0.02)
    np.testing.assert_allclose(take(plain | {"n": 50 * u.percent}), EXPECTED, atol=0.02)


@pytest.mark.parametrize("take", TAKES_VALUES)
@pytest.mark.parametrize(
    ("name", "told"),
    [
        (
            "d",
            r"value for 'd' in a unit that converts to kpc; got one in s; give",
        ),
        ("n", r"number for 'n', which has no unit; got a quantity in s; give 'n' a"),
        (
            "x",
            r"number for 'x', whose unit 'widths' astropy does not know; got .* s",
        ),
    ],
)
def test_values_of_parameters_in_other_units_are_refused_by_name(take, name, told):
    with pytest.raises((TypeError, ValueError), match=f"expected a {told}"):
        take(VALUES | {name: 3 * u.s})


def test_single_elements_are_converted_too():
    np.testing.assert_allclose(by_explorer({"w[1]": 2 * u.km})[1:3], [0.0, 2000.0])


@pytest.mark.parametrize("take", [by_start_of_an_explorer, by_start_of_a_run])
def test_a_vector_of_quantities_is_refused(take):
    for vector in (np.ones(5) * u.kpc, [3 * u.kpc, 1.0, 1.0, 1.0, 1.0]):
        with pytest.raises(TypeError, match=r"numbers in a vector of d, w\[0\], .*'d'"):
            take(vector)
