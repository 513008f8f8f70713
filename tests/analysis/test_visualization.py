"""`fit_for_visualization`: one evaluation for every picture, never stale."""

import functools
import pickle
import statistics
import threading
import time
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest

import ampynb as anb
from ampynb.algorithms.scripted import Scripted
from ampynb.analysis.visualization import compile_ahead
from ampynb.inference.renderers import renderers_for
from tests.helpers import Line, compilations

X, Y = np.linspace(0.0, 2.0, 5), np.array([0.1, 0.6, 0.9, 1.7, 2.2])
INSTANCE = anb.Instance(slope=1.5, intercept=-0.5)


def line(kind: Any = Line, **options: Any) -> Any:
    return kind(X, Y, np.full(5, 0.5), **options)


def fresh() -> Any:
    """Return a class of lines of which nothing is compiled yet."""
    return type("Fresh", (Line,), {})


def fits_in(names: list[str]) -> int:
    return sum("_fit" in name for name in names)


LEAVES = {
    "floats": (1.5, -0.5),
    "a whole number": (1, -0.5),
    "NumPy numbers": (np.float64(1.5), np.float32(-0.5)),
    "NumPy arrays": (np.array(1.5), np.array(-0.5)),
    "JAX arrays": (jnp.array(1.5), jnp.array(-0.5)),
    "JAX arrays in single precision": (jnp.float32(1.5), jnp.int32(2)),
}


def test_it_is_compiled_once_whatever_the_type_of_the_numbers():
    analysis = line(fresh())
    with compilations() as names:
        for slope, intercept in LEAVES.values():
            instance = anb.Instance(slope=slope, intercept=intercept)
            model = analysis.fit_for_visualization(instance).model
            np.testing.assert_allclose(model, float(slope) * X + float(intercept))
    assert fits_in(names) == 1


def test_new_data_of_the_same_shape_do_not_compile_again():
    kind = fresh()
    with compilations() as names:
        for scale in (1.0, 2.0, 3.0):
            analysis = kind(scale * X, Y + scale, 0.5 * np.ones(5))
            fit = analysis.fit_for_visualization(INSTANCE)
            np.testing.assert_allclose(fit.model, 1.5 * scale * X - 0.5)
            np.testing.assert_allclose(fit.data, Y + scale)
    assert fits_in(names) == 1


def test_two_analyses_of_a_class_keep_apart():
    first, second = line(), Line(X[:3], 2 * Y[:3], np.ones(3))
    for analysis in (first, second, first):
        fit = analysis.fit_for_visualization(INSTANCE)
        assert np.array_equal(fit.data, analysis.y)
        np.testing.assert_allclose(fit.model, 1.5 * analysis.x - 0.5)


def test_components_are_instances_too():
    class Slope:
        def __init__(self, slope, intercept):
            self.slope, self.intercept = slope, intercept

    prior = dist.Normal(0.0, 1.0)
    model = anb.Model(Slope, slope=prior, intercept=prior)
    analysis = line(fresh())
    with compilations() as names:
        for instance in (
            model.instance_from_vector(np.array([1.5, -0.5])),
            model.instance_from_vector(jnp.array([1.5, -0.5])),
            Slope(1.5, -0.5),
        ):
            fit = analysis.fit_for_visualization(instance)
            np.testing.assert_allclose(fit.model, 1.5 * X - 0.5)
    assert fits_in(names) == 1


def test_a_fit_comes_back_in_numpy():
    fit = line().fit_for_visualization(INSTANCE)
    assert type(fit) is anb.GaussianFit
    assert {type(fit.data), type(fit.noise), type(fit.model)} == {np.ndarray}
    assert (fit.mask, fit.curve) == (None, None)


def test_two_analyses_of_one_shape_share_a_program_and_no_data():
    kind = fresh()
    first, second = line(kind), kind(X, 2 * Y, np.full(5, 0.25))
    with compilations() as names:
        for analysis in (first, second, first, second):
            fit = analysis.fit_for_visualization(INSTANCE)
            assert np.array_equal(fit.data, analysis.y)
            assert np.array_equal(fit.noise, analysis.yerr)
    assert fits_in(names) == 1


def test_the_second_call_takes_a_twentieth_of_the_first():
    class Fresh(Line):  # a class of its own: nothing of it is compiled yet
        pass

    analysis, times = line(Fresh), []
    for slope in np.linspace(1.0, 2.0, 12):
        begun = time.perf_counter()
        analysis.fit_for_visualization(anb.Instance(slope=slope, intercept=-0.5))
        times.append(time.perf_counter() - begun)
    assert times[0] > 20 * statistics.median(times[1:])


@pytest.mark.parametrize("compiled", [True, False])
def test_an_analysis_pickles_before_and_after_it_was_drawn(compiled):
    analysis = line(use_jax_for_visualization=compiled)
    fresh = pickle.dumps(analysis)
    fit = analysis.fit_for_visualization(INSTANCE)
    used = pickle.dumps(analysis)
    assert used == fresh, "what is compiled is no part of the analysis"
    again = pickle.loads(used)
    assert again.use_jax_for_visualization is compiled
    np.testing.assert_allclose(again.fit_for_visualization(INSTANCE).model, fit.model)


# Ahead of time


PRIORS = {"slope": dist.Normal(0.0, 1.0), "intercept": dist.Normal(0.0, 1.0)}


def test_what_is_compiled_ahead_is_not_compiled_again():
    begun = threading.Event()

    class Slow(fresh()):
        def fit_from(self, instance):
            begun.set()
            time.sleep(0.1)
            return super().fit_from(instance)

    analysis = line(Slow)
    with compilations() as names:
        thread = compile_ahead(anb.Posterior(analysis, anb.Model(**PRIORS)))
        assert thread is not None
        assert begun.wait(20)
        # While the thread compiles: a picture waits for it and compiles nothing itself.
        fit = analysis.fit_for_visualization(INSTANCE)
        np.testing.assert_allclose(fit.model, 1.5 * X - 0.5)
        thread.join()
    assert fits_in(names) == 1


def test_a_monitored_run_compiles_its_pictures_while_it_begins():
    analysis = line(fresh())
    model, before = anb.Model(**PRIORS), set(threading.enumerate())
    engine = anb.InferenceEngine(analysis, model)
    with compilations() as names:
        run = engine.start(4, 10, 10, sampler=Scripted(), progress="none")
        run.wait(20)
        assert fits_in(names) == 0
        renderers_for("widget", run)[0].close()  # type: ignore[attr-defined]
        for thread in set(threading.enumerate()) - before:
            if thread.name == "ampynb-pictures":
                thread.join()
        assert fits_in(names) == 1
        analysis.fit_for_visualization(INSTANCE)
        assert fits_in(names) == 1


def test_what_cannot_be_compiled_or_drawn_is_not_compiled_ahead():
    model = anb.Model(**PRIORS)
    analyses = (
        line(use_jax=False),
        line(use_jax_for_visualization=False),
        anb.Analysis(),
    )
    for analysis in analyses:
        assert compile_ahead(anb.Posterior(analysis, model)) is None


def test_an_error_is_left_to_the_first_picture(caplog):
    class Broken(Line):
        def fit_from(self, instance):
            raise RuntimeError("a broken fit")

    analysis = line(Broken)
    thread = compile_ahead(anb.Posterior(analysis, anb.Model(**PRIORS)))
    assert thread is not None
    thread.join()
    with pytest.raises(RuntimeError, match="a broken fit"):
        analysis.fit_for_visualization(INSTANCE)


@dataclass
class Helper:
    array: np.ndarray
    number: float


class Settings(anb.Analysis):
    """An analysis with attributes of every kind; its model is made of all of them."""

    def __init__(self, **options):
        super().__init__(**options)
        self.array = np.ones(3)
        self.number = 1.0
        self.text = "a"
        self.values = [1.0]
        self.table = {"a": np.ones(3), "b": 1.0}
        self.members = {1.0}
        self.helper = Helper(array=np.ones(3), number=1.0)
        self.function = abs

    def fit_from(self, instance):
        settings = [self.number, len(self.text), *self.values, self.table["b"]]
        settings += [*self.members, self.helper.number, self.function(-1.0)]
        arrays = self.array + self.table["a"] + self.helper.array
        model = instance.scale * (sum(settings) + arrays)
        return anb.GaussianFit(data=self.array, noise=1.0, model=model)


def _set_in_place(array: np.ndarray) -> None:
    array[:] = 3.0


def _shorten(analysis: Settings) -> None:
    analysis.array, analysis.table["a"] = 2 * np.ones(2), 2 * np.ones(2)
    analysis.helper.array = np.ones(2)


CHANGES = {
    "an array": lambda analysis: setattr(analysis, "array", 3 * np.ones(3)),
    "an array in place": lambda analysis: _set_in_place(analysis.array),
    "arrays' lengths": _shorten,
    "a number": lambda analysis: setattr(analysis, "number", 3.0),
    "a text": lambda analysis: setattr(analysis, "text", "abc"),
    "a list in place": lambda analysis: analysis.values.append(2.0),
    "a table in place": lambda analysis: analysis.table.update(b=3.0),
    "an array of a table": lambda analysis: analysis.table.update(a=3 * np.ones(3)),
    "a set in place": lambda analysis: analysis.members.add(2.0),
    "a helper's number": lambda analysis: setattr(analysis.helper, "number", 3.0),
    "a helper's array": lambda analysis: _set_in_place(analysis.helper.array),
    "a function": lambda analysis: setattr(analysis, "function", lambda x: 2 - x),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_changed_attribute_is_seen_at_once(change):
    analysis, instance = Settings(), anb.Instance(scale=2.0)
    assert analysis.fit_for_visualization(instance).model[0] == 2 * 10.0
    change(analysis)
    fit = analysis.fit_for_visualization(instance)
    assert np.array_equal(fit.model, np.asarray(analysis.fit_from(instance).model))
    assert fit.model[0] == 2 * 12.0


def test_tables_keep_their_order():
    class Bands(anb.Analysis):
        def __init__(self, **options):
            super().__init__(**options)
            self.times = {"r": np.arange(2.0), "g": np.arange(10.0, 12.0)}

        def fit_from(self, instance):
            time = jnp.concatenate(list(self.times.values()))
            return anb.GaussianFit(np.zeros(4), 1.0, instance.slope * time)

    for compiled in (True, False):
        analysis = Bands(use_jax_for_visualization=compiled)
        fit = analysis.fit_for_visualization(INSTANCE)
        np.testing.assert_allclose(fit.model, [0.0, 1.5, 15.0, 16.5])


# Without compilation


class Recorder(anb.Analysis):
    """Keeps what `fit_from` was given."""

    def __init__(self, **options):
        super().__init__(**options)
        self.given = []

    def fit_from(self, instance):
        self.given.append(instance)
        return "a fit"


@pytest.mark.parametrize(
    "options", [{"use_jax": False}, {"use_jax_for_visualization": False}]
)
def test_without_compilation_it_is_fit_from_itself(options):
    analysis = Recorder(**options)
    assert analysis.fit_for_visualization(INSTANCE) == "a fit"
    # What it reads may be looked for by tracing it first.
    *traced, given = analysis.given
    assert given is INSTANCE
    assert all(one is not INSTANCE for one in traced)


@dataclass
class NumpyFit:
    log_likelihood: float
    model: np.ndarray
    data: np.ndarray


class NumpySine(anb.Analysis):
    """Code that only NumPy runs: `np.sin`, `float`, branches, assignment in place."""

    def __init__(self):
        super().__init__(use_jax=False)
        self.x, self.y = X, Y

    def fit_from(self, instance):
        model = instance.slope * np.sin(self.x)
        model[0] = float(instance.intercept)
        if instance.slope > 1.0:
            model[1:] += 1.0
        total = float(np.sum((self.y - model) ** 2))
        return NumpyFit(log_likelihood=-0.5 * total, model=model, data=self.y)


def sine(slope: float, intercept: float) -> np.ndarray:
    model = slope * np.sin(X) + (slope > 1.0)
    model[0] = intercept
    return model


SLOPES, INTERCEPTS = np.array([0.5, 1.5, 3.0]), np.array([-0.5, 0.0, 1.0])
BATCHES = {"NumPy": np.asarray, "JAX": jnp.asarray}


def test_pure_numpy_code_is_drawn():
    fit = NumpySine().fit_for_visualization(INSTANCE)
    np.testing.assert_allclose(fit.model, sine(1.5, -0.5))


@pytest.mark.parametrize("array", BATCHES.values(), ids=BATCHES)
def test_batches_of_pure_numpy_code_are_drawn(array):
    instances = anb.Instance(slope=array(SLOPES), intercept=array(INTERCEPTS))
    fits = NumpySine().fits_for_visualization(instances)
    expected = np.stack([sine(*pair) for pair in zip(SLOPES, INTERCEPTS, strict=True)])
    np.testing.assert_allclose(fits.model, expected)
    totals = -0.5 * np.sum((Y - expected) ** 2, axis=1)
    np.testing.assert_allclose(fits.log_likelihood, totals)
    assert fits.data.shape == (3, 5)


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("array", BATCHES.values(), ids=BATCHES)
def test_a_batch_equals_the_single_fits(compiled, array):
    analysis = line(use_jax_for_visualization=compiled)
    instances = anb.Instance(slope=array(SLOPES), intercept=array(INTERCEPTS))
    fits = analysis.fits_for_visualization(instances)
    for i, (slope, intercept) in enumerate(zip(SLOPES, INTERCEPTS, strict=True)):
        single = analysis.fit_for_visualization(
            anb.Instance(slope=slope, intercept=intercept)
        )
        for name in ("data", "noise", "model"):
            np.testing.assert_allclose(
                getattr(fits, name)[i], getattr(single, name), rtol=1e-12
            )
    assert type(fits) is anb.GaussianFit


def test_compiling_numpy_code_is_refused():
    with pytest.raises(ValueError, match=r"expected .*; got True; a NumPy"):
        Line(X, Y, Y, use_jax=False, use_jax_for_visualization=True)


OPTIONS = [
    ({}, True, True),
    ({"use_jax": False}, False, False),
    ({"use_jax_for_visualization": False}, True, False),
    ({"use_jax_for_visualization": True}, True, True),
    ({"use_jax": False, "use_jax_for_visualization": False}, False, False),
]


@pytest.mark.parametrize(("options", "use_jax", "compiled"), OPTIONS)
def test_visualization_follows_use_jax(options, use_jax, compiled):
    analysis = line(**options)
    assert analysis.use_jax is use_jax
    assert analysis.use_jax_for_visualization is compiled


# Fits of the user's own: JAX is told of none of these


class PlainFit:
    def __init__(self, data, model, unit):
        self.data, self.model, self.unit = data, model, unit

    @property
    def log_likelihood(self):
        return -0.5 * jnp.sum((self.data - self.model) ** 2)


@dataclass(frozen=True)
class FrozenFit:
    data: Any
    model: Any
    unit: str

    @property
    def log_likelihood(self):
        return -0.5 * jnp.sum((self.data - self.model) ** 2)


@dataclass(slots=True)
class SlottedFit:
    data: Any
    model: Any
    unit: str

    @property
    def log_likelihood(self):
        return -0.5 * jnp.sum((self.data - self.model) ** 2)


class TupleFit(NamedTuple):
    data: Any
    model: Any
    unit: str

    @property
    def log_likelihood(self):
        return -0.5 * jnp.sum((self.data - self.model) ** 2)


class OwnFit(anb.Analysis):
    def __init__(self, kind, **options):
        super().__init__(**options)
        self.kind, self.y = kind, Y

    def fit_from(self, instance):
        return self.kind(data=self.y, model=instance.slope * self.y, unit="mJy")


@pytest.mark.parametrize("kind", [PlainFit, FrozenFit, SlottedFit, TupleFit])
@pytest.mark.parametrize("compiled", [True, False])
def test_a_fit_of_any_class_is_drawn(kind, compiled):
    analysis = OwnFit(kind, use_jax_for_visualization=compiled)
    fit = analysis.fit_for_visualization(INSTANCE)
    assert type(fit) is kind
    assert fit.unit == "mJy"
    np.testing.assert_allclose(fit.model, 1.5 * Y)
    assert float(fit.log_likelihood) == pytest.approx(-0.5 * np.sum((0.5 * Y) ** 2))
    fits = analysis.fits_for_visualization(anb.Instance(slope=SLOPES))
    np.testing.assert_allclose(fits.model, SLOPES[:, None] * Y)


class Instrument:
    """Something that must not be taken apart, nor copied."""

    def __init__(self):
        self.lock = threading.Lock()

    def __getstate__(self):
        raise TypeError("cannot be pickled")


INSTRUMENT = Instrument()


class OpaqueFit:
    """A fit with a way of its own to be pickled, so that nothing is known of it."""

    def __init__(self, data, model, unit):
        self.data, self.model, self.unit = data, model, unit
        self.instrument = INSTRUMENT

    def __getstate__(self):
        return vars(self)

    @property
    def log_likelihood(self):
        return -0.5 * jnp.sum((self.data - self.model) ** 2)


def opaque() -> type:
    """Return a class that was never registered."""
    return type("OpaqueFit", (OpaqueFit,), {})


def test_a_fit_of_which_nothing_is_known_is_told_with_the_remedy():
    words = (
        r"expected a fit that .*; got one that has them in a OpaqueFit.*register_fit"
    )
    with pytest.raises(TypeError, match=words):
        OwnFit(opaque()).fit_for_visualization(INSTANCE)
    with pytest.raises(TypeError, match=words):
        OwnFit(opaque()).fits_for_visualization(anb.Instance(slope=SLOPES))
    plain = OwnFit(opaque(), use_jax_for_visualization=False)
    assert plain.fit_for_visualization(INSTANCE).unit == "mJy"


HIDING = {
    "a function": lambda model: lambda: model,
    "an object in an object": lambda model: opaque()(Y, [model], "mJy"),
    "a function's arguments": lambda model: functools.partial(max, model),
    "a method": lambda model: opaque()(Y, model, "mJy").__getstate__,
}


@pytest.mark.parametrize("hide", HIDING.values(), ids=HIDING)
def test_arrays_are_found_wherever_they_hide(hide):
    class Hiding(Line):
        def fit_from(self, instance):
            fit = super().fit_from(instance)
            return PlainFit(fit.data, fit.model, hide(instance.slope * jnp.ones(1)))

    with pytest.raises(TypeError, match=r"expected a fit .*register_fit"):
        line(Hiding).fit_for_visualization(INSTANCE)


def test_a_registered_fit_keeps_its_constants():
    kind = anb.register_fit(constants=("unit", "instrument"))(opaque())
    analysis = OwnFit(kind)
    fit = analysis.fit_for_visualization(INSTANCE)
    assert type(fit) is kind
    assert fit.unit == "mJy"
    assert fit.instrument is INSTRUMENT
    np.testing.assert_allclose(fit.model, 1.5 * Y)
    fits = analysis.fits_for_visualization(anb.Instance(slope=SLOPES))
    np.testing.assert_allclose(fits.model, SLOPES[:, None] * Y)
    assert fits.instrument is INSTRUMENT
    assert len(jax.tree_util.tree_leaves(fit)) == 2, "data and model"


def test_registering_again_is_allowed_and_otherwise_told():
    kind = opaque()
    assert anb.register_fit(kind) is kind
    assert anb.register_fit(kind) is kind
    with pytest.raises(ValueError, match=r"got OpaqueFit, which was registered"):
        anb.register_fit(constants=("unit",))(kind)
    with pytest.raises(TypeError, match=r"got the text 'unit'; write constants="):
        anb.register_fit(constants="unit")
    with pytest.raises(TypeError, match=r"expected a class; got 'a'"):
        anb.register_fit("a")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["data", "model"])
def test_a_constant_that_is_none_is_told(name):
    kind = anb.register_fit(constants=(name,))(opaque())
    with pytest.raises(TypeError, match=rf"expected '{name}', a constant of OpaqueFit"):
        OwnFit(kind).fit_for_visualization(INSTANCE)


class Forgetful(anb.Analysis):
    def __init__(self, y):
        self.y = y

    def fit_from(self, instance):
        return anb.GaussianFit(self.y, 1.0, instance.slope * self.y)


FORGOTTEN = {
    "Posterior": lambda analysis: anb.Posterior(
        analysis, anb.Model(slope=dist.Normal(0.0, 1.0))
    ),
    "fit_for_visualization": lambda analysis: analysis.fit_for_visualization(INSTANCE),
}


@pytest.mark.parametrize("use", FORGOTTEN.values(), ids=FORGOTTEN)
def test_a_forgotten_call_of_the_base_class_is_told(use):
    with pytest.raises(TypeError, match=r"expected Forgetful.__init__ to call super"):
        use(Forgetful(Y))


# The analysis itself


def test_the_default_panel_is_against_x():
    assert np.array_equal(line().panel().x, X)
    assert Recorder().panel().x is None
    assert Recorder().panel().xlabel == "index"


def test_an_analysis_prints_its_data():
    assert repr(line()) == "Line(x: 5, y: 5, yerr: 5; JAX)"
    assert repr(line(use_jax=False)) == "Line(x: 5, y: 5, yerr: 5; NumPy)"


def test_a_fit_is_there_when_it_is_written():
    assert line().has_fit
    assert not anb.Analysis().has_fit
    with pytest.raises(TypeError, match=r"expected Analysis to have fit_from.*; got"):
        anb.Analysis().fit_from(INSTANCE)


def test_compiled_and_plain_evaluations_agree():
    compiled = line().fit_for_visualization(INSTANCE)
    plain = line(use_jax_for_visualization=False).fit_for_visualization(INSTANCE)
    for name in ("data", "noise", "model", "residuals", "log_likelihood"):
        first, second = getattr(compiled, name), getattr(plain, name)
        np.testing.assert_allclose(first, second, rtol=1e-12)
