"""What a user meets who asks for what cannot be: expected, got, and what to do."""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest

import ampynb as anb
from ampynb.algorithms.external import EmceeEnsemble
from ampynb.algorithms.scripted import Scripted
from ampynb.inference.run import RunFailedError
from tests.helpers import Line, NumpyLine, line_problem

X, NOISE = np.linspace(0.0, 2.0, 20), np.full(20, 0.5)
MODEL = line_problem().model


class Written(anb.Analysis):
    """An analysis with the likelihood that a user has written."""

    def __init__(self, likelihood: Callable[[Any], Any], **kwargs):
        super().__init__(**kwargs)
        self.likelihood = likelihood

    def log_likelihood_function(self, instance):
        return self.likelihood(instance)


class WithoutInit(anb.Analysis):
    """An analysis that forgot to call its base."""

    def __init__(self):
        self.x = X


class Empty(anb.Analysis):
    """An analysis with neither fit nor likelihood."""


class NotAFit(anb.Analysis):
    """An analysis whose fit is the model's prediction alone."""

    def fit_from(self, instance):
        return instance.slope * X


def error_of(call: Callable[[], Any]) -> Exception:
    """Return what a call raises: misuse is told plainly, also when found late."""
    with pytest.raises(Exception) as caught:
        call()
    assert not isinstance(caught.value, RunFailedError)
    return caught.value


def assert_told(error: Exception, *words: str) -> None:
    """Assert that a message says what was expected, what was got and what to do."""
    told = str(error)
    expected, *rest = told.split("; ")
    assert "expected " in expected, told
    assert rest and rest[0].startswith(("got ", "it did not")), told
    assert len(rest) > 1, f"it does not say what to do: {told}"
    for word in words:
        assert word in told, f"{word!r} is not in: {told}"


@dataclass(frozen=True)
class Misuse:
    """A run that is asked for, and what its error says."""

    name: str
    error: type[Exception]
    words: tuple[str, ...]
    options: dict[str, Any] = field(default_factory=dict)
    analysis: Any = None
    model: Any = MODEL

    def run(self) -> Any:
        analysis = self.analysis or line_problem().analysis
        engine = anb.InferenceEngine(analysis, self.model)
        return engine.run(**{"iterations": 10, "burn": 0, **self.options})


def misuse(name: str, error: type[Exception], *words: str, **asked: Any) -> Misuse:
    analysis, model = asked.pop("analysis", None), asked.pop("model", MODEL)
    return Misuse(name, error, words, {"progress": "none", **asked}, analysis, model)


def written(likelihood: Callable[[Any], Any], **kwargs: Any) -> Written:
    return Written(likelihood, **kwargs)


numpy_line = line_problem(use_jax=False).analysis
NUTS = {"sampler": "nuts", "nwalkers": 4}

OPTIONS = [
    misuse("sampler", ValueError, "'ensemble'", "'nuts'", "'emcee3'", sampler="emcee3"),
    misuse("no sampler", ValueError, "'ensemble'", "None", sampler=None),
    misuse("class for a sampler", ValueError, "'nuts'", "NUTS", sampler=anb.NUTS),
    misuse("option", ValueError, "moves", "step_size", sampler_kw={"step_size": 0.1}),
    misuse(
        "nuts option",
        ValueError,
        *("target_accept", "moves"),
        sampler_kw={"moves": ()},
        **NUTS,
    ),
    misuse("too few walkers", ValueError, "twice", "got 3", nwalkers=3),
    misuse(
        "too few NumPy walkers", ValueError, "twice", nwalkers=3, analysis=numpy_line
    ),
    misuse(
        "target_accept",
        ValueError,
        *("between 0 and 1", "1.5"),
        sampler_kw={"target_accept": 1.5},
        **NUTS,
    ),
    misuse(
        "no tree",
        ValueError,
        *("max_tree_depth", "got 0"),
        sampler_kw={"max_tree_depth": 0},
        **NUTS,
    ),
    misuse("moves", ValueError, "Stretch", sampler_kw={"moves": []}),
    misuse("no move", TypeError, "Stretch", "int", sampler_kw={"moves": [3]}),
    misuse(
        "unknown move", ValueError, "'walk'", "strech", sampler_kw={"moves": "strech"}
    ),
    misuse("numpy nuts", ValueError, "use_jax=False", analysis=numpy_line, **NUTS),
    misuse(
        "numpy ensemble",
        ValueError,
        *("use_jax=False", "sampler='ensemble'", "'nested'"),
        sampler=anb.Ensemble(),
        analysis=numpy_line,
    ),
    misuse("workers for JAX", ValueError, "workers=None", "workers=2", workers=2),
    misuse("progress", ValueError, "'none'", "'bar'", progress="bar"),
    *(
        misuse(
            f"{workers!r} workers",
            ValueError,
            *("workers", repr(workers)),
            workers=workers,
            analysis=numpy_line,
        )
        for workers in (0, -1, 2.5, "two")
    ),
    *(
        misuse(f"{name}={count!r}", ValueError, name, repr(count), **{name: count})
        for name in ("nwalkers", "iterations", "burn")
        for count in (-1, 2.5, "10")
    ),
    misuse("burn=True", ValueError, "burn", "got True", burn=True),
    misuse("no walkers", ValueError, "nwalkers", "got 0", nwalkers=0),
    misuse("no iterations", ValueError, "iterations", "got 0", iterations=0),
    *(
        misuse(
            f"{sampler.name} configured with {name}={count}",
            ValueError,
            *(name, repr(count)),
            iterations=None,
            burn=None,
            sampler=sampler,
            sampler_kw={name: count},
        )
        for sampler in (anb.Ensemble(burn=10, iterations=10), Scripted(burn=10))
        for name, count in (("iterations", 0), ("burn", -5), ("iterations", 10.5))
    ),
]

LIKELIHOODS = [
    misuse("NaN", ValueError, "NaN", "division", analysis=written(lambda p: jnp.nan)),
    misuse(
        "NaN in NumPy",
        ValueError,
        *("NaN", "division"),
        analysis=written(lambda p: np.nan, use_jax=False),
    ),
    misuse(
        "NaN with nuts",
        ValueError,
        *("NaN", "division"),
        analysis=written(lambda p: p.slope * jnp.nan),
        **NUTS,
    ),
    misuse(
        "NaN in the data",
        ValueError,
        *("data without NaN", "index 0", "mask"),
        analysis=Line(X, np.where(X == 0, np.nan, X), NOISE),
    ),
    misuse(
        "zero probability",
        ValueError,
        *("zero probability", "prior"),
        analysis=written(lambda p: -jnp.inf),
    ),
    misuse(
        "zero probability with nuts",
        ValueError,
        *("zero probability", "prior"),
        analysis=written(lambda p: p.slope - jnp.inf),
        **NUTS,
    ),
    misuse(
        "an array", ValueError, "(20,)", "sum", analysis=written(lambda p: p.slope * X)
    ),
    misuse(
        "an array in NumPy",
        ValueError,
        *("(20,)", "sum"),
        analysis=written(lambda p: p.slope * X, use_jax=False),
    ),
    misuse("None", TypeError, "NoneType", "return", analysis=written(lambda p: None)),
    misuse(
        "None in NumPy",
        TypeError,
        *("NoneType", "return"),
        analysis=written(lambda p: None, use_jax=False),
    ),
    misuse("a string", TypeError, "str", "return", analysis=written(lambda p: "1")),
    misuse(
        "math",
        TypeError,
        "JAX",
        "use_jax=False",
        analysis=written(lambda p: math.exp(p.slope)),
    ),
    misuse(
        "numpy",
        TypeError,
        *("JAX", "jax.numpy", "use_jax=False"),
        analysis=written(lambda p: np.array(p.slope).sum()),
    ),
    misuse(
        "an if",
        TypeError,
        *("JAX", "use_jax=False"),
        analysis=written(lambda p: 0.0 if p.slope > 0 else -1.0),
    ),
    misuse(
        "a misspelt name",
        ValueError,
        *("slope, intercept", "'slpe'"),
        analysis=written(lambda p: p.slpe),
    ),
    misuse("x too short", ValueError, "(20,)", "(19,)", analysis=Line(X[1:], X, NOISE)),
    misuse(
        "noise too short", ValueError, "(20,)", "(3,)", analysis=Line(X, X, NOISE[:3])
    ),
    misuse(
        "data too short in NumPy",
        ValueError,
        *("20", "19", "equal lengths"),
        analysis=NumpyLine(X, X[1:], NOISE),
    ),
    misuse("nothing written", TypeError, "fit_from", analysis=Empty()),
    misuse("not a fit", TypeError, "log_likelihood", analysis=NotAFit()),
    misuse("a forgotten super", TypeError, "super().__init__", analysis=WithoutInit()),
]

MODELS = [
    misuse("no analysis", TypeError, "Analysis", "function", analysis=lambda p: 0.0),
    misuse("an analysis class", TypeError, "Analysis", "type", analysis=Line),
    misuse("no model", TypeError, "Model", "dict", model={"slope": dist.Normal(0, 1)}),
    misuse("a model function", TypeError, "Model", "function", model=lambda: None),
    misuse(
        "nothing free", ValueError, "slope", model=MODEL.fix(slope=1.0, intercept=0.0)
    ),
]


@pytest.mark.parametrize(
    "case", [*OPTIONS, *LIKELIHOODS, *MODELS], ids=lambda case: case.name
)
def test_misuse_says_what_was_expected_what_was_got_and_what_to_do(case: Misuse):
    error = error_of(case.run)
    assert isinstance(error, case.error), repr(error)
    assert_told(error, *case.words)


@pytest.mark.parametrize(
    ("make", "kind", "words"),
    [
        (lambda: anb.Model(slope=1 + 2j), TypeError, ("slope", "complex")),
        (lambda: anb.Model(slope="uniform"), TypeError, ("slope", "str")),
        (lambda: anb.Model(slope=np.random.default_rng(0)), TypeError, ("slope",)),
        (lambda: MODEL.fix(slpe=1.0), ValueError, ("did you mean 'slope'", "'slpe'")),
        (lambda: MODEL.tie(slope="intrcept"), ValueError, ("'intercept'",)),
        (lambda: MODEL.with_priors(tilt=dist.Normal(0, 1)), ValueError, ("'tilt'",)),
        (lambda: MODEL.prior_of("slop"), ValueError, ("'slope'", "'slop'")),
    ],
)
def test_a_model_that_cannot_be_is_refused_at_once(make, kind, words):
    error = error_of(make)
    assert isinstance(error, kind), repr(error)
    assert_told(error, *words)


def test_a_prior_of_another_library_is_refused_by_its_name():
    from scipy import stats

    error = error_of(lambda: anb.Model(slope=stats.norm(0, 1)))
    assert isinstance(error, TypeError)
    assert_told(error, "slope", "scipy.stats", "numpyro")


@pytest.mark.parametrize("seed", [None, 1.5, "1", -1])
def test_a_seed_is_a_whole_number(seed: Any):
    problem = line_problem()
    error = error_of(
        lambda: anb.InferenceEngine(problem.analysis, problem.model, seed=seed)
    )
    assert isinstance(error, ValueError | TypeError)
    assert_told(error, "seed", repr(seed))


def test_misuse_is_met_before_a_run_begins():
    problem = line_problem()
    engine = anb.InferenceEngine(problem.analysis, problem.model)
    with pytest.raises(ValueError, match="twice"):
        engine.start(nwalkers=3, progress="none")


# What can be asked for


def test_counts_may_be_numpy_numbers():
    problem = line_problem()
    engine = anb.InferenceEngine(problem.analysis, problem.model)
    eight: Any = np.int64(8)
    ten: Any = np.int32(10)
    result = engine.run(eight, ten, ten, progress="none")
    assert (result.draws.shape, result.warmup.shape) == ((10, 8, 2), (10, 8, 2))


def test_arguments_take_precedence_over_a_configured_sampler():
    problem = line_problem()
    engine = anb.InferenceEngine(problem.analysis, problem.model)
    script = Scripted(nwalkers=3, burn=5, iterations=7)
    told = engine.run(sampler=script, progress="none")
    assert (told.draws.shape, told.warmup.shape) == ((7, 3, 2), (5, 3, 2))
    told = engine.run(2, 4, 6, script, sampler_kw={"nwalkers": 9}, progress="none")
    assert (told.draws.shape, told.warmup.shape) == ((4, 2, 2), (6, 2, 2))


@pytest.mark.parametrize(
    ("sampler", "use_jax", "kind"),
    [
        ("ensemble", True, anb.Ensemble),
        ("ensemble", False, EmceeEnsemble),
        ("nuts", True, anb.NUTS),
    ],
)
def test_a_name_stands_for_the_sampler_that_suits_the_analysis(
    sampler: str, use_jax: bool, kind: type
):
    problem = line_problem(use_jax)
    engine = anb.InferenceEngine(problem.analysis, problem.model)
    result = engine.run(4, 10, 200, sampler, progress="none")
    assert type(result.algorithm) is kind
    assert result.algorithm.name == sampler


def test_a_collection_is_a_model():
    problem = line_problem()
    priors = anb.Collection(slope=dist.Normal(1, 2), intercept=dist.Normal(0, 1))
    engine = anb.InferenceEngine(problem.analysis, priors)
    assert engine.ndim == 2
    assert engine.run(8, 10, 0, progress="none").draws.shape == (10, 8, 2)


def test_the_seed_of_the_engine_is_that_of_the_run():
    problem = line_problem()

    def draws(seed: int) -> np.ndarray:
        engine = anb.InferenceEngine(problem.analysis, problem.model, seed=seed)
        return engine.run(8, 20, 0, progress="none").draws

    np.testing.assert_array_equal(draws(1), draws(1))
    assert not np.any(draws(1) == draws(2))


def test_a_run_equals_one_that_is_started_in_a_thread():
    problem = line_problem()
    engine = anb.InferenceEngine(problem.analysis, problem.model, seed=1)
    here = engine.run(8, 500, 100, progress="none")
    there = engine.start(8, 500, 100, progress="none").wait()
    np.testing.assert_array_equal(here.draws, there.draws)
    np.testing.assert_array_equal(here.warmup, there.warmup)


def test_a_result_is_where_the_next_run_begins():
    problem = line_problem()
    engine = anb.InferenceEngine(problem.analysis, problem.model, seed=1)
    first = engine.run(8, 100, 0, progress="none")
    second = engine.run(16, 10, 0, start=first, progress="none")
    assert second.draws.shape == (10, 16, 2)


def test_threads_of_the_users_are_left_open():
    problem = line_problem(use_jax=False)
    engine = anb.InferenceEngine(problem.analysis, problem.model)
    with ThreadPoolExecutor(2) as threads:
        engine.run(8, 10, 0, workers=threads, progress="none")
        assert threads.submit(lambda: 7).result() == 7
