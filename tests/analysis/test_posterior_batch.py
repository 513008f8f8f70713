"""Many posteriors of one structure, computed together."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import ampynb as anb
from ampynb.analysis.posterior_batch import PosteriorBatch
from tests.helpers import Line, NumpyLine, line_problem

MODEL = line_problem().model


def lines(n: int) -> list[anb.Posterior]:
    first: Any = line_problem().analysis
    random = np.random.default_rng(0)
    data = random.normal(size=(n, 20))
    return [anb.Posterior(Line(first.x, y, first.yerr), MODEL) for y in data]


def test_a_batch_computes_what_each_posterior_does():
    posteriors, vectors = lines(5), np.random.default_rng(1).normal(size=(5, 2))
    batch = PosteriorBatch(posteriors)
    together = batch.map(lambda posterior, v: posterior.log_posterior(v), vectors)
    alone = [one.log_posterior(v) for one, v in zip(posteriors, vectors, strict=True)]
    np.testing.assert_allclose(together, np.array(alone))
    assert batch.model.names == MODEL.names


def test_a_batch_holds_once_what_is_shared():
    leaves = jax.tree_util.tree_leaves(PosteriorBatch(lines(5)))
    shapes = [np.shape(leaf) for leaf in leaves]
    priors = [(2,), (2,)]  # two normal ones, together
    assert sorted(shapes) == sorted([(5, 20), (20,), (20,), *priors])


def test_a_batch_travels_through_compiled_code():
    batch = PosteriorBatch(lines(3))

    @jax.jit
    def peak(batch):
        return batch.map(lambda posterior: posterior.log_likelihood(jnp.zeros(2)))

    alone = [one.log_likelihood(np.zeros(2)) for one in lines(3)]
    np.testing.assert_allclose(peak(batch), np.array(alone))


def test_posteriors_of_another_kind_are_refused():
    analysis = line_problem().analysis
    other = NumpyLine(analysis.x, analysis.y, analysis.yerr)
    with pytest.raises(ValueError, match=r"differ in their arrays alone; got .*; give"):
        PosteriorBatch([*lines(1), anb.Posterior(other, MODEL)])
    longer = anb.Posterior(line_problem(n=21).analysis, MODEL)
    with pytest.raises(ValueError, match=r"one shape .*; got \(20,\) and \(21,\); pad"):
        PosteriorBatch([*lines(1), longer])
