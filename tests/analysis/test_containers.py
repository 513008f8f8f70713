"""Data of any type and container give what an array of floats gives, to the digit."""

import operator
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest
import xarray as xr

import ampynb as anb
from ampynb.analysis.check import check_likelihood
from ampynb.widgets.point import controls_of

pytestmark = pytest.mark.usefixtures("all_optimisations")

COUNTS = np.array([3, 0, 7, 1, 4, 12])
RATES = np.array([2, 1, 9, 1, 3, 11])
FLAGS = np.array([True, False, True, True, False, True])


def read_only(values: np.ndarray) -> np.ndarray:
    copy = values.copy()
    copy.flags.writeable = False
    return copy


WHOLE = {  # numbers that are whole, as users hold them
    "floats": lambda v: v.astype(float),
    **{
        name: operator.methodcaller("astype", name)
        for name in ("int8", "int16", "int32", "int64", "uint8", "uint64")
    },
    "float16": lambda v: v.astype(np.float16),
    "float32": lambda v: v.astype(np.float32),
    "long double": lambda v: v.astype(np.longdouble),
    "big-endian floats": lambda v: v.astype(">f8"),
    "big-endian integers": lambda v: v.astype(">i4"),
    "objects": lambda v: v.astype(object),
    "read-only": read_only,
    "strided": lambda v: np.repeat(v, 2)[::2],
    "list": list,
    "list of integers": lambda v: v.tolist(),
    "list of floats": lambda v: v.astype(float).tolist(),
    "tuple": lambda v: tuple(v.tolist()),
    "Series": pd.Series,
    "Series, nullable": lambda v: pd.Series(v, dtype="Int64"),
    "Index": pd.Index,
    "DataArray": xr.DataArray,
    "JAX integers": jnp.asarray,
}
TRUTHS = {
    "booleans": lambda v: v,
    "integers": lambda v: v.astype(int),
    "list": lambda v: v.tolist(),
    "tuple": lambda v: tuple(v.tolist()),
    "Series": pd.Series,
    "Series, nullable": lambda v: pd.Series(v, dtype="boolean"),
}
SCALARS = {
    "float": 2.0,
    "integer": 2,
    "NumPy number": np.float64(2),
    "float32": np.float32(2),
    "unsigned": np.uint8(2),
    "array of no axis": np.array(2),
    "big-endian": np.array(2.0, ">f4"),
    "JAX number": jnp.asarray(2),
}
# A fit of arrays that are held in one way, of one number, and of truths.
FITS: dict[str, Callable] = {
    "Gaussian": lambda v, n, t: anb.GaussianFit(v(COUNTS), v(RATES), v(RATES + 1)),
    "Gaussian, scalar": lambda v, n, t: anb.GaussianFit(v(COUNTS), n, n),
    "Gaussian, flags": lambda v, n, t: anb.GaussianFit(
        v(COUNTS), n, v(RATES), mask=t(FLAGS), upper_limit=t(~FLAGS | (COUNTS > 5))
    ),
    "Gaussian, curve": lambda v, n, t: anb.GaussianFit(
        v(COUNTS), n, v(RATES), curve=v(COUNTS)
    ),
    "Poisson": lambda v, n, t: anb.PoissonFit(v(COUNTS), v(RATES), mask=t(FLAGS)),
    "Poisson, scalar": lambda v, n, t: anb.PoissonFit(v(COUNTS), n),
    "Student-t": lambda v, n, t: anb.StudentTFit(
        v(COUNTS), v(RATES), v(RATES + 1), degrees_of_freedom=n, mask=t(FLAGS)
    ),
}
PARTS = ("log_likelihood", "pointwise_log_likelihood", "chi_squared", "residuals")


def same(fit: Any, expected: Any, parts: tuple = PARTS) -> None:
    for part in parts:
        found = getattr(fit, part)
        assert np.shape(found) == np.shape(getattr(expected, part))
        np.testing.assert_array_equal(found, getattr(expected, part))


def as_floats(values: np.ndarray) -> np.ndarray:
    return values.astype(float)


@pytest.mark.parametrize("fit", FITS.values(), ids=FITS)
def test_a_fit_takes_numbers_of_any_type(fit):
    expected = fit(as_floats, 2.0, np.asarray)
    for held in WHOLE.values():
        for scalar in SCALARS.values():
            found = fit(held, scalar, np.asarray)
            if not isinstance(found.log_likelihood, jax.Array):
                same(found, expected)
            np.testing.assert_allclose(found.log_likelihood, expected.log_likelihood)
    for held in TRUTHS.values():
        same(fit(as_floats, 2.0, held), expected)


@pytest.mark.parametrize("name", ["data", "noise", "model", "mask"])
@pytest.mark.parametrize("wrong", ["text", None, {"a": 1.0}, [[1.0], [1.0, 2.0]]])
def test_what_holds_no_numbers_is_refused_by_name(name, wrong):
    if name == "mask" and wrong is None:
        return
    given = {"data": COUNTS, "noise": 1.0, "model": RATES, name: wrong}
    with pytest.raises(TypeError, match=f"expected .* as {name}.*; got .*; convert"):
        anb.GaussianFit(**given)


class Decay(anb.Analysis):
    """Counts with a parameter beside what users hold."""

    def __init__(self, t, counts, noise, **kwargs):
        super().__init__(**kwargs)
        self.t, self.counts, self.noise = t, counts, noise

    def fit_from(self, instance):
        model = instance.rate * self.t + instance.background
        if self.noise is None:
            return anb.PoissonFit(data=self.counts, model=model)
        return anb.GaussianFit(data=self.counts, noise=self.noise, model=model)


MODEL = anb.Model(rate=dist.LogUniform(0.1, 10), background=dist.LogUniform(0.1, 10))


@jax.jit
@jax.value_and_grad
def _density(vector, posterior):
    return posterior.log_posterior(vector)


def density(analysis: anb.Analysis) -> Any:
    vector = jnp.array([0.7, 1.3])
    if analysis.use_jax:
        return _density(vector, anb.Posterior(analysis, MODEL))
    return anb.Posterior(analysis, MODEL).log_posterior(np.asarray(vector))


@pytest.mark.parametrize("held", WHOLE.values(), ids=WHOLE)
@pytest.mark.parametrize("noise", [None, 2], ids=["Poisson", "Gaussian"])
def test_an_analysis_takes_numbers_of_any_type(held, noise):
    """The value and, in JAX, the gradient, which integers would break."""
    if isinstance(held(RATES), tuple):
        pytest.skip("a tuple is a setting: products with it are refused")
    jax.tree_util.tree_map(
        np.testing.assert_array_equal,
        density(Decay(held(RATES), held(COUNTS), noise)),
        density(Decay(as_floats(RATES), as_floats(COUNTS), noise)),
    )


@pytest.mark.parametrize("held", ["list", "Series", "big-endian floats", "long double"])
def test_so_does_an_analysis_in_numpy(held):
    given = [WHOLE[held](values) for values in (RATES, COUNTS)]
    if isinstance(given[0], list):
        given[0] = np.asarray(given[0])  # a list is repeated by NumPy's integers
    found = density(Decay(*given, noise=2, use_jax=False))
    expected = density(Decay(as_floats(RATES), as_floats(COUNTS), 2.0, use_jax=False))
    assert found == expected


@pytest.mark.parametrize("scalar", [2, 2.0, np.array(2)])
@pytest.mark.parametrize("use_jax", [True, False])
def test_every_view_of_a_fit_takes_a_scalar_noise(scalar, use_jax, tmp_path):
    analysis = Decay(as_floats(RATES), COUNTS, scalar, use_jax=use_jax)
    explorer = anb.explore(analysis, MODEL)
    page = tmp_path / "page.html"
    explorer.save(page)
    assert page.stat().st_size > 10_000


def drawn(counts: Any, sampler: str) -> anb.Result:
    engine = anb.InferenceEngine(Decay(RATES, counts, None), MODEL, seed=1)
    return engine.run(20, 20, 20, sampler, progress=False)


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["nuts", "ensemble"])
def test_draws_from_counts_are_those_from_floats(sampler):
    floats = drawn(as_floats(COUNTS), sampler)
    for counts in (COUNTS, COUNTS.tolist()):
        np.testing.assert_array_equal(drawn(counts, sampler).draws, floats.draws)


@pytest.mark.slow
def test_every_view_of_a_result_takes_counts(tmp_path):
    result = drawn(COUNTS, "ensemble")
    result.to_netcdf(tmp_path / "counts.nc")
    result.plot_fit()
    result.corner(interactive=True)
    result.replay()
    assert anb.explore(result.analysis, MODEL, result).optimise().converged


class Own:
    """A fit of a user's, with a setting and a number that depends on the parameters."""

    name, degree = "own", 2

    def __init__(self, data, model, scatter):
        self.data, self.model, self.scatter, self.redshift = data, model, scatter, 0.5

    @property
    def residuals(self):
        return (self.data - self.model) / self.scatter

    @property
    def log_likelihood(self):
        return -0.5 * (self.residuals**2).sum() - self.data.size * jnp.log(self.scatter)


class WithOwn(Decay):
    def fit_from(self, instance):
        return Own(self.counts, instance.rate * self.t, instance.background)


class WithFreeNoise(Decay):
    def fit_from(self, instance):
        return anb.GaussianFit(self.counts, instance.background, instance.rate * self.t)


def finished(generator: Any) -> Any:
    """Return what a generator returns."""
    while True:
        try:
            next(generator)
        except StopIteration as end:
            return end.value


@pytest.mark.parametrize("kind", [WithOwn, WithFreeNoise])
def test_every_frame_of_a_sweep_is_that_of_its_fit(kind, tmp_path):
    """Also where a fit has a number for each point, which a batch has as an array."""
    explorer = anb.explore(kind(RATES, COUNTS, None), MODEL)
    explorer.save(tmp_path / "page.html")
    drawing, point = explorer._board.drawing, explorer.point
    control = controls_of(MODEL)[-1]
    sweep = finished(drawing.sweep(point, control))
    grid = control.grid(len(sweep.numbers))
    for place in (0, len(grid) // 2, -1):
        frame = drawing.frame(point.moved({control.element: grid[place]}))
        assert frame.parts is not None
        residuals = (
            parts.y[row, -6:] for parts, row in ((sweep.parts, place), (frame.parts, 0))
        )
        np.testing.assert_allclose(*residuals, rtol=1e-5)
        assert sweep.numbers[place] == frame.numbers


TABLE = pd.DataFrame({"t": RATES, "counts": COUNTS})
CONTAINERS = {
    "DataFrame": (TABLE, lambda d, i: i.rate * d["t"]),
    "Dataset": (TABLE.to_xarray(), lambda d, i: i.rate * d["t"]),
    "Series": (TABLE["t"], lambda d, i: i.rate * d.to_numpy()),
    "tuple": (tuple(RATES.tolist()), lambda d, i: i.rate * d),
}


@pytest.mark.parametrize("kind", CONTAINERS)
def test_a_container_that_jax_does_not_take_is_named(kind):
    class Held(anb.Analysis):
        def __init__(self, held):
            super().__init__()
            self.held = held

        def fit_from(self, instance):
            return anb.PoissonFit(COUNTS, CONTAINERS[kind][1](self.held, instance))

    posterior = anb.Posterior(Held(CONTAINERS[kind][0]), MODEL)
    with pytest.raises((TypeError, ValueError), match=f"'held' is a {kind}, .*: "):
        check_likelihood(posterior)


def test_columns_of_a_table_are_data():
    class Held(anb.Analysis):
        def __init__(self, table):
            super().__init__()
            self.table = table

        def fit_from(self, instance):
            t = self.table["t"].to_numpy()
            return anb.PoissonFit(self.table["counts"], instance.rate * t)

    fit = Held(TABLE).fit_for_visualization(MODEL.instance_from_prior_medians())
    np.testing.assert_array_equal(fit.data, COUNTS)
