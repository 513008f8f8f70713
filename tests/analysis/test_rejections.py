"""Points that a likelihood rejects: what is counted, and what is said of it."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest

import ampynb as anb
from ampynb.analysis.rejections import (
    KEPT_REASONS,
    LONGEST_REASON,
    Evaluation,
    Rejections,
    RejectionTable,
    counted,
    evaluation_of,
)

MODEL = anb.Model(a=dist.Uniform(-1.0, 1.0))


class Raising(anb.Analysis):
    """Raises an error, or returns a value, where ``a`` is negative."""

    def __init__(self, outcome: object):
        super().__init__(use_jax=False)
        self.outcome = outcome

    def log_likelihood_function(self, instance):
        if instance.a < 0 and isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome if instance.a < 0 else 0.0


REASONS = {
    "ValueError: no root": ValueError("no root\nin two lines"),
    "LinAlgError: Singular matrix": np.linalg.LinAlgError("Singular matrix"),
    "ZeroDivisionError: division by zero": ZeroDivisionError("division by zero"),
    "FloatingPointError: overflow": FloatingPointError("overflow"),
    "OverflowError: too large": OverflowError("too large"),
    "FitException: they cross": anb.FitException("they cross"),
    "FitException": anb.FitException(),
    "NaN": np.nan,
    "+inf": np.inf,
    "": -np.inf,  # a value, and no rejection
}


@pytest.mark.parametrize(("reason", "outcome"), REASONS.items(), ids=REASONS)
def test_a_rejected_point_is_impossible_and_says_why(reason: str, outcome: object):
    posterior = anb.Posterior(Raising(outcome), MODEL)
    assert posterior.evaluate(np.array([-0.5])) == Evaluation(-np.inf, reason)
    assert posterior.log_likelihood(np.array([-0.5])) == -np.inf
    assert posterior.evaluate(np.array([0.5])) == Evaluation(0.0)


@pytest.mark.parametrize("error", [TypeError("a"), KeyError("a"), RuntimeError("a")])
def test_other_errors_are_raised(error: Exception):
    posterior = anb.Posterior(Raising(error), MODEL)
    with pytest.raises(type(error)):
        posterior.log_likelihood(np.array([-0.5]))


def test_reasons_are_ranked_and_counted():
    found = Rejections(40_000, {"NaN": 12, "ValueError: no root": 300})
    told = "rejected 312 of 40,000 points: ValueError: no root (300); NaN (12)"
    assert str(found) == told
    assert str(Rejections(5, {"NaN": 1})) == "rejected 1 of 5 points: NaN"
    assert str(Rejections(5)) == ""
    assert Rejections.from_dict(found.as_dict()) == found
    assert (found + Rejections(10, {"NaN": 1})).reasons["NaN"] == 13


def test_a_table_counts_as_it_is_filled():
    batches = [
        Rejections(4, {"ValueError: no root at 0.25": 1, "NaN": 1}),
        Rejections(4, {"ValueError: no root at -3e-05": 2}),
        Rejections(2, {"é" * LONGEST_REASON: 1}),
        Rejections(7),
    ]
    table = RejectionTable.empty()
    for batch in batches:
        table = table.with_more(batch)
    found = table.rejections()
    assert found.points == 17
    assert found.reasons == {
        "ValueError: no root at 0.25": 3,  # messages that differ in a number alone
        "NaN": 1,
        "é" * (LONGEST_REASON // 2): 1,
    }


def test_reasons_that_find_no_place_are_counted_together():
    table = RejectionTable.empty()
    for letter in "abcdefghijkl":
        table = table.with_more(Rejections(1, {f"ValueError: {letter}": 1}))
    found = table.rejections()
    assert (found.points, found.total) == (12, 12)
    assert len(found.reasons) == KEPT_REASONS
    assert found.reasons["other reasons"] == 12 - (KEPT_REASONS - 1)


class Logarithm(anb.Analysis):
    def log_likelihood_function(self, instance):
        value = jnp.where(instance.a == 0, jnp.inf, jnp.log(instance.a))
        return jnp.where(instance.a < -0.75, -jnp.inf, value)


def test_compiled_likelihoods_are_counted_wherever_they_are_computed():
    posterior = anb.Posterior(Logarithm(), MODEL)

    @jax.jit
    def descents(posterior, starts):
        def of_one(counting, start):
            def down(state):
                i, a = state
                gradient = jax.grad(lambda a: counting.log_likelihood(a[None]))(a)
                return i + 1, a - 0.5 + 0.0 * jnp.nan_to_num(gradient)

            return jax.lax.while_loop(lambda state: state[0] < 4, down, (0, start))

        def with_counts(start):
            return counted(lambda counting: of_one(counting, start), posterior)[1]

        return jax.vmap(with_counts)(starts)

    # 0.5, 0, -0.5, -1 and 0.25, -0.25, -0.75, -1.25
    found = descents(posterior, jnp.array([0.5, 0.25]))
    np.testing.assert_array_equal(found, [[4, 1, 1], [4, 2, 0]])


def test_what_lies_outside_the_prior_does_not_count():
    posterior = anb.Posterior(Logarithm(), MODEL)

    def counts(a: float) -> list:
        vector = jnp.array([a])
        return counted(lambda p: p.log_densities(vector), posterior)[1].tolist()

    assert counts(-0.5) == [1, 1, 0]
    assert counts(-3.0) == [0, 0, 0]


@pytest.mark.parametrize(
    ("value", "got"),
    [(None, "got NoneType"), (1j, "got complex"), (np.ones(1), r"shape \(1,\)")],
)
def test_what_is_no_real_number_at_some_points_is_named(value, got):
    with pytest.raises(TypeError, match=f"expected a real number .*{got}.*; return"):
        evaluation_of(lambda vector: value, np.zeros(1))
    assert evaluation_of(lambda vector: np.array(2.0), np.zeros(1)).value == 2.0


@pytest.mark.parametrize("error", [KeyError("k"), RuntimeError("k"), IndexError("k")])
def test_an_error_that_is_no_rejection_says_which_method_raised_it(error):
    posterior = anb.Posterior(Raising(error), MODEL)
    assert posterior.evaluate(np.array([0.5])) == Evaluation(0.0)
    told = r"raised this at line \d+ of Raising.log_likelihood_function; correct it, or"
    for _ in range(2):  # and says it once
        with pytest.raises(type(error)) as raised:
            posterior.evaluate(np.array([-0.5]))
        (note,) = raised.value.__notes__
        assert re.search(told, note)
    engine = anb.InferenceEngine(Raising(error), MODEL, seed=1)
    with pytest.raises(type(error)) as raised:
        engine.run(progress="none")
    assert re.search(told, raised.value.__notes__[0])
