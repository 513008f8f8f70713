"""Misuse of a model is told early: what was expected, what came, what to do."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from scipy import stats

import ampynb as anb

NORMAL = dist.Normal(0.0, 1.0)
SCIPY_NORMAL: Any = stats.norm(0, 1)
NAME: Any = "slope"
MAPPING: Any = {"a": NORMAL}
NORMAL_CLASS: Any = dist.Normal
TRUE: Any = True
MODEL = anb.Model(slope=NORMAL, inner=anb.Model(width=NORMAL))


class Gaussian:
    def __init__(self, centre, sigma):
        self.centre, self.sigma = centre, sigma


CASES = {
    "unknown name in fix": (
        lambda: MODEL.fix(slop=1.0),
        ValueError,
        ["slope, inner.width", "'slop'", "did you mean 'slope'?"],
    ),
    "unknown name in with_priors": (
        lambda: MODEL.with_priors(width=NORMAL),
        ValueError,
        ["'width'", "did you mean 'inner.width'?"],
    ),
    "no name in fix": (
        lambda: MODEL.fix(NAME),
        TypeError,
        ["by name", "'slope'", "fix(a=2.0)"],
    ),
    "no name in tie": (
        lambda: MODEL.tie(NAME),
        TypeError,
        ["by name", "'slope'", "tie(a='b')"],
    ),
    "NaN for a value": (lambda: MODEL.fix(slope=np.nan), ValueError, ["NaN", "prior"]),
    "unknown name in tie": (
        lambda: MODEL.tie(slope="inner.with"),
        ValueError,
        ["'inner.with'", "did you mean 'inner.width'?"],
    ),
    "unknown name in prior_of": (
        lambda: MODEL.prior_of("slopes"),
        ValueError,
        ["'slopes'", "did you mean 'slope'?"],
    ),
    "nothing near the name": (
        lambda: MODEL.fix(zzz=1.0),
        ValueError,
        ["'zzz'", "correct the name"],
    ),
    "tied to itself tied": (
        lambda: MODEL.tie(slope="inner.width").tie({"inner.width": "slope"}),
        ValueError,
        ["'slope'", "itself tied"],
    ),
    "tied to itself": (
        lambda: MODEL.tie(slope="slope"),
        ValueError,
        ["'slope'", "itself"],
    ),
    "prior of SciPy": (
        lambda: anb.Model(a=SCIPY_NORMAL),
        TypeError,
        ["'a'", "numpyro distribution", "scipy", "numpyro.distributions.Uniform(0, 1)"],
    ),
    "prior of SciPy in a Parameter": (
        lambda: anb.Parameter(SCIPY_NORMAL),
        TypeError,
        ["numpyro distribution", "scipy", "numpyro.distributions.Uniform(0, 1)"],
    ),
    "text": (
        lambda: anb.Model(a="uniform"),
        TypeError,
        ["'a'", "a number, an array", "builtins.str", "a=numpyro.distributions"],
    ),
    "tuple of bounds": (
        lambda: anb.Model(a=(0.0, 1.0)),
        TypeError,
        ["'a'", "numbers alone, (0.0, 1.0)", "a=numpyro.distributions.Uniform(0, 1)"],
    ),
    "list of numbers": (
        lambda: anb.Model(a=[1, 2, 3]),
        TypeError,
        ["'a'", "numbers alone, [1, 2, 3]", "an array", "ampynb.Parameter(0.5)"],
    ),
    "class of a prior": (
        lambda: anb.Model(a=dist.Normal),
        TypeError,
        ["'a'", "the class Normal itself", "a=Normal(...)"],
    ),
    "class of a prior in a Parameter": (
        lambda: anb.Parameter(NORMAL_CLASS),
        TypeError,
        ["the class numpyro", "Normal itself"],
    ),
    "class of a component": (
        lambda: anb.Model(a=Gaussian),
        TypeError,
        ["'a'", "the class Gaussian itself", "a=ampynb.Model(Gaussian, ...)"],
    ),
    "key that is no name": (
        lambda: anb.Model(a={1: NORMAL}),
        ValueError,
        ["Python identifier", "got 1"],
    ),
    "tied to a number": (
        lambda: MODEL.tie(slope=3.0),
        TypeError,
        ["'slope'", "got 3.0", "model.fix(slope=...)"],
    ),
    "function of another shape": (
        lambda: MODEL.tie(slope=lambda m: jnp.ones(3) * m.inner.width),
        ValueError,
        ["'slope', of shape ()", "jnp.ones(3) * m.inner.width", "(3,)"],
    ),
    "function of itself": (
        lambda: MODEL.tie(slope=lambda m: 2 * m.slope),
        ValueError,
        ["'slope'", "got 'slope'", "functions above it"],
    ),
    "function of one below": (
        lambda: anb.Model(a=lambda m: m.b, b=lambda m: m.c, c=NORMAL),
        ValueError,
        ["'a'", "got 'b'", "functions above it"],
    ),
    "function of an unknown name": (
        lambda: anb.Model(width=NORMAL, b=lambda m: m.widht),
        ValueError,
        ["'b'", "got 'widht'", "width"],
    ),
    "function in NumPy": (
        lambda: anb.Model(a=NORMAL, b=lambda m: np.exp(m.a)),
        TypeError,
        ["'b'", "np.exp(m.a)", "use jax.numpy"],
    ),
    "function with an if": (
        lambda: anb.Model(a=NORMAL, b=lambda m: m.a if m.a > 0 else 0.0),
        TypeError,
        ["'b'", "jnp.where"],
    ),
    "function that gives text": (
        lambda: anb.Model(a=NORMAL, b=lambda m: "a"),
        TypeError,
        ["'b'", "builtins.str"],
    ),
    "function that gives a truth": (
        lambda: anb.Model(a=NORMAL, b=lambda m: m.a > 0),
        TypeError,
        ["'b'", "true or false (m.a > 0)", "with_assertions(b=...)"],
    ),
    "function that gives a discrete prior": (
        lambda: anb.Model(a=NORMAL, b=lambda m: dist.Poisson(m.a)),
        TypeError,
        ["continuous", "Poisson", "sum over its values"],
    ),
    "function that gives a Dirichlet prior": (
        lambda: anb.Model(a=NORMAL, b=lambda m: dist.Dirichlet(m.a * jnp.ones(3))),
        ValueError,
        ["'b'", "Dirichlet", "use free parameters"],
    ),
    "assertion between three": (
        lambda: MODEL.with_assertions(inside=lambda m: 0 < m.slope < 1),
        TypeError,
        ["assertion 'inside'", "0 < m.slope < 1", "(0 < a) & (a < b)"],
    ),
    "assertion that gives a number": (
        lambda: MODEL.with_assertions(inside=lambda m: m.slope),
        TypeError,
        ["assertion 'inside'", "numbers (m.slope)", "m.a < m.b"],
    ),
    "assertion of an unknown name": (
        lambda: MODEL.with_assertions(inside=lambda m: m.slop > 0),
        ValueError,
        ["assertion 'inside'", "got 'slop'", "slope"],
    ),
    "assertion that is no function": (
        lambda: MODEL.with_assertions(inside=TRUE),
        TypeError,
        ["assertion 'inside'", "bool", "inside=lambda m: m.a < m.b"],
    ),
    "shape of a function alone": (
        lambda: anb.Parameter(lambda m: m.a).shape,
        ValueError,
        ["m.a", "ask its model"],
    ),
    "discrete prior": (
        lambda: anb.Model(a=dist.Poisson(3.0)),
        TypeError,
        ["continuous", "Poisson(rate=3)", "sum over its values"],
    ),
    "discrete prior, categorical": (
        lambda: anb.Model(a=dist.Bernoulli(0.5)),
        TypeError,
        ["continuous", "Bernoulli", "sum over its values"],
    ),
    "Dirichlet prior": (
        lambda: anb.Model(weights=dist.Dirichlet(np.ones(3))),
        ValueError,
        ["'weights'", "Dirichlet", "use free parameters"],
    ),
    "Cholesky prior": (
        lambda: anb.Model(matrix=dist.LKJCholesky(3, 1.0)),
        ValueError,
        ["'matrix'", "LKJCholesky", "use free parameters"],
    ),
    "missing argument of a component": (
        lambda: anb.Model(Gaussian, centre=NORMAL),
        TypeError,
        ["Gaussian(centre, sigma)", "got centre", "missing", "'sigma'"],
    ),
    "unknown argument of a component": (
        lambda: anb.Model(Gaussian, centre=NORMAL, sigma=1.0, width=1.0),
        TypeError,
        ["Gaussian(centre, sigma)", "width"],
    ),
    "component that is no class": (
        lambda: anb.Model(SCIPY_NORMAL),
        TypeError,
        ["expected a class", "rv_continuous_frozen", "Model(slope=...)"],
    ),
    "name that is no identifier": (
        lambda: anb.Model(**{r"\theta": NORMAL}),
        ValueError,
        ["identifier", r"\theta", "label="],
    ),
    "no model at all": (
        lambda: anb.Model.of(MAPPING),
        TypeError,
        ["a Model or a Collection", "dict", "ampynb.Model(name=prior, ...)"],
    ),
    "prior without draws": (
        lambda: anb.Model(a=dist.ImproperUniform(dist.constraints.real, (), ())),
        (TypeError, ValueError),
        ["expected", "ImproperUniform"],
    ),
    "prior without draws, expanded": (
        lambda: anb.Model(
            a=dist.ImproperUniform(dist.constraints.real, (), ()).expand([2])
        ),
        (TypeError, ValueError),
        ["expected", "ImproperUniform"],
    ),
    "name of a dimension of ArviZ": (
        lambda: anb.Model(draw=NORMAL),
        ValueError,
        ["'draw'", "chain", "something else"],
    ),
    "tie between shapes": (
        lambda: anb.Model(a=NORMAL.expand([3]), b=NORMAL).tie(b="a"),
        ValueError,
        ["'b'", "'a'", "(3,)"],
    ),
}


@pytest.mark.parametrize(("misuse", "error", "words"), CASES.values(), ids=CASES)
def test_misuse_is_told(misuse, error, words):
    with pytest.raises(error) as told:
        misuse()
    for word in ["expected", "got", *words]:
        assert word in str(told.value)


def test_a_missing_value_of_an_instance_is_told():
    instance = MODEL.instance_from_vector(np.zeros(2))
    with pytest.raises(AttributeError, match=r"slope, inner; got 'slpe'"):
        instance.slpe  # noqa: B018
    assert not hasattr(instance, "__array__")
