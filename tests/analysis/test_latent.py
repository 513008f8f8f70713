"""Latent variables: each at its draw's place, whatever happens to the others."""

from types import SimpleNamespace
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest

import ampynb as anb
from ampynb.analysis.latent import LatentError
from ampynb.analysis.latent_samples import check_latents
from tests.helpers import Line, NumpyLine, compilations, line_problem

MODEL = line_problem().model
DRAWS = np.random.default_rng(1).normal(size=(50, 3, 2))
SLOPE, INTERCEPT = DRAWS[..., 0], DRAWS[..., 1]
X, Y = np.linspace(0.0, 2.0, 20), np.ones(20)


class Derived(Line):
    """The root is not a number where the slope is negative."""

    LATENT_KEYS = ("root", "line.end", "line.middle")

    def compute_latent_variables(self, parameters, model):
        instance = model.instance_from_vector(parameters)
        end = instance.slope * self.x[-1] + instance.intercept
        middle = instance.slope * self.x.mean() + instance.intercept
        return {"line.middle": middle, "root": instance.slope**0.5, "line.end": end}


class AsTuple(Derived):
    def compute_latent_variables(self, parameters, model):
        named = super().compute_latent_variables(parameters, model)
        return tuple(named[name] for name in self.LATENT_KEYS)


class WithoutKeys(Derived):
    LATENT_KEYS = ()


class InNumpy(NumpyLine):
    LATENT_KEYS = Derived.LATENT_KEYS

    def compute_latent_variables(self, parameters, model):
        with np.errstate(invalid="ignore"):
            return Derived.compute_latent_variables(self, parameters, model)  # type: ignore


def samples_of(kind: Any, draws: np.ndarray = DRAWS, **options: Any) -> Any:
    analysis = kind(X, Y, np.full(20, 0.5))
    result = SimpleNamespace(model=MODEL, draws=draws)
    return analysis.compute_latent_samples(result, **options)


def expected() -> dict[str, np.ndarray]:
    with np.errstate(invalid="ignore"):
        root = np.sqrt(SLOPE)
    return {
        "root": root,
        "line.end": 2.0 * SLOPE + INTERCEPT,
        "line.middle": SLOPE + INTERCEPT,
    }


KINDS = {
    "a dictionary": Derived,
    "a tuple": AsTuple,
    "in NumPy": InNumpy,
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_value_is_at_its_draw_under_its_name(kind):
    """Half the roots are NaN: nothing else moves or is left out."""
    samples = samples_of(kind)
    assert list(samples.values) == ["root", "line.end", "line.middle"]
    for name, values in expected().items():
        np.testing.assert_allclose(samples.values[name], values, rtol=1e-12)
    negative = int(np.sum(SLOPE < 0))
    assert samples.undefined == {"root": negative, "line.end": 0, "line.middle": 0}
    (remark,) = samples.remarks()
    assert f"latent variable root is NaN or infinite at {negative} of 150" in remark


def test_without_keys_the_dictionary_names_them():
    samples = samples_of(WithoutKeys)
    assert samples.names == ["line.middle", "root", "line.end"]
    np.testing.assert_allclose(samples.values["line.end"], expected()["line.end"])


def test_keys_choose_from_a_dictionary():
    class Chosen(Derived):
        LATENT_KEYS = ("line.end",)

    samples = samples_of(Chosen)
    assert samples.names == ["line.end"]
    np.testing.assert_allclose(samples.values["line.end"], expected()["line.end"])


@pytest.mark.parametrize("kind", [Derived, InNumpy])
@pytest.mark.parametrize("size", [1, 7, 150, 1000])
def test_the_batch_size_plays_no_part(kind, size):
    samples, usual = samples_of(kind, batch_size=size), samples_of(kind)
    np.testing.assert_allclose(samples.position, usual.position, rtol=1e-14)


def test_it_is_compiled_once_and_new_data_and_priors_are_seen():
    samples_of(Derived)
    analysis = Derived(2 * X, Y, np.ones(20))
    moved = anb.Model(slope=dist.Normal(5.0, 1.0), intercept=dist.Normal(9.0, 1.0))
    for n in (3, 50):
        result = SimpleNamespace(model=moved, draws=DRAWS[:n])
        with compilations() as names:
            samples: Any = analysis.compute_latent_samples(result)
        assert names == []
        values = samples.values
        end = 4.0 * SLOPE[:n] + INTERCEPT[:n]
        np.testing.assert_allclose(values["line.end"], end)


def test_units_and_labels_are_given_with_the_names():
    class Told(Derived):
        LATENT_KEYS: ClassVar = {
            "line.end": anb.Latent(unit="mJy", label="F"),
            "root": anb.Latent(),
        }

    samples = samples_of(Told)
    assert samples.names == ["line.end", "root"]
    assert (samples.units, samples.labels) == (["mJy", ""], ["$F$", "root"])


def test_arrays_are_latent_variables_too():
    class Curve(Derived):
        LATENT_KEYS = ("ends", "slope_sign")

        def compute_latent_variables(self, parameters, model):
            curve = parameters[0] * self.x + parameters[1]
            return curve[jnp.array([0, -1])], parameters[0] > 0

    samples = samples_of(Curve)
    assert samples.names == ["ends[0]", "ends[1]", "slope_sign"]
    ends = np.stack([INTERCEPT, 2 * SLOPE + INTERCEPT], axis=-1)
    np.testing.assert_allclose(samples.values["ends"], ends)
    assert np.array_equal(samples.values["slope_sign"], SLOPE > 0)


@pytest.mark.parametrize("kind", [Line, NumpyLine])
def test_a_dictionary_may_be_empty(kind):
    function = lambda _, parameters, model: {}  # noqa: E731
    samples = samples_of(type("Empty", (kind,), {"compute_latent_variables": function}))
    assert samples.values == {}
    assert list(samples.remarks()) == []


def test_dots_nest():
    class Deep(Derived):
        LATENT_KEYS = ("lens.mass.total", "lens.radius", "z")

        def compute_latent_variables(self, parameters, model):
            return parameters[0], 3 * parameters, 7

    samples = samples_of(Deep)
    instance = samples.instance(samples.position[4, 2])
    assert instance.lens.mass.total == SLOPE[4, 2]
    assert np.array_equal(instance.lens.radius, 3 * DRAWS[4, 2])
    assert instance.z == 7


def test_an_analysis_without_latent_variables_has_none():
    assert samples_of(Line) is None
    assert samples_of(NumpyLine) is None
    check_latents(line_problem().posterior)


@pytest.mark.parametrize("kind", [Derived, InNumpy])
def test_without_draws_there_are_no_values(kind):
    samples = samples_of(kind, DRAWS[:0])
    assert samples.values == {}
    assert samples.position.shape == (0, 3, 0)


def test_a_view_says_what_is_wrong():
    samples = samples_of(Derived)
    for text in (repr(samples), samples._repr_html_()):
        assert "50 x 3 values of root, line.end, line.middle" in text
        assert "root is NaN or infinite" in text


# Errors of the user's function


def test_draws_that_fail_are_nan_and_told():
    class Failing(InNumpy):
        def compute_latent_variables(self, parameters, model):
            if parameters[0] > 1.0:
                raise ArithmeticError("too steep\nand more")
            return super().compute_latent_variables(parameters, model)

    samples = samples_of(Failing)
    steep = SLOPE > 1.0
    assert samples.failed == np.sum(steep)
    for name, values in expected().items():
        assert np.all(np.isnan(samples.values[name][steep]))
        kept = samples.values[name][~steep]
        np.testing.assert_allclose(kept, values[~steep], rtol=1e-12)
    failed, root = samples.remarks()
    assert f"failed at {np.sum(steep)} of 150 draws" in failed
    assert failed.endswith("ArithmeticError: too steep")
    assert "root is NaN" in root


def failing(*_: Any) -> Any:
    raise ArithmeticError("never")


def in_python(_, parameters, model):
    return {"root": float(parameters[0]), "line.end": 1.0, "line.middle": 1.0}


FAILING = {
    "fails": (Derived, failing, "root, line.end, line.middle; got ArithmeticError"),
    "fails in NumPy": (InNumpy, failing, "line.middle; got ArithmeticError: never"),
    "is no JAX": (Derived, in_python, r"got ConcretizationTypeError.*jax\.numpy"),
}


@pytest.mark.parametrize(("kind", "function", "told"), FAILING.values(), ids=FAILING)
def test_an_error_at_every_draw_is_told_with_the_names(kind, function, told):
    broken = type("Broken", (kind,), {"compute_latent_variables": function})
    match = rf"expected Broken\.compute_latent_variables to give .*{told}"
    with pytest.raises(LatentError, match=match) as caught:
        samples_of(broken)
    assert caught.value.__cause__ is not None


def with_keys(*keys: Any, returns: Any) -> type:
    def function(_, parameters, model):
        return returns(parameters) if callable(returns) else returns

    entries = {"LATENT_KEYS": keys, "compute_latent_variables": function}
    return type("Wrong", (Derived,), entries)


WRONG = {
    "one is missing": (
        with_keys("a", "b", returns={"a": 1.0, "c": 1.0}),
        "expected the latent variables a, b; got a, c without b",
    ),
    "too few": (with_keys("a", "b", returns=(1.0,)), r"a tuple of 2 .*\(a, b\); got 1"),
    "too many": (with_keys("a", returns=(1.0, 2.0)), "a tuple of 1 .*; got 2 values"),
    "a tuple without names": (with_keys(returns=(1.0,)), "a tuple of 0 .*none.*got 1"),
    "a number": (with_keys("a", returns=1.0), "a dictionary .*; got float"),
    "text": (
        with_keys("a", "b", returns=(1.0, "one")),
        "expected a number or an array for the latent variable 'b'; got str",
    ),
    "a parameter's name": (
        with_keys("slope", returns=(1.0,)),
        "names of their own; got 'slope'",
    ),
    "a name within a parameter": (
        with_keys("slope.error", returns=(1.0,)),
        "names of their own; got 'slope.error'",
    ),
    "a name within another": (
        with_keys("a", "a.b", returns=(1.0, 1.0)),
        "names of their own; got 'a.b'",
    ),
    "an axis of ArviZ": (with_keys("draw", returns=(1.0,)), "own; got 'draw'"),
    "twice": (with_keys("a", "a", returns=(1.0, 1.0)), "once; got 'a' 2 times"),
    "words": (with_keys("line end", returns=(1.0,)), "like attributes.*'line end'"),
    "a parameter's name without keys": (
        with_keys(returns={"slope": 1.0}),
        "names of their own; got 'slope'",
    ),
    "no function": (
        type("Wrong", (Line,), {"LATENT_KEYS": ("a", "b")}),
        r"expected Wrong to have compute_latent_variables.* \(a, b\); got none",
    ),
}


@pytest.mark.parametrize(("kind", "told"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_latent_variables_is_told_before_the_run(kind, told):
    analysis = kind(X, Y, np.full(20, 0.5))
    with pytest.raises(LatentError, match=told):
        check_latents(anb.Posterior(analysis, MODEL))
    with pytest.raises(LatentError, match=told):
        analysis.compute_latent_samples(SimpleNamespace(model=MODEL, draws=DRAWS))
    with pytest.raises(LatentError, match=told):
        anb.InferenceEngine(analysis, MODEL).run(4, 10, 0, progress="none")


def test_the_check_computes_nothing():
    class Watched(Derived):
        def compute_latent_variables(self, parameters, model):
            assert not isinstance(parameters, np.ndarray)
            return super().compute_latent_variables(parameters, model)

    check_latents(anb.Posterior(Watched(X, Y, np.ones(20)), MODEL))


CHANGING = {
    "there at some draws only": (
        lambda p: {"a": 1.0} if p[0] > 0 else {"a": 1.0, "b": 1.0},
        "expected the same latent variables at each draw; got a",
    ),
    "of another shape at some draws": (
        lambda p: {"a": np.ones(2 if p[0] > 0 else 3)},
        r"'a' with one shape at each draw; got \(\d,\) and \(\d,\)",
    ),
}


@pytest.mark.parametrize(("returns", "told"), CHANGING.values(), ids=CHANGING)
def test_latent_variables_in_numpy_are_the_same_at_each_draw(returns, told):
    def function(_, parameters, model):
        return returns(parameters)

    kind = type("Changing", (NumpyLine,), {"compute_latent_variables": function})
    with pytest.raises(LatentError, match=told):
        samples_of(kind)


@pytest.mark.parametrize("size", [0, -3, 2.5, "10", True])
def test_batch_sizes_that_cannot_be_are_told(size):
    with pytest.raises(ValueError, match=r"expected batch_size .*; got"):
        samples_of(Derived, batch_size=size)
