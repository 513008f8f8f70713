"""Functions of other values: derived parameters, and priors that depend on others."""

import pickle
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from scipy import stats

import ampynb as anb

NORMAL = dist.Normal(0.0, 1.0)


def kinds(model: anb.Model) -> dict[str, str]:
    return {row.name: row.kind for row in model.rows}


def half_of_a(m):
    return m.a / 2


class Ellipse:
    def __init__(self, axes, angle=0.0):
        self.axes, self.angle = axes, angle


# Derived parameters


def test_a_derived_parameter_is_in_the_table_and_the_instance_not_in_the_vector():
    model = anb.Model(
        a=NORMAL, b=NORMAL, c=anb.Parameter(lambda m: m.a + 2 * m.b, unit="mJy")
    )
    assert kinds(model) == {"a": "free", "b": "free", "c": "derived"}
    assert model.names == ["a", "b"]
    assert model.rows[2].unit == "mJy"
    assert model.instance_from_vector(np.array([3.0, 5.0])).c == 13.0
    batch = jax.jit(jax.vmap(model.instance_from_vector))(
        jnp.array([[3.0, 5.0], [1.0, 1.0]])
    )
    assert batch.c.tolist() == [13.0, 3.0]


def test_a_derived_parameter_has_a_gradient():
    model = anb.Model(a=NORMAL, b=NORMAL, c=lambda m: m.a * jnp.exp(m.b))
    slope = jax.jit(jax.grad(lambda vector: model.instance_from_vector(vector).c))
    expected = [np.exp(0.5), 2.0 * np.exp(0.5)]
    np.testing.assert_allclose(slope(jnp.array([2.0, 0.5])), expected)


def test_numpy_in_numpy_out():
    model = anb.Model(a=NORMAL, b=half_of_a, c=NORMAL.expand([2]), d=lambda m: 2 * m.c)
    instance = model.instance_from_vector(np.array([1.0, 2.0, 3.0]))
    assert isinstance(instance.b, np.ndarray)
    assert instance.d.tolist() == [4.0, 6.0]


def test_derived_parameters_have_no_density_and_no_prior_draws():
    plain = anb.Model(a=NORMAL)
    model = anb.Model(a=NORMAL, b=half_of_a)
    vector, key = np.array([0.7]), jax.random.key(0)
    assert model.log_prior(vector) == plain.log_prior(vector)
    assert np.array_equal(model.sample_prior(key, 5), plain.sample_prior(key, 5))
    with pytest.raises(ValueError, match="expected a parameter of the model"):
        model.prior_of("b")


CHAIN: dict[str, Any] = {
    "of a fixed one": (dict(a=NORMAL, b=2.0, c=lambda m: m.a * m.b), 6.0),
    "of one above": (dict(a=NORMAL, b=half_of_a, c=lambda m: m.b * 4), 6.0),
    "before what it uses": (dict(c=lambda m: 2 * m.a, a=NORMAL), 6.0),
    "of none": (dict(a=NORMAL, c=lambda m: 4.0), 4.0),
    "of a vector": (
        dict(a=NORMAL, b=np.array([1.0, 2.0]), c=lambda m: jnp.sum(m.a * m.b)),
        9.0,
    ),
    "of a model within": (
        dict(inner=anb.Model(a=NORMAL), c=lambda m: m.inner.a - 1.0),
        2.0,
    ),
    "of a collection": (
        dict(
            inner=anb.Collection(anb.Model(a=NORMAL), anb.Model(a=4.0)),
            c=lambda m: sum(one.a for one in m.inner) + m.inner[1].a,
        ),
        11.0,
    ),
    "of a tuple": (dict(pair=(NORMAL, 2.0), c=lambda m: m.pair[0] * m.pair[1]), 6.0),
    "of a dotted name": (
        dict(inner=anb.Model(a=NORMAL), c=lambda m: m["inner.a"]),
        3.0,
    ),
}


@pytest.mark.parametrize(("entries", "expected"), CHAIN.values(), ids=CHAIN)
def test_a_function_sees_what_is_known(entries, expected):
    model = anb.Model(**entries)
    assert model.ndim == 1
    assert model.instance_from_vector(np.array([3.0])).c == pytest.approx(expected)


def test_a_function_sees_the_model_that_it_is_written_in():
    inner = anb.Model(a=NORMAL, b=half_of_a)
    model = anb.Model(
        a=NORMAL,
        first=inner,
        pair=(anb.Model(inner=inner), lambda m: m.a * 10),
        group=anb.Collection(a=NORMAL, b=half_of_a),
    ).tie({"first.a": lambda m: 100 * m.group.a})
    assert model.names == ["a", "pair.0.inner.a", "group.a"]
    instance = model.instance_from_vector(np.array([1.0, 2.0, 4.0]))
    assert instance.first.a == 400.0
    assert instance.first.b == 200.0
    assert instance.pair[0].inner.b == 1.0
    assert instance.pair[1] == 10.0
    assert instance.group.b == 2.0


def test_a_component_takes_derived_arguments():
    model = anb.Model(Ellipse, axes=(NORMAL, lambda m: 2 * m.axes[0]))
    instance = jax.jit(model.instance_from_vector)(np.array([1.5]))
    assert type(instance) is Ellipse
    assert instance.axes == (1.5, 3.0)


def test_a_parameter_may_be_tied_to_a_derived_one():
    model = anb.Model(a=NORMAL, b=half_of_a, c=NORMAL).tie(c="b")
    assert model.instance_from_vector(np.array([3.0])).c == 1.5


def test_a_derived_parameter_can_be_freed_and_a_free_one_derived():
    model = anb.Model(a=NORMAL, b=anb.Parameter(half_of_a, unit="s", label="B"))
    freed = model.with_priors(b=dist.Uniform(0.0, 1.0))
    assert freed.names == ["a", "b"]
    assert (freed.units[1], freed.labels[1]) == ("s", "$B$")
    again = freed.tie(b=half_of_a)
    assert kinds(again) == kinds(model)
    assert repr(again) == repr(model)


# Priors that depend on other parameters


def hierarchical() -> anb.Model:
    return anb.Model(
        theta=lambda m: dist.Normal(m.mean, m.spread).expand([2]),
        mean=dist.Normal(1.0, 2.0),
        spread=dist.HalfNormal(0.5),
        top=lambda m: dist.Uniform(m.mean, m.mean + m.spread),
    )


def test_such_a_prior_makes_a_free_parameter():
    model = hierarchical()
    assert model.names == ["theta[0]", "theta[1]", "mean", "spread", "top"]
    assert set(kinds(model).values()) == {"free"}
    prior = model.prior_of("theta[1]")
    np.testing.assert_allclose(prior.mean, [1.0, 1.0])
    np.testing.assert_allclose(np.sqrt(prior.variance), stats.halfnorm.median(0, 0.5))


def test_its_density_is_the_conditional_one():
    vector = np.array([0.3, 1.9, 0.8, 0.4, 1.1])
    expected = (
        stats.norm.logpdf(vector[:2], 0.8, 0.4).sum()
        + stats.norm.logpdf(0.8, 1.0, 2.0)
        + stats.halfnorm.logpdf(0.4, scale=0.5)
        - np.log(0.4)
    )
    log_prior = jax.jit(hierarchical().log_prior)
    assert float(log_prior(vector)) == pytest.approx(expected)


def test_outside_what_it_depends_on_all_is_minus_infinity_and_gradients_are_finite():
    log_prior = jax.jit(jax.value_and_grad(hierarchical().log_prior))
    for vector in ([0.3, 1.9, 0.8, -0.4, 1.0], [0.3, 1.9, 0.8, 0.4, 3.0]):
        value, slope = log_prior(jnp.array(vector))
        assert value == -np.inf
        assert np.all(np.isfinite(slope))


def test_its_coordinates_are_inverse_and_have_their_jacobian():
    model = hierarchical()

    @jax.jit
    def at(z):
        vector = model.constrain(z)
        matrix = jax.jacfwd(model.constrain)(z)
        return vector, model.unconstrain(vector), matrix, model.log_jacobian(z)

    for seed in range(3):
        z = np.random.default_rng(seed).normal(size=5)
        vector, again, matrix, log_jacobian = at(z)
        assert vector[2] < vector[4] < vector[2] + vector[3]
        np.testing.assert_allclose(again, z, atol=1e-9)
        _, expected = np.linalg.slogdet(matrix)
        assert float(log_jacobian) == pytest.approx(float(expected))


def test_the_cube_is_mapped_by_conditional_quantiles():
    u = np.array([0.3, 0.6, 0.2, 0.9, 0.25])
    mean, spread = stats.norm.ppf(0.2, 1.0, 2.0), stats.halfnorm.ppf(0.9, 0.0, 0.5)
    expected = [
        *stats.norm.ppf([0.3, 0.6], mean, spread),
        mean,
        spread,
        mean + 0.25 * spread,
    ]
    found = jax.jit(hierarchical().prior_transform)(u)
    np.testing.assert_allclose(found, expected, rtol=1e-8)


def test_its_draws_are_conditional_ones():
    model = hierarchical()
    theta, other, mean, spread, top = np.asarray(
        model.sample_prior(jax.random.key(0), 4000)
    ).T
    for scaled in ((theta - mean) / spread, (other - mean) / spread):
        assert stats.kstest(scaled, stats.norm.cdf).pvalue > 1e-3
    assert stats.kstest((top - mean) / spread, stats.uniform.cdf).pvalue > 1e-3
    assert (
        abs(np.corrcoef((theta - mean) / spread, (other - mean) / spread)[0, 1]) < 0.07
    )


def test_bounds_that_depend_on_others_are_open():
    model = anb.Model(
        low=dist.Uniform(0.0, 1.0),
        high=lambda m: dist.Uniform(m.low, 3.0),
        size=lambda m: dist.TruncatedNormal(m.low, 1.0, low=0.5),
    )
    expected = [[0.0, 1.0], [-np.inf, 3.0], [0.5, np.inf]]
    np.testing.assert_allclose(model.bounds, expected)


def test_its_interval_is_that_of_the_marginal_prior():
    """With a normal mean, a normal prior is normal with both variances."""
    model = anb.Model(mean=NORMAL, theta=lambda m: dist.Normal(m.mean, 2.0))
    expected = stats.norm.interval(0.9, scale=[1.0, np.sqrt(5.0)])
    np.testing.assert_allclose(
        model.prior_interval(0.9), np.transpose(expected), atol=0.1
    )


def test_priors_may_depend_on_a_vector_element_by_element():
    model = anb.Model(mean=NORMAL.expand([3]), theta=lambda m: dist.Normal(m.mean, 0.1))
    vector = np.array([1.0, 2.0, 3.0, 1.1, 2.0, 2.9])
    expected = stats.norm.logpdf(vector[:3]).sum()
    expected += stats.norm.logpdf(vector[3:], vector[:3], 0.1).sum()
    assert float(model.log_prior(vector)) == pytest.approx(expected)


def test_a_population_shares_one_function():
    def of_slope(m):
        return dist.Normal(m.mean, 0.1)

    members = anb.Collection(*(anb.Model(slope=NORMAL) for _ in range(3)))
    names = [f"members.{i}.slope" for i in range(3)]
    model = anb.Model(members=members, mean=NORMAL)
    model = model.with_priors(dict.fromkeys(names, of_slope))
    vector = np.array([1.0, 1.1, 0.9, 1.0])
    expected = stats.norm.logpdf(vector[:3], 1.0, 0.1).sum() + stats.norm.logpdf(1.0)
    assert model.names == [*names, "mean"]
    assert float(model.log_prior(vector)) == pytest.approx(expected)


# Programs: what a function computes, and when it was read


def programs(traces: list) -> Any:
    @jax.jit
    def log_prior(model, vector):
        traces.append(model.names)
        return model.log_prior(vector) + model.instance_from_vector(vector).c

    return log_prior


def of_cell(scale: float = 2.0, table: Any = None, power: int = 1) -> anb.Model:
    """Return what a cell makes when it is run: with functions of its own."""
    table = np.ones(3) if table is None else table

    def derived(m):
        return jnp.sum(scale * m.a * table) ** power

    return anb.Model(
        a=NORMAL, b=lambda m: dist.Normal(m.a, 1.0), c=derived
    ).with_assertions(positive=lambda m: m.c > 0)


def test_a_cell_that_is_run_again_compiles_nothing():
    traces: list = []
    log_prior = programs(traces)
    vector = np.array([0.5, 0.0])
    first = float(log_prior(of_cell(), vector))
    assert float(log_prior(of_cell(), vector)) == first
    assert len(traces) == 1
    other = float(log_prior(of_cell(table=np.full(3, 2.0)), vector))
    assert other == pytest.approx(first + 3.0)  # its arrays are arguments
    assert len(traces) == 1


def test_a_function_that_computes_something_else_compiles_again():
    traces: list = []
    log_prior = programs(traces)
    vector = np.array([0.5, 0.0])
    first = float(log_prior(of_cell(), vector))
    assert float(log_prior(of_cell(scale=3.0), vector)) == pytest.approx(first + 1.5)
    assert float(log_prior(of_cell(power=2), vector)) == pytest.approx(first + 6.0)
    assert len(traces) == 3


def test_a_function_is_read_when_the_model_is_made():
    table = np.ones(3)
    model = of_cell(table=table)
    table[:] = 100.0
    vector = np.array([0.5, 0.0])
    assert float(model.instance_from_vector(vector).c) == 3.0
    assert float(jax.jit(model.instance_from_vector)(vector).c) == 3.0
    assert float(model.fix(b=0.0).instance_from_vector(vector[:1]).c) == 300.0


def test_programs_depend_on_what_is_used_alone():
    small = anb.Model(a=NORMAL, c=lambda m: 2 * m.a)
    large = anb.Model(z=NORMAL, a=NORMAL, c=lambda m: 2 * m.a, b=NORMAL)
    same, other = small.entry("c")[1], large.entry("c")[1]
    assert same.program == other.program
    assert same.digest == other.digest
    assert anb.Model(a=NORMAL, c=lambda m: 3 * m.a).entry("c")[1].digest != same.digest


def test_a_model_with_functions_survives_jax_and_a_pickle():
    model = anb.Model(a=NORMAL, inner=anb.Model(d=NORMAL, b=half_of_a, a=NORMAL))
    model = model.tie({"inner.d": half_of_a})
    leaves, structure = jax.tree_util.tree_flatten(model)
    rebuilt = jax.tree_util.tree_unflatten(structure, leaves)
    for again in (pickle.loads(pickle.dumps(model)), rebuilt, rebuilt.fix({"a": 3.0})):
        instance = again.instance_from_vector(np.array([3.0, 8.0])[2 - again.ndim :])
        assert (instance.inner.d, instance.inner.b) == (1.5, 4.0)


def test_a_numpy_function_is_read_again_by_no_one_and_told():
    with pytest.raises(TypeError, match=r"written in JAX; .*np\.log\(m\.a\)"):
        anb.Model(a=NORMAL, b=lambda m: np.log(m.a))


# How they look

VIEWS = {
    "an expression": (lambda m: m.a + 2 * m.b, "= m.a + 2 * m.b"),
    "one in brackets": (lambda m: m.a - m.b, "= m.a - m.b"),
    "a named function": (half_of_a, "= half_of_a()"),
    "a prior": (lambda m: dist.Normal(m.a, m.b), "dist.Normal(m.a, m.b)"),
}


@pytest.mark.parametrize(("function", "text"), VIEWS.values(), ids=VIEWS)
def test_a_function_is_shown_as_it_is_written(function, text):
    model = anb.Model(a=NORMAL, b=NORMAL, c=function)
    assert text in repr(model)
    assert text in model._repr_html_()
    assert text.removeprefix("= ") in repr(anb.Parameter(function))


def test_a_function_without_source_is_shown_as_one():
    function = eval("lambda m: 2 * m.a")
    assert "= a lambda" in repr(anb.Model(a=NORMAL, b=function))
