"""The table: names, order and kinds of parameters, and the models made from others."""

import jax
import numpy as np
import numpyro.distributions as dist
import pytest

import ampynb as anb

NORMAL = dist.Normal(0.0, 1.0)


def nested_model() -> anb.Model:
    lens = anb.Model(
        theta_E=anb.Parameter(dist.Uniform(0.5, 2.0), unit="arcsec", label=r"\theta_E"),
        centre=anb.Parameter(NORMAL.expand([2]), unit="arcsec", label="c"),
    )
    return anb.Model(
        zeta=NORMAL,
        lens=lens,
        redshift=0.5,
        alpha=anb.Parameter(dist.LogUniform(0.1, 10.0), unit="mJy"),
    )


def test_the_vector_is_in_the_order_of_declaration():
    model = nested_model()
    assert model.names == [
        "zeta",
        "lens.theta_E",
        "lens.centre[0]",
        "lens.centre[1]",
        "alpha",
    ]
    assert model.ndim == 5
    assert model.units == ["", "arcsec", "arcsec", "arcsec", "mJy"]
    assert model.labels == ["zeta", r"$\theta_E$", "${c}_{0}$", "${c}_{1}$", "alpha"]
    assert model.bounds.tolist() == [
        [-np.inf, np.inf],
        [0.5, 2.0],
        [-np.inf, np.inf],
        [-np.inf, np.inf],
        [pytest.approx(0.1), pytest.approx(10.0)],
    ]


def test_an_instance_is_nested_like_the_model():
    instance = nested_model().instance_from_vector(np.arange(5.0))
    assert instance.zeta == 0.0
    assert instance.lens.theta_E == 1.0
    assert instance.lens.centre.tolist() == [2.0, 3.0]
    assert instance.redshift == 0.5
    assert instance.alpha == 4.0
    assert instance["lens.theta_E"] == 1.0


def test_matrices_are_named_and_read_row_by_row():
    model = anb.Model(weights=NORMAL.expand([2, 2]))
    assert model.names == [
        "weights[0,0]",
        "weights[0,1]",
        "weights[1,0]",
        "weights[1,1]",
    ]
    instance = model.instance_from_vector(np.arange(4.0))
    assert instance.weights.tolist() == [[0.0, 1.0], [2.0, 3.0]]


def test_a_collection_by_name_is_a_model():
    collection = anb.Collection(first=anb.Model(a=NORMAL), b=NORMAL)
    assert anb.Model(collection).names == ["first.a", "b"]
    assert anb.Model.of(collection).names == ["first.a", "b"]


def test_a_collection_by_position_is_read_by_position():
    lines = anb.Collection(anb.Model(a=NORMAL), anb.Model(a=NORMAL, b=NORMAL))
    model = anb.Model(lines=lines, offset=NORMAL)
    assert model.names == ["lines.0.a", "lines.1.a", "lines.1.b", "offset"]
    instance = model.instance_from_vector(np.arange(4.0))
    assert instance.lines[0].a == 0.0
    assert instance.lines[1].b == 2.0
    assert [line.a for line in instance.lines] == [0.0, 1.0]
    assert len(instance.lines) == 2


CONTAINERS = {
    "a tuple": (lambda: (NORMAL, anb.Parameter(2.0)), (1.0, 2.0), ["c.0"]),
    "a list": (
        lambda: [NORMAL, anb.Model(a=NORMAL)],
        [1.0, anb.Instance(a=2.0)],
        ["c.0", "c.1.a"],
    ),
    "a dictionary": (
        lambda: {"r": NORMAL, "g": (NORMAL, NORMAL)},
        {"r": 1.0, "g": (2.0, 3.0)},
        ["c.r", "c.g.0", "c.g.1"],
    ),
    "a collection of them": (
        lambda: anb.Collection((NORMAL, NORMAL), {"g": NORMAL}, [NORMAL]),
        anb.Instance(**{"0": (1.0, 2.0), "1": {"g": 3.0}, "2": [4.0]}),
        ["c.0.0", "c.0.1", "c.1.g", "c.2.0"],
    ),
}


@pytest.mark.parametrize(
    ("make", "value", "names"), CONTAINERS.values(), ids=CONTAINERS
)
def test_containers_are_in_the_instance_as_they_are_written(make, value, names):
    model = anb.Model(c=make())
    assert model.names == names
    vector = 1.0 + np.arange(model.ndim)
    instance = model.instance_from_vector(vector)
    assert type(instance.c) is type(value)
    assert instance.c == value
    assert model.vector_from_instance(instance).tolist() == vector.tolist()
    assert model.fix({names[0]: 7.0}).names == names[1:]


def test_a_component_can_be_tied_to_another():
    part = anb.Model(a=NORMAL, inner=anb.Model(b=NORMAL))
    model = anb.Model(first=part, second=part, c=NORMAL).tie(second="first")
    assert model.names == ["first.a", "first.inner.b", "c"]
    instance = model.instance_from_vector(np.array([1.0, 2.0, 3.0]))
    assert instance.second == instance.first


def test_the_order_of_the_vector_is_that_of_declaration_whatever_is_exchanged():
    """In PyAutoFit a prior that is exchanged moves to the end of the vector."""
    model = nested_model()
    names = model.names
    for name, prior in {
        "zeta": dist.Uniform(0.0, 1.0),
        "lens.theta_E": dist.LogNormal(0.0, 1.0),
        "lens.centre": dist.Uniform(-1.0, 1.0).expand([2]),
        "alpha": lambda m: dist.Normal(m.zeta, 1.0),
    }.items():
        model = model.with_priors({name: prior})
        assert model.names == names
    freed = model.fix(zeta=1.0).tie({"alpha": "lens.theta_E"}).fix({"lens.centre": 1.0})
    assert freed.names == ["lens.theta_E"]
    again = freed.with_priors(
        {"alpha": NORMAL, "lens.centre": NORMAL.expand([2]), "zeta": NORMAL}
    )
    assert again.names == names
    z = np.arange(5.0)
    found = np.asarray(again.constrain(z))
    np.testing.assert_allclose(np.delete(found, 1), np.delete(z, 1))


def test_fixed_and_tied_parameters_are_in_the_table_and_not_in_the_vector():
    model = anb.Model(a=NORMAL, b=2.0, c=NORMAL).tie(c="a")
    assert [(row.name, row.kind) for row in model.rows] == [
        ("a", "free"),
        ("b", "fixed"),
        ("c", "tied"),
    ]
    assert model.names == ["a"]
    instance = model.instance_from_vector(np.array([7.0]))
    assert (instance.a, instance.b, instance.c) == (7.0, 2.0, 7.0)


def test_fixed_arrays_keep_their_shape():
    model = anb.Model(a=NORMAL, table=np.arange(6).reshape(2, 3))
    instance = model.instance_from_vector(np.zeros(1))
    assert instance.table.tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]


CHANGES = {
    "fix": (lambda model: model.fix(a=3.0), ["b", "inner.c"]),
    "fix by dotted name": (lambda model: model.fix({"inner.c": 3.0}), ["a", "b"]),
    "tie": (lambda model: model.tie(b="a"), ["a", "inner.c"]),
    "tie by dotted name": (lambda model: model.tie({"inner.c": "a"}), ["a", "b"]),
    "free again": (
        lambda model: model.fix(a=3.0).with_priors(a=dist.Uniform(0.0, 1.0)),
        ["a", "b", "inner.c"],
    ),
}


@pytest.mark.parametrize(("change", "names"), CHANGES.values(), ids=CHANGES)
def test_changes_make_a_new_model_and_leave_the_old_one(change, names):
    model = anb.Model(a=NORMAL, b=NORMAL, inner=anb.Model(c=NORMAL))
    before = repr(model), model.bounds.tolist()
    assert change(model).names == names
    assert (repr(model), model.bounds.tolist()) == before
    assert model.names == ["a", "b", "inner.c"]


def test_a_new_prior_keeps_unit_and_label():
    parameter = anb.Parameter(NORMAL, unit="mJy", label="F")
    model = anb.Model(flux=parameter).with_priors(flux=dist.Uniform(0.0, 1.0))
    assert (model.units, model.labels) == (["mJy"], ["$F$"])
    assert model.bounds.tolist() == [[0.0, 1.0]]


def test_a_model_with_ties_can_be_nested():
    inner = anb.Model(a=NORMAL, b=NORMAL).tie(b="a")
    model = anb.Model(first=inner, second=inner)
    assert model.names == ["first.a", "second.a"]
    instance = model.instance_from_vector(np.array([1.0, 2.0]))
    assert (instance.first.b, instance.second.b) == (1.0, 2.0)


def test_prior_medians_are_known():
    model = anb.Model(
        a=dist.Normal(3.0, 2.0),
        b=dist.Uniform(0.0, 4.0),
        c=dist.LogUniform(0.1, 10.0),
        d=5.0,
    )
    instance = model.instance_from_prior_medians()
    found = [instance.a, instance.b, instance.c, instance.d]
    np.testing.assert_allclose(found, [3.0, 2.0, 1.0, 5.0], rtol=1e-12)


def test_the_prior_interval_holds_its_mass():
    model = anb.Model(a=NORMAL, b=dist.Uniform(0.0, 1.0), c=dist.Gamma(1.0, 1.0))
    interval = model.prior_interval(0.9)
    np.testing.assert_allclose(interval[0], [-1.6448536, 1.6448536], rtol=1e-6)
    np.testing.assert_allclose(interval[1], [0.05, 0.95], rtol=1e-6)
    np.testing.assert_allclose(interval[2], -np.log([0.95, 0.05]), rtol=1e-9)


@pytest.mark.parametrize("name", ["weights", "weights[1]"])
def test_a_prior_is_found_by_the_name_of_its_parameter_or_element(name):
    model = anb.Model(a=NORMAL, weights=dist.Uniform(0.0, 2.0).expand([2]))
    prior = model.prior_of(name)
    assert prior.batch_shape == (2,)
    np.testing.assert_allclose(prior.mean, [1.0, 1.0])


def test_a_moved_prior_does_not_compile_again():
    traces = []

    @jax.jit
    def log_prior(model, vector):
        traces.append(model.names)
        return model.log_prior(vector)

    model = anb.Model(a=dist.Normal(0, 1), b=dist.Uniform(0.0, 1.0), c=1.0)
    moved = model.with_priors(a=dist.Normal(3.0, 2.0)).fix(c=7)
    relabelled = anb.Model(
        a=anb.Parameter(NORMAL, unit="s", label="A"), b=dist.Uniform(0.0, 1.0), c=1.0
    )
    values = [float(log_prior(m, np.array([3.0, 0.5]))) for m in (model, moved)]
    log_prior(relabelled, np.array([3.0, 0.5]))
    normal = -0.5 * np.log(2 * np.pi)
    np.testing.assert_allclose(values, [normal - 4.5, normal - np.log(2.0)])
    assert len(traces) == 1
    log_prior(model.with_priors(a=dist.Cauchy(0.0, 1.0)), np.array([3.0, 0.5]))
    assert len(traces) == 2


@pytest.mark.parametrize("view", [repr, anb.Model._repr_html_], ids=["repr", "HTML"])
def test_views_name_every_parameter(view):
    text = view(nested_model().tie(zeta="alpha"))
    for word in ("zeta", "lens.theta_E", "lens.centre", "redshift", "alpha"):
        assert word in text
    for word in ("free", "fixed", "tied", "= alpha", "arcsec", "mJy", "LogUniform"):
        assert word in text


def test_html_is_escaped():
    text = anb.Model(a=anb.Parameter(NORMAL, unit="<b>&"))._repr_html_()
    assert "&lt;b&gt;&amp;" in text
    assert "<b>&" not in text


def test_a_parameter_prints_as_it_is_written():
    parameter = anb.Parameter(dist.Normal(0, 10), unit="mJy", label="m")
    assert (
        repr(parameter) == "Parameter(Normal(loc=0, scale=10), unit='mJy', label='m')"
    )


def test_a_collection_prints_its_entries():
    assert repr(anb.Collection(1, b=2)) == "Collection(0=1, b=2)"


def test_instances_compare_by_names_and_values():
    first = anb.Instance(a=1.0, b=np.arange(2))
    assert first == anb.Instance(a=1.0, b=np.arange(2))
    assert first != anb.Instance(a=1.0, b=np.arange(1, 3))
    assert first != anb.Instance(a=1.0, c=np.arange(2))
    assert repr(first) == "Instance(a=1, b=[0 1])"


def test_a_model_survives_a_tree_map():
    model = jax.tree_util.tree_map(lambda leaf: leaf, nested_model())
    assert "theta_E" in repr(model)
    assert model.fix(zeta=1.0).ndim == 4


def test_a_new_prior_may_bring_its_own_unit():
    model = anb.Model(a=anb.Parameter(dist.Normal(0, 1), unit="m"))
    changed = model.with_priors(a=anb.Parameter(dist.Normal(0, 1), unit="km"))
    assert changed.units == ["km"]
    assert model.with_priors(a=dist.Normal(0, 2)).units == ["m"]
