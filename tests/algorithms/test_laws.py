"""What holds for every algorithm, whatever it does."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from ampynb.algorithms.algorithm import SAMPLING, WARMUP, Algorithm
from ampynb.algorithms.chunk import LONGEST_CHUNK
from ampynb.algorithms.codec import decode_state, encode_state
from ampynb.inference.loop import Command, Plan, sampling
from ampynb.results.history import History
from ampynb.results.inference_data import effective_sample_size
from ampynb.results.result import Result
from tests.algorithms.cases import (
    BURN,
    Case,
    all_cases,
    all_long_cases,
    begin,
    chain,
    chain_cases,
    chunks,
    ensemble_cases,
    jax_cases,
    long_chain_cases,
    long_posterior_cases,
    outcome,
    posterior_cases,
    sampled,
    self_ending_cases,
)
from tests.helpers import bounded_problem

ITERATIONS = 90


def assert_identical(first: Mapping, second: Mapping) -> None:
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


def effective_draws(values: np.ndarray, independent_chains: bool) -> np.ndarray:
    """Return the effective sample size, (k,), of (n_draws, nwalkers, k) values.

    Walkers of an ensemble depend on each other, so that their mean is taken for one
    chain, whose variance is what the ensemble's size left of a single walker's.
    """
    if independent_chains:
        return effective_sample_size(values, "mean")
    means = values.mean(axis=1, keepdims=True)
    effective = effective_sample_size(means, "mean")
    single, mean = values.var(axis=(0, 1)), means.var(axis=(0, 1))
    return effective * single / mean


def assert_mean(values: np.ndarray, expected: np.ndarray, case: Case) -> None:
    """Assert the mean of (n_draws, nwalkers, k) values within 4 standard errors."""
    size = effective_draws(values, case.algorithm.independent_chains)
    assert np.all(size > 800), f"too few draws for a test: {size}"
    error = values.std(axis=(0, 1)) / np.sqrt(size)
    deviation = (values.mean(axis=(0, 1)) - expected) / error
    assert np.all(np.abs(deviation) < 4), f"{deviation} standard errors from {expected}"


def standardised(position: np.ndarray, mean: np.ndarray, covariance: np.ndarray):
    """Return positions in coordinates in which they are standard normal."""
    inverse = np.linalg.inv(np.linalg.cholesky(covariance))
    return (position - mean) @ inverse.T


def products(values: np.ndarray) -> np.ndarray:
    """Return the products of all pairs along the last axis: (..., ndim * ndim)."""
    outer = values[..., :, None] * values[..., None, :]
    return outer.reshape(*values.shape[:-1], -1)


# The chain


@pytest.mark.slow  # with all optimisations of XLA, as users run it
@all_cases
@pytest.mark.parametrize("n", [1, 7, 50])
def test_chain_does_not_depend_on_the_chunk_length(case: Case, n: int):
    algorithm, posterior = case.with_steps(ITERATIONS), case.problem().posterior
    whole = chain(algorithm, posterior, ITERATIONS)
    assert len(whole["position"]) == case.steps(ITERATIONS)
    assert_identical(chain(algorithm, posterior, n), whole)


@long_chain_cases
def test_chain_goes_on_where_one_call_holds_no_more(case: Case):
    iterations = LONGEST_CHUNK + 52
    algorithm, posterior = case.with_steps(iterations), case.problem().posterior
    longest = chain(algorithm, posterior, iterations)
    assert len(longest["position"]) == BURN + iterations
    assert_identical(longest, chain(algorithm, posterior, 500))


@all_long_cases
def test_a_seed_fixes_the_chain(case: Case):
    algorithm, posterior = case.with_steps(ITERATIONS), case.problem().posterior
    first = chain(algorithm, posterior, 50, seed=1)
    assert_identical(first, chain(algorithm, posterior, 50, seed=1))
    other = chain(algorithm, posterior, 50, seed=2)
    assert not np.any(np.all(first["position"] == other["position"], axis=-1))


@all_long_cases
def test_fewer_iterations_give_the_beginning_of_the_same_chain(case: Case):
    posterior = case.problem().posterior
    short = chain(case.with_steps(30), posterior, 50)
    long = chain(case.with_steps(ITERATIONS), posterior, 50)
    steps = case.steps(30)
    assert_identical(short, {name: values[:steps] for name, values in long.items()})


# What it samples


@all_long_cases
def test_mean_and_covariance_of_a_correlated_gaussian(case: Case):
    check_moments(case)


@pytest.mark.slow
@jax_cases
def test_mean_and_covariance_of_a_correlated_gaussian_by_many_draws(case: Case):
    check_moments(case, longer=8)


def check_moments(case: Case, longer: int = 1) -> None:
    problem = case.problem()
    draws = outcome(case.enough(longer), problem.posterior, seed=3).position
    normal = standardised(draws, problem.mean, problem.covariance)
    assert_mean(normal, np.zeros(2), case)
    assert_mean(products(normal), np.eye(2).ravel(), case)


@long_posterior_cases
def test_mean_and_variance_of_a_posterior_cut_by_its_prior(case: Case):
    problem = bounded_problem(case.use_jax)
    draws = outcome(case.enough(), problem.posterior, seed=4).position
    low, high = problem.model.bounds.T
    assert np.all((draws > low) & (draws < high))
    normal = standardised(draws, problem.mean, problem.covariance)
    assert_mean(normal, np.zeros(2), case)
    assert_mean(products(normal), np.eye(2).ravel(), case)


@posterior_cases
def test_densities_in_the_stats_are_those_at_the_positions(case: Case):
    problem = case.problem()
    draws = chain(case.with_steps(ITERATIONS), problem.posterior, 50)
    slope, intercept = np.moveaxis(draws["position"], -1, 0)[..., None]
    analysis = problem.analysis
    predicted = slope * analysis.x + intercept
    likelihood = norm.logpdf(analysis.y, predicted, analysis.yerr).sum(axis=-1)
    prior = norm.logpdf(slope, 1.0, 2.0) + norm.logpdf(intercept, 0.0, 1.0)
    np.testing.assert_allclose(draws["log_likelihood"], likelihood, rtol=1e-9)
    np.testing.assert_allclose(draws["lp"], likelihood + prior[..., 0], rtol=1e-9)


@chain_cases
def test_walkers_move_and_differ(case: Case):
    draws = sampled(chain(case.with_steps(ITERATIONS), case.problem().posterior, 50))
    steps = draws["position"][:, :, 0]
    assert np.all(steps.std(axis=0) > 0), "a walker that never moves"
    assert np.all(steps.std(axis=1) > 0), "walkers that stand together"


# Its states


@chain_cases
@pytest.mark.parametrize("burn", [0, BURN])
def test_status_counts_steps_and_names_the_phase_of_the_next(case: Case, burn: int):
    algorithm, posterior = case.with_steps(ITERATIONS, burn), case.problem().posterior
    state = begin(algorithm, posterior)
    step, total = 0, burn + ITERATIONS
    while True:
        status = algorithm.status(state)
        warming = step < burn
        assert status.step == step and status.total == total
        assert status.phase == (WARMUP if warming else SAMPLING)
        assert status.remaining == (burn if warming else total) - step
        assert status.fraction == pytest.approx(step / total)
        assert status.done == (step == total)
        if status.done:
            break
        n = min(32, status.remaining)
        state, draws = algorithm.advance(posterior, state, n)
        assert draws.phase == status.phase
        made = len(draws.position)
        # In the burn-in a call may end where stranded walkers are looked for.
        assert made == n or (warming and 0 < made < n)
        step += made


@all_cases
def test_metrics_are_plain_finite_numbers(case: Case):
    algorithm, posterior = case.with_steps(ITERATIONS), case.problem().posterior
    state = begin(algorithm, posterior)
    for _ in range(2):
        metrics = algorithm.status(state).metrics
        assert json.loads(json.dumps(metrics)) == metrics
        assert np.all(np.isfinite(list(metrics.values())))
        state, _ = algorithm.advance(posterior, state, 10)
    assert algorithm.status(state).metrics


@chain_cases
def test_an_acceptance_rate_is_among_the_metrics(case: Case):
    algorithm, posterior = case.with_steps(ITERATIONS), case.problem().posterior
    state, _ = next(chunks(algorithm, posterior, 20))
    assert 0 < algorithm.status(state).metrics["acceptance_rate"] <= 1


@self_ending_cases
def test_an_algorithm_that_ends_itself_tells_how_far_it_is(case: Case):
    algorithm, posterior = case.with_steps(None), case.problem().posterior
    state, step, fractions = begin(algorithm, posterior), 0, []
    while not (status := algorithm.status(state)).done:
        assert (status.step, status.total) == (step, None)
        assert status.phase == SAMPLING and status.remaining > 0
        fractions.append(status.fraction)
        state, draws = algorithm.advance(posterior, state, 10)
        assert 0 < len(draws.position) <= 10
        step += len(draws.position)
    assert fractions[0] == 0 and status.fraction == 1
    assert np.all(np.diff(fractions) > 0)
    # the work that a Gaussian takes is foretold
    expected = np.arange(len(fractions)) / len(fractions)
    np.testing.assert_allclose(fractions, expected, atol=0.15)


@self_ending_cases
def test_an_algorithm_that_ends_itself_makes_no_more_steps_than_asked(case: Case):
    algorithm, posterior = case.with_steps(12), case.problem().posterior
    state = begin(algorithm, posterior)
    assert algorithm.status(state).remaining == 12
    state, _ = algorithm.advance(posterior, state, 12)
    status = algorithm.status(state)
    assert status.done and status.fraction == 1


@ensemble_cases
def test_acceptance_rate_is_the_share_of_moves_that_were_accepted(case: Case):
    events, history = run_loop(case)
    made = history.unsaved()
    position = np.concatenate([draws.position for draws in made])
    accepted = np.concatenate([draws.stats["accepted"] for draws in made])
    # A walker may also have come from another temperature.
    came = [
        draws.stats["accepted"] | draws.stats.get("swapped", False) for draws in made
    ]
    moved = np.any(np.diff(position, axis=0) != 0, axis=-1)
    np.testing.assert_array_equal(np.concatenate(came)[1:], moved)
    rate = events[-2]["metrics"]["acceptance_rate"]
    assert rate == pytest.approx(accepted.mean())


@all_cases
def test_every_array_of_a_chunk_has_a_row_for_each_step(case: Case):
    algorithm, posterior = case.with_steps(ITERATIONS), case.problem().posterior
    _, draws = next(chunks(algorithm, posterior, 7))
    assert draws.position.shape == (7, case.points_per_step, 2)
    assert {"lp", "log_likelihood"} <= draws.stats.keys()
    for name, values in draws.stats.items():
        assert isinstance(values, np.ndarray), name
        assert values.shape == (7, case.points_per_step), name
        assert np.all(np.isfinite(values)), name


@chain_cases
def test_the_draws_of_chains_are_the_outcome(case: Case):
    algorithm, posterior = case.with_steps(ITERATIONS), case.problem().posterior
    _, draws = next(chunks(algorithm, posterior, 7))
    found = algorithm.finish(draws, None)
    np.testing.assert_array_equal(found.position, draws.position)
    assert_identical(found.stats, draws.stats)


def on_disk(state, folder) -> dict[str, np.ndarray]:
    arrays: Any = encode_state(state)
    np.savez(folder / "state.npz", **arrays)
    with np.load(folder / "state.npz", allow_pickle=False) as file:
        return dict(file)


@all_cases
@pytest.mark.parametrize("done", [0, 40, BURN, BURN + 30])
def test_a_state_from_disk_goes_on_as_the_state_itself(case: Case, done: int, tmp_path):
    algorithm, posterior = case.with_steps(ITERATIONS), case.problem().posterior
    state, done = begin(algorithm, posterior), min(done, case.steps(ITERATIONS) - 20)
    while (step := algorithm.status(state).step) < done:
        n = min(done - step, algorithm.status(state).remaining)
        state, _ = algorithm.advance(posterior, state, n)
    arrays = on_disk(state, tmp_path)
    again = decode_state(algorithm.template(posterior), arrays)
    state, draws = algorithm.advance(posterior, state, 20)
    again, draws_again = algorithm.advance(posterior, again, 20)
    np.testing.assert_array_equal(draws.position, draws_again.position)
    assert_identical(draws.stats, draws_again.stats)
    assert_identical(encode_state(state), encode_state(again))


@all_cases
def test_a_state_of_something_else_is_refused(case: Case, tmp_path):
    algorithm, posterior = case.with_steps(ITERATIONS), case.problem().posterior
    arrays = on_disk(begin(algorithm, posterior), tmp_path)
    template = algorithm.template(posterior)
    name = next(iter(arrays))
    with pytest.raises(ValueError, match="expected a state of"):
        decode_state(template, {key: arrays[key] for key in arrays if key != name})
    with pytest.raises(ValueError, match=r"expected .* with shape and type"):
        decode_state(template, {key: np.zeros((1, 7)) for key in arrays})


# In the loop


def run_loop(
    case: Case, algorithm: Algorithm | None = None, stop_at: str = ""
) -> tuple[list[dict], History]:
    """Run the engine's loop, and stop it at the first event of a name."""
    history, command = History(), Command.CONTINUE
    algorithm = algorithm or case.with_steps(ITERATIONS)
    loop = sampling(Plan(case.problem().posterior, algorithm, 0), history)
    events = [next(loop).as_dict()]
    while events[-1]["event"] != "Finished":
        stop = events[-1]["event"] == stop_at
        command = Command.STOP if stop else Command.CONTINUE
        events.append(loop.send(command).as_dict())
    return events, history


def result_of(case: Case, algorithm: Algorithm, history: History) -> Result:
    posterior = case.problem().posterior
    return Result(posterior, algorithm, history, seed=0, seconds=1.0, reason="stopped")


@chain_cases
def test_the_loop_never_crosses_the_edge_of_the_warmup(case: Case):
    events, history = run_loop(case)
    made = history.unsaved()
    by_phase = {WARMUP: 0, SAMPLING: 0}
    for draws in made:
        by_phase[draws.phase] += len(draws.position)
    assert by_phase == {WARMUP: BURN, SAMPLING: ITERATIONS}
    assert [draws.phase for draws in made] == sorted(
        (draws.phase for draws in made), reverse=True
    ), "warm-up after sampling"
    assert events[-1]["reason"] == "completed"


@all_cases
def test_events_survive_json(case: Case):
    events, _ = run_loop(case)
    assert json.loads(json.dumps(events)) == events


@all_cases
def test_a_run_stopped_after_one_chunk_is_valid(case: Case):
    algorithm = case.with_steps(ITERATIONS, burn=0)
    events, history = run_loop(case, algorithm, stop_at="Advanced")
    assert events[-1]["reason"] == "stopped"
    n = events[-1]["step"]
    assert 0 < n < ITERATIONS
    result = result_of(case, algorithm, history)
    assert result.draws.shape[-1] == 2
    if not case.ends_itself:
        assert result.draws.shape[:2] == (n, algorithm.nwalkers)
    assert np.all(np.isfinite(result.draws))
    assert result.log_likelihood >= result.stats["log_likelihood"].max()
    assert result.verdict(), "so few draws are told"


@chain_cases
def test_a_run_stopped_in_its_warmup_has_no_draws_and_says_so(case: Case):
    algorithm = case.with_steps(ITERATIONS)
    events, history = run_loop(case, algorithm, stop_at="Advanced")
    result = result_of(case, algorithm, history)
    assert len(result.draws) == 0
    assert len(result.warmup) == events[-1]["step"] > 0
    assert "burn-in" in " ".join(result.verdict())
