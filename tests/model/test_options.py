"""Misspelt options say what is meant, wherever options are taken."""

import inspect
from typing import Any

import numpy as np
import numpyro.distributions as dist
import pytest

import ampynb as anb
from tests.helpers import line_problem

NORMAL = dist.Normal(0.0, 1.0)
LINE = line_problem()
ENGINE = anb.InferenceEngine(LINE.analysis, LINE.model)
Y = np.zeros(3)
any_of: Any = anb  # the misspelt calls below are no business of a type checker
run: Any = ENGINE.run
CASES = {
    "a fit": (lambda: any_of.GaussianFit(dta=Y, noise=1.0, model=Y), "'data'"),
    "a fit's noise": (lambda: any_of.GaussianFit(Y, sigma=1.0, model=Y), "'noise'"),
    "a Poisson fit": (lambda: any_of.PoissonFit(Y, modle=Y), "'model'"),
    "degrees of freedom": (
        lambda: any_of.StudentTFit(Y, 1.0, Y, dof=3.0),
        "'degrees_of_freedom'",
    ),
    "a parameter": (lambda: any_of.Parameter(NORMAL, latex=r"\theta"), "'label'"),
    "a shape": (lambda: any_of.Parameter(NORMAL, shape=(3,)), "expand([3])"),
    "a unit": (lambda: any_of.Parameter(NORMAL, units="d"), "'unit'"),
    "a latent variable": (lambda: any_of.Latent(units="d"), "'unit'"),
    "a panel": (lambda: any_of.Panel(xlable="t"), "'xlabel'"),
    "a sampler": (lambda: any_of.NUTS(target_accept_prob=0.9), "'target_accept'"),
    "walkers": (lambda: any_of.Ensemble(walkers=8), "'nwalkers'"),
    "live points": (lambda: any_of.Nested(nlive=50), "'nwalkers'"),
    "an analysis": (lambda: any_of.Analysis(usejax=True), "'use_jax'"),
    "an engine": (lambda: any_of.InferenceEngine(1, 2, sede=3), "'seed'"),
    "steps for an engine": (
        lambda: any_of.InferenceEngine(1, 2, n_steps=100),
        "give it to run() or start()",
    ),
    "a run": (lambda: run(n_steps=100), "'iterations'"),
    "a run's warm-up": (lambda: run(warmup=100), "'burn'"),
    "a run's seed": (lambda: run(seed=1), "InferenceEngine(analysis, model, seed=1)"),
    "a start": (lambda: any_of.InferenceEngine.start(ENGINE, chains=4), "'nwalkers'"),
    "a sampler's options": (
        lambda: run(sampler="nuts", sampler_kw={"target_acept": 0.9}),
        "'target_accept'",
    ),
    "a run's options": (lambda: run(run_kw={"thinby": 10}), "'thin_by'"),
    "a sampler's name": (lambda: run(sampler="nutz"), "'nuts'"),
    "a sampler in capitals": (lambda: run(sampler="NUTS"), "mean 'nuts'"),
    "the package of a sampler": (lambda: run(sampler="emcee"), "mean 'ensemble'"),
    "an explorer": (
        lambda: any_of.explore(LINE.analysis, LINE.model, panel=()),
        "'panels'",
    ),
}


@pytest.mark.parametrize(("call", "word"), CASES.values(), ids=CASES)
def test_a_misspelt_option_says_what_is_meant(call, word):
    with pytest.raises((TypeError, ValueError)) as told:
        call()
    for part in ("expected", "got", word):
        assert part in str(told.value)


@pytest.mark.parametrize("name", list(inspect.signature(ENGINE.run).parameters))
def test_an_engine_says_where_the_options_of_a_run_go(name):
    with pytest.raises(TypeError, match=r"got \w+; give it to run\(\) or start\(\)"):
        any_of.InferenceEngine(1, 2, **{name: 1})


def test_a_parameter_is_not_taken_for_an_option():
    with pytest.raises(ValueError, match="'path'") as told:
        LINE.model.fix(path=1.0)
    assert "run()" not in str(told.value)


def test_an_option_that_is_nothing_like_another_lists_those_there_are():
    with pytest.raises(TypeError, match=r"\(data, model, mask.*got zzz; leave it out"):
        any_of.PoissonFit(Y, Y, zzz=1)
