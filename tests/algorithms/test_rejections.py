"""What samplers make of points that a likelihood rejects."""

from pathlib import Path
from typing import Any

import numpy as np
import numpyro.distributions as dist
import pytest

import ampynb as anb
from ampynb.algorithms.external_nested import DynestyNested
from tests.algorithms.rejecting import (
    HalfRaising,
    HalfUndefined,
    check_half,
    half_model,
)

NO_SOLUTION = "FitException: no solution"
OF_NUMPY: dict[str, dict[str, Any]] = {
    "ensemble": {"nwalkers": 16, "burn": 100, "iterations": 400},
    "nested": {"nwalkers": 60, "sampler": DynestyNested(sample="unif")},
}
OF_JAX: dict[str, dict[str, Any]] = {
    "ensemble": {"nwalkers": 16, "burn": 100, "iterations": 400},
    "tempered": {"nwalkers": 16, "burn": 100, "iterations": 400, "ntemps": 3},
    "nuts": {"nwalkers": 4, "burn": 200, "iterations": 400},
    "hmc": {
        "sampler": anb.HMC(max_steps=8),
        "nwalkers": 4,
        "burn": 500,
        "iterations": 4000,  # many trajectories end at the wall
    },
    "nested": {"nwalkers": 60},
}


def raising() -> HalfRaising:
    return HalfRaising(anb.FitException("no solution"))


def run(analysis: anb.Analysis, **options: Any) -> anb.Result:
    engine = anb.InferenceEngine(analysis, half_model(), seed=1)
    return engine.run(**options, progress="none")


@pytest.mark.parametrize("name", OF_NUMPY)
@pytest.mark.parametrize("workers", [None, 2])
def test_a_numpy_likelihood_may_raise(name: str, workers: int | None):
    options = {"sampler": name, **OF_NUMPY[name], "executor": "process"}
    if workers is not None:
        options |= {"workers": workers, "executor": "thread"}
    check_half(run(raising(), **options), NO_SOLUTION)


@pytest.mark.parametrize(
    "name",
    [
        "ensemble",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in OF_JAX
            if name != "ensemble"
        ),
    ],
)
def test_undefined_likelihoods_are_counted_in_compiled_code(name: str):
    check_half(run(HalfUndefined(), **{"sampler": name, **OF_JAX[name]}), "NaN")


@pytest.mark.parametrize("analysis", [raising(), HalfUndefined()], ids=["NumPy", "JAX"])
def test_an_ensemble_counts_every_point_that_it_tries(analysis: anb.Analysis):
    counts = {}
    for steps in (1, 50):
        result = run(analysis, nwalkers=16, burn=0, iterations=steps)
        counts[steps] = result.history.rejections.points
    # all lie within the prior's support, the whole line
    assert counts[50] - counts[1] == 49 * 16


def test_the_count_goes_on_where_a_run_is_continued(tmp_path: Path):
    options = {"nwalkers": 16, "burn": 20}
    whole = run(raising(), **options, iterations=200).history.rejections
    path = tmp_path / "run"
    run(raising(), **options, iterations=100, path=path)
    again = run(raising(), **options, iterations=200, path=path, resume=True)
    assert again.history.rejections == whole
    assert anb.open_run(path).history.rejections == whole
    assert str(whole) in anb.open_run(path).verdict()
    assert str(whole) in anb.load(again.to_netcdf(tmp_path / "half.nc")).verdict()
    # the same run, finished, is read again
    read = run(raising(), **options, iterations=200, path=path)
    assert read.history.rejections == whole


def test_a_run_says_so_while_it_goes_on():
    engine = anb.InferenceEngine(raising(), half_model(), seed=1)
    started = engine.start(nwalkers=16, burn=0, iterations=200, progress="none")
    result = started.wait()
    assert started.status.rejected == str(result.history.rejections)


class Mismatched(anb.Analysis):
    """A plain mistake, which is there at every point."""

    def log_likelihood_function(self, instance):
        return float(instance.a) + self.missing()

    def missing(self):
        raise ValueError("a mistake of the user's")


@pytest.mark.parametrize("name", OF_NUMPY)
def test_a_likelihood_that_always_raises_is_no_run(name: str):
    with pytest.raises(
        ValueError, match=r"ValueError: a mistake of the user's"
    ) as told:
        run(Mismatched(use_jax=False), **{"sampler": name, **OF_NUMPY[name]})
    cause = told.value.__cause__
    assert isinstance(cause, ValueError) and cause.__traceback__ is not None
    frames, at = [], cause.__traceback__
    while at is not None:
        frames.append(at.tb_frame.f_code.co_name)
        at = at.tb_next
    assert frames[-1] == "missing"


def test_a_start_that_is_rejected_throughout_names_the_reason():
    with pytest.raises(ValueError, match=r"16 positions .*no solution") as told:
        start = -1.0 - np.random.default_rng(0).uniform(size=(16, 1))
        run(raising(), nwalkers=16, start=start)
    assert isinstance(told.value.__cause__, anb.FitException)


def test_minus_infinity_is_a_value():
    class Half(anb.Analysis):
        def log_likelihood_function(self, instance):
            return -np.inf if instance.a < 0 else 0.0

    result = run(Half(use_jax=False), nwalkers=16, burn=0, iterations=100)
    assert result.history.rejections.total == 0
    assert not any("rejected" in line for line in result.verdict())


def test_a_prior_outside_which_nothing_is_computed_rejects_nothing():
    engine = anb.InferenceEngine(
        HalfUndefined(), anb.Model(a=dist.Uniform(0.0, 5.0)), seed=1
    )
    result = engine.run(nwalkers=16, burn=0, iterations=100, progress="none")
    assert result.history.rejections.total == 0
    assert result.history.rejections.points < 64 + 16 * 100
