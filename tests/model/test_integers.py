"""Fixed integers stay integers, as for counts and indices."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest

import ampynb as anb

NORMAL = dist.Normal(0.0, 1.0)


class Sum(anb.Analysis):
    def fit_from(self, instance):
        power = sum(instance.inner.a**k for k in range(instance.n))
        return anb.GaussianFit(jnp.arange(5.0)[instance.n], 1.0, power)


class Pair:
    def __init__(self, a, n):
        self.a, self.n = a, n


@pytest.mark.parametrize("n", [3, np.int32(3), np.array(2)])
def test_a_fixed_integer_counts_and_indexes_in_compiled_code(n):
    model = anb.Model(inner=anb.Model(a=NORMAL), n=n)
    posterior = anb.Posterior(Sum(), model)
    value = jax.jit(lambda p, x: p.log_likelihood(x))(posterior, np.array([2.0]))
    power = sum(2.0**k for k in range(int(n)))
    expected = -0.5 * (int(n) - power) ** 2 - 0.5 * np.log(2 * np.pi)
    assert float(value) == pytest.approx(expected)
    many = jax.vmap(posterior.log_likelihood)(jnp.array([[2.0], [2.0]]))
    np.testing.assert_allclose(many, expected)
    instance = model.instance_from_vector(np.array([2.0]))
    fit = posterior.analysis.fit_for_visualization(instance)
    assert float(fit.log_likelihood) == pytest.approx(expected)
    batch = jax.vmap(model.instance_from_vector)(np.array([[2.0], [2.0]]))
    fits = posterior.analysis.fits_for_visualization(batch)
    np.testing.assert_allclose(fits.model, power)


def test_a_changed_integer_is_never_stale_and_a_changed_float_compiles_nothing():
    traced = []

    @jax.jit
    def total(model, vector):
        traced.append(1)
        instance = model.instance_from_vector(vector)
        return sum(instance.a + instance.b for _ in range(instance.n))

    model = anb.Model(a=NORMAL, b=0.5, n=3)
    vector = np.array([1.0])
    assert float(total(model, vector)) == 4.5
    assert float(total(model.fix(b=1.0), vector)) == 6.0
    assert len(traced) == 1
    assert float(total(model.fix(n=2), vector)) == 3.0
    assert float(total(model, vector)) == 4.5


def test_a_component_a_function_and_a_tie_take_integers():
    model = anb.Model(
        pair=anb.Model(Pair, a=NORMAL, n=2), m=4, half=lambda m: m.m / 2 * m.pair.a
    ).tie(m="pair.n")
    instance = model.instance_from_vector(np.array([1.5]))
    assert list(range(instance.pair.n)) == list(range(instance.m)) == [0, 1]
    assert float(instance.half) == 1.5
    leaves = jax.tree_util.tree_leaves(instance)
    assert [float(leaf) for leaf in leaves] == [1.5, 1.5]


def test_a_function_and_an_assertion_count_and_index_with_integers():
    model = anb.Model(
        n=3,
        group=np.array([2, 0]),
        a=dist.Normal(0.0, 1.0).expand([3]),
        total=lambda m: sum(m.a[k] for k in range(m.n)),
        of_groups=lambda m: m.a[m.group],
        scaled=lambda m: dist.Normal(m.a[m.n - 1], 1.0),
    ).with_assertions(rising=lambda m: all(range(1, m.n)) & (m.a[m.n - 1] > 0))
    vector = np.array([1.0, 2.0, 4.0, 5.0])
    instance = model.instance_from_vector(vector)
    assert float(instance.total) == 7.0
    np.testing.assert_array_equal(instance.of_groups, [4.0, 1.0])
    np.testing.assert_array_equal(instance.a[instance.group], [4.0, 1.0])
    expected = dist.Normal(0.0, 1.0).log_prob(vector[:3]).sum()
    expected += dist.Normal(4.0, 1.0).log_prob(5.0)
    assert float(jax.jit(model.log_prior)(vector)) == pytest.approx(float(expected))
    fewer = model.fix(n=1, group=np.array([1]))
    assert float(fewer.instance_from_vector(vector).total) == 1.0


def test_a_function_of_integers_gives_one_and_of_others_a_float():
    model = anb.Model(
        a=NORMAL,
        n=3,
        places=np.array([0, 2]),
        more=lambda m: m.n + 1,
        twice=lambda m: sum(2 for _ in range(m.more)),
        half=lambda m: m.n / 2,
        scaled=lambda m: m.n * m.a,
        step=lambda m: jnp.where(m.a > 0, 1, 0),
        after=lambda m: m.places + 1,
    ).with_assertions(few=lambda m: len(range(m.twice)) > m.a)
    model = anb.Model(inner=model, same=4.0).tie(same="inner.more")
    vector = np.array([0.5])

    def computed(model, vector):
        one = model.instance_from_vector(vector)
        count = sum(one.inner.a for _ in range(one.same + one.inner.twice))
        return count, jnp.arange(5.0)[one.inner.after], one.inner.half**-1

    compiled = jax.jit(computed)
    for found in (computed(model, vector), compiled(model, vector)):
        for got, expected in zip(found, (6.0, [1.0, 3.0], 2 / 3), strict=True):
            np.testing.assert_allclose(got, expected)
    inner = model.instance_from_vector(vector).inner
    assert {type(n).__mro__[1] for n in (inner.more, inner.twice)} == {int}
    for value in (inner.half, inner.scaled, inner.step):
        assert np.asarray(value).dtype == float
    assert float(compiled(model.fix({"inner.n": 5}), vector)[0]) == 9.0
    assert model.allows(vector) and not model.allows(np.array([9.0]))


def test_what_is_a_float_in_the_model_stays_one():
    model = anb.Model(a=NORMAL, b=dist.Uniform(0, 9), c=np.array([0.5, 1.5]), n=2)
    fixed = model.fix(b=5, c=np.array([1, 2]), n=3)
    instance = fixed.instance_from_vector(np.array([1.0]))
    assert (instance.b.dtype.kind, instance.c.dtype.kind) == ("f", "f")
    assert isinstance(instance.n, int) and instance.n == 3


@pytest.mark.parametrize("n", [1, 3])
def test_explorers_and_runs_take_counts(n, tmp_path):
    model = anb.Model(inner=anb.Model(a=NORMAL), n=n)
    explorer = anb.explore(Sum(), model)
    explorer.set(**{"inner.a": 1.0})
    expected = -0.5 * (n - n * 1.0) ** 2 - 0.5 * np.log(2 * np.pi)
    shown = float(explorer.numbers["ln likelihood"].replace("\N{MINUS SIGN}", "-"))
    assert shown == pytest.approx(expected, abs=0.01)
    explorer.close()
    engine = anb.InferenceEngine(Sum(), model, seed=1)
    result = engine.run(
        nwalkers=8, iterations=20, burn=20, progress="none", path=tmp_path / "run"
    )
    a = result.flat_draws[-1, 0]
    found = result.stats["log_likelihood"].ravel()[-1]
    residual = n - sum(a**k for k in range(n))
    assert found == pytest.approx(-0.5 * residual**2 - 0.5 * np.log(2 * np.pi))
    again = anb.open_run(tmp_path / "run", Sum(), model)
    np.testing.assert_array_equal(again.draws, result.draws)
    assert "log_likelihood" in again.idata


class Signed(anb.Analysis):
    def fit_from(self, instance):
        up = instance.a * jnp.array([1.0, 2.0, 3.0])[instance.index]
        model = jnp.where(~instance.down, up, -up)
        return anb.GaussianFit(
            jnp.array([2.0, 2.0, 8.0]), 1.0, model, mask=~instance.bad
        )


@pytest.mark.parametrize("is_down", [True, False, np.True_])
def test_truths_and_arrays_of_integers_stay_what_they_are(is_down):
    model = anb.Model(
        a=NORMAL, down=False, index=np.zeros(3, np.int32), bad=np.zeros(3, bool)
    )
    model = model.fix(
        down=is_down, index=np.array([1, 1, 2]), bad=np.array([False, False, True])
    )
    squares = 2 * (2.0 - 4.0 * (-1 if is_down else 1)) ** 2
    expected = -0.5 * squares - np.log(2 * np.pi)
    vector = np.array([2.0])
    log_likelihood = jax.jit(anb.Posterior.log_likelihood)
    found = log_likelihood(anb.Posterior(Signed(), model), vector)
    assert float(found) == pytest.approx(expected)
    instance = model.instance_from_vector(vector)
    assert bool(instance.down) is bool(is_down) and ~np.all(instance.bad[:2])
    fit = Signed().fit_for_visualization(instance)
    assert float(fit.log_likelihood) == pytest.approx(expected)
    batch = jax.vmap(model.instance_from_vector)(np.array([[2.0], [2.0]]))
    fits = Signed().fits_for_visualization(batch)
    np.testing.assert_allclose(fits.model, np.tile(fit.model, (2, 1)))
    explorer = anb.explore(Signed(), model)
    assert "ln likelihood" in explorer.numbers
    explorer.close()


def test_one_and_true_are_not_the_same_program():
    @jax.jit
    def is_a_truth(model, vector):
        flag = model.instance_from_vector(vector).flag
        return vector[0] + isinstance(flag, np.bool_)

    truth, one = anb.Model(a=NORMAL, flag=True), anb.Model(a=NORMAL, flag=1)
    vector = np.array([10.0])
    assert float(is_a_truth(one, vector)) == 10.0
    assert float(is_a_truth(truth, vector)) == 11.0
    assert truth.fix(flag=0).entry("flag")[1] is np.False_


def test_the_code_of_a_point_makes_it_with_its_counts():
    model = anb.Model(inner=anb.Model(a=NORMAL), n=2)
    explorer = anb.explore(Sum(), model)
    explorer.set(**{"inner.a": 0.5, "n": 4})
    names = {"model": model, "anb": anb, "np": np, "dist": dist}
    exec(explorer.code(), names)
    assert names["instance"] == explorer.point.instance
    assert isinstance(names["instance"].n, int) and names["instance"].n == 4
    explorer.close()
