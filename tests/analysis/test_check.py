"""A likelihood that is none is found out before anything is compiled."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest

import ampynb as anb
from ampynb.analysis.check import check_likelihood
from tests.helpers import Line, counted, line_problem

MODEL = anb.Model(a=dist.Normal(0.5, 1.0))
GAUSSIAN: Any = anb.GaussianFit


class Written(anb.Analysis):
    """A log likelihood as the user might write it."""

    def __init__(self, function, **options):
        super().__init__(**options)
        self.function, self.x = function, np.arange(3.0)

    def log_likelihood_function(self, instance):
        return self.function(self, instance)


class Fitted(Written):
    """The same for a fit."""

    def fit_from(self, instance):
        return self.function(self, instance)

    def log_likelihood_function(self, instance):
        return self.fit_from(instance).log_likelihood


def branch(analysis, instance):
    return -1.0 if instance.a > 0 else -2.0


def assign(analysis, instance):
    model = np.zeros(3)
    model[0] = instance.a
    return np.sum(model)


class Fit(anb.Analysis):
    """A fit alone."""

    def __init__(self, function, **options):
        super().__init__(**options)
        self.function, self.x = function, np.arange(3.0)

    def fit_from(self, instance):
        return self.function(self, instance)


class Keyless(Fit):
    """A method of its own raises."""

    def fit_from(self, instance):
        return {}["k"]


def no_key(analysis, instance):
    return {}["k"]


def no_solution():
    raise RuntimeError("no solution here")


def unequal(analysis, instance):
    return jnp.sum(instance.a * analysis.x - np.arange(4.0))


def fit_of_unequal(analysis, instance):
    return anb.GaussianFit(np.arange(4.0), 1.0, instance.a * analysis.x)


IN_NUMPY = ["written in JAX", "use jax.numpy", "use_jax=False"]
BAD = {
    "an array": (
        Written(lambda self, instance: instance.a * self.x),
        ValueError,
        ["a scalar", "shape (3,)", "jnp.sum"],
    ),
    "an array of one": (
        Written(lambda self, instance: instance.a * self.x[:1]),
        ValueError,
        ["a scalar", "shape (1,)", "jnp.sum"],
    ),
    "an array in NumPy": (
        Written(lambda self, instance: instance.a * self.x, use_jax=False),
        ValueError,
        ["a scalar", "shape (3,)"],
    ),
    "nothing": (
        Written(lambda self, instance: None),
        TypeError,
        ["a number", "NoneType", "return"],
    ),
    "nothing in NumPy": (
        Written(lambda self, instance: None, use_jax=False),
        TypeError,
        ["a number", "NoneType", "return"],
    ),
    "text": (Written(lambda self, instance: "-1"), TypeError, ["a number", "str"]),
    "a list": (Written(lambda self, instance: [1.0]), TypeError, ["a number", "list"]),
    "a fit": (
        Written(lambda self, i: anb.GaussianFit(self.x, 1.0, i.a * self.x)),
        TypeError,
        ["a number", "GaussianFit", "fit.log_likelihood"],
    ),
    "NumPy's sine": (
        Written(lambda self, instance: np.sin(instance.a)),
        TypeError,
        IN_NUMPY,
    ),
    "NumPy's logarithm of the data": (
        Written(lambda self, i: jnp.sum(i.a * np.log(self.x + 1.0))),
        TypeError,
        [*IN_NUMPY, "__init__"],
    ),
    "a float": (
        Written(lambda self, instance: float(instance.a)),
        TypeError,
        IN_NUMPY,
    ),
    "an integer": (
        Written(lambda self, instance: self.x[int(instance.a)]),
        TypeError,
        IN_NUMPY,
    ),
    "a branch": (Written(branch), TypeError, IN_NUMPY),
    "assignment": (Written(assign), TypeError, IN_NUMPY),
    "a complex number": (
        Written(lambda self, instance: instance.a * 1j),
        TypeError,
        ["a real log likelihood", "complex", "jnp.abs"],
    ),
    "a truth": (
        Written(lambda self, instance: instance.a > 0),
        TypeError,
        ["a real log likelihood", "bool"],
    ),
    "a misspelt keyword of a fit": (
        Fit(lambda self, i: GAUSSIAN(dta=self.x, noise=1.0, model=i.a)),
        TypeError,
        ["options of GaussianFit", "got dta", "did you mean 'data'?"],
    ),
    "a number in place of a fit": (
        Fit(lambda self, i: -jnp.sum((self.x - i.a) ** 2)),
        TypeError,
        ["a fit from fit_from", "a number", "log_likelihood_function"],
    ),
    "nothing in place of a fit": (
        Fit(lambda self, i: None),
        TypeError,
        ["a fit from fit_from", "None", "return"],
    ),
    "nothing in place of a fit, in NumPy": (
        Fit(lambda self, i: None, use_jax=False),
        TypeError,
        ["a fit from fit_from", "None", "return"],
    ),
    "a solver that raises": (
        Written(lambda self, i: no_solution()),
        ValueError,
        ["prior medians", "RuntimeError: no solution", "of no_solution", "raised"],
    ),
    "a key that is not there": (
        Fit(no_key),
        ValueError,
        ["prior medians", "KeyError: 'k'", "of no_key", "raised"],
    ),
    "a key that is not there, in NumPy": (
        Keyless(no_key, use_jax=False),
        ValueError,
        ["prior medians", "KeyError: 'k'", "of Keyless.fit_from", "raised"],
    ),
    "a misspelt parameter": (
        Written(lambda self, i: -i.aa),
        ValueError,
        ["prior medians", "one of the values a; got 'aa'", "raised"],
    ),
    "unequal lengths": (
        Written(unequal),
        ValueError,
        ["prior medians", "x: 3", "equal lengths"],
    ),
    "unequal lengths in a fit": (
        Fitted(fit_of_unequal),
        ValueError,
        ["prior medians", "data (4,)", "model (3,)"],
    ),
    "unequal lengths in NumPy": (
        Written(unequal, use_jax=False),
        ValueError,
        ["prior medians", "x: 3", "equal lengths"],
    ),
    "a name that is not in the model": (
        Written(lambda self, instance: instance.b),
        ValueError,
        ["prior medians", "'b'", "one of the values a"],
    ),
    "no fit at all": (anb.Analysis(), (TypeError, ValueError), ["fit_from"]),
    "a fit without likelihood": (
        Fitted(lambda self, instance: None),
        ValueError,
        ["log_likelihood"],
    ),
    "an error of its own": (
        Written(lambda self, instance: 1 / 0),
        ValueError,
        ["ZeroDivisionError"],
    ),
}


@pytest.mark.parametrize(("analysis", "error", "words"), BAD.values(), ids=BAD)
def test_what_is_no_likelihood_is_told(analysis, error, words):
    with pytest.raises(error) as told:
        check_likelihood(anb.Posterior(analysis, MODEL))
    for word in ["expected", "got", *words]:
        assert word in str(told.value)


def test_a_model_without_free_parameters_is_told():
    posterior = anb.Posterior(
        Written(lambda self, instance: 0.0), anb.Model(a=1.0, b=2.0)
    )
    with pytest.raises(ValueError, match=r"expected .* free.*; got none; .* a, b a pr"):
        check_likelihood(posterior)


GOOD = {
    "JAX": Written(lambda self, instance: -jnp.sum((instance.a - self.x) ** 2)),
    "a fit": Fitted(lambda self, i: anb.GaussianFit(self.x, 1.0, i.a * self.x)),
    "a number that is constant": Written(lambda self, instance: -1.0),
    "NumPy": Written(assign, use_jax=False),
    "a branch in NumPy": Written(branch, use_jax=False),
    "undefined at the medians": Written(lambda self, instance: jnp.log(-instance.a)),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("analysis", GOOD.values(), ids=GOOD)
def test_a_likelihood_passes(analysis):
    posterior = anb.Posterior(analysis, MODEL)
    assert check_likelihood(posterior) is None
    assert posterior.analysis is analysis


def test_the_check_evaluates_once_and_compiles_nothing():
    problem = line_problem()
    kind = counted(Line)
    analysis = kind(problem.analysis.x, problem.analysis.y, problem.analysis.yerr)
    check_likelihood(anb.Posterior(analysis, problem.model))
    assert kind.evaluations == 1


def test_what_the_likelihood_calls_may_be_put_right_in_the_same_session():
    helper = {"square": lambda a: jnp.full(5, -(a**2))}

    class Own(anb.Analysis):
        def log_likelihood_function(self, instance):
            return helper["square"](instance.a)

    posterior = anb.Posterior(Own(), MODEL)
    with pytest.raises(ValueError, match=r"a scalar; got an array of shape \(5,\)"):
        check_likelihood(posterior)
    helper["square"] = lambda a: -(a**2)
    check_likelihood(posterior)


def test_the_check_leaves_the_analysis_as_it_is():
    def remember(self, instance):
        self.latest = instance.a
        return -(instance.a**2)

    analysis = Written(remember)
    before = set(vars(analysis))
    check_likelihood(anb.Posterior(analysis, MODEL))
    assert set(vars(analysis)) == before


@pytest.mark.parametrize(
    "name", [n for n in BAD if "lengths" not in n and "array" not in n]
)
def test_lengths_are_told_only_where_they_are_at_fault(name):
    analysis, error, _ = BAD[name]
    with pytest.raises(error) as told:
        check_likelihood(anb.Posterior(analysis, MODEL))
    assert "lengths" not in str(told.value)


def test_the_users_own_error_stays_visible():
    with pytest.raises(ValueError) as told:
        check_likelihood(anb.Posterior(Written(lambda s, i: no_solution()), MODEL))
    assert isinstance(told.value.__cause__, RuntimeError)


def test_a_list_of_priors_used_as_an_array_is_named():
    normal = dist.Normal(0.0, 1.0)
    model = anb.Model(a=[normal, normal])
    analysis = Written(lambda self, i: -jnp.sum((i.a * self.x[:2]) ** 2))
    with pytest.raises(ValueError, match=r"'a' is a list .*instance.a\[0\].*expand"):
        check_likelihood(anb.Posterior(analysis, model))
