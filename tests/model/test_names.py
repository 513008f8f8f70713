"""Parameter names: any that Python reads as an attribute works, others are refused."""

import jax
import numpy as np
import numpyro.distributions as dist
import pytest

import ampynb as anb

NORMAL = dist.Normal(0.0, 1.0)
MICRO, MU = "\u00b5", "\u03bc"  # Python reads both as the second


@pytest.mark.parametrize("name", ["self", "names", "a_dim_0", "beta", "_", "Lens", MU])
def test_a_name_works_in_every_map(name):
    model = anb.Model(**{name: NORMAL, "b": NORMAL})
    assert model.names == [name, "b"]
    instance = model.instance_from_vector(np.array([1.0, 2.0]))
    assert getattr(instance, name) == instance[name] == 1.0
    assert len(jax.tree_util.tree_leaves(instance)) == 2
    assert model.fix({name: 3.0}).names == ["b"]
    assert anb.Model(anb.Collection(**{name: NORMAL})).names == [name]
    assert model.prior_of(name) is not None


def test_both_code_points_of_mu_are_one_name():
    model = anb.Model(**{MICRO: NORMAL, "b": NORMAL})
    assert model.names == [MU, "b"]
    for name in (MICRO, MU):
        assert model.fix({name: 1.0}).names == ["b"]
        assert model.tie({name: "b"}).names == ["b"]
        assert model.tie(b=name).names == [MU]
        assert model.prior_of(name) is model.prior_of(MU)
        assert model.instance_from_vector(np.zeros(2))[name] == 0.0
    with pytest.raises(ValueError, match="expected names that differ"):
        anb.Model(**{MICRO: NORMAL, MU: NORMAL})


@pytest.mark.parametrize("name", ["lambda", "class", "tree_unflatten", "__class__"])
def test_a_name_that_cannot_be_an_attribute_is_refused(name):
    with pytest.raises(ValueError, match=f"attribute.*got '{name}'.*write {name}_"):
        anb.Model(**{name: NORMAL})
    # An entry of a dictionary is read by its key.
    model = anb.Model(group={name: NORMAL})
    assert model.instance_from_vector(np.ones(1)).group[name] == 1.0


TIES = {
    "two": dict(a="b", b="a"),
    "three": dict(a="b", b="c", c="a"),
    "itself": dict(a="a"),
}


@pytest.mark.parametrize("ties", TIES.values(), ids=TIES)
def test_a_circle_of_ties_is_named(ties):
    model = anb.Model(a=NORMAL, b=NORMAL, c=NORMAL)
    with pytest.raises(ValueError, match=r"circle 'a' = 'b'|'a' itself"):
        model.tie(**ties)
