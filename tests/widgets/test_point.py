import numpy as np
import numpyro.distributions as dist
import pytest

import ampynb as anb
from ampynb.widgets.point import Point, controls_of, default_prior


@pytest.fixture
def model():
    return anb.Model(
        slope=anb.Parameter(dist.LogUniform(0.1, 10.0), unit="mJy", label="m"),
        nest=anb.Collection(
            weights=anb.Parameter(dist.Normal(0, 1).expand([2]).to_event(1), label="w"),
            x0=3.0,
        ),
        width=dist.HalfNormal(1.0),
        long=np.zeros(50),
    )


@pytest.fixture
def point(model):
    return Point.at(model, model.instance_from_vector(np.array([1.0, 0.1, 0.2, 0.5])))


def test_each_element_has_a_control_with_label_unit_and_range(model):
    slope, first, second, x0, width = controls_of(model)
    assert (slope.element, slope.label, slope.unit) == ("slope", "$m$", "mJy")
    assert slope.interval == pytest.approx((0.1, 10.0))
    assert slope.logarithmic
    assert slope.grid(3) == pytest.approx([0.1, 1.0, 10.0])
    assert (first.element, first.parameter) == ("nest.weights[0]", "nest.weights")
    assert second.label == "${w}_{1}$"
    assert (first.group, x0.group, slope.group) == ("nest.weights", "nest", "")
    # The central 99 % of a normal, where the support is open.
    assert first.interval == pytest.approx((-2.5758, 2.5758), abs=1e-4)
    assert width.interval == pytest.approx((0.0, 2.8070), abs=1e-4)
    assert x0.interval == pytest.approx((0.3, 30.0))


def test_values_by_parameter_and_by_element(point):
    moved = point.moved({"nest.weights[1]": 7.0, "slope": 2.0})
    assert moved.vector.tolist() == [2.0, 0.1, 7.0, 0.5]
    assert moved.instance.nest.weights.tolist() == [0.1, 7.0]
    assert point.vector.tolist() == [1.0, 0.1, 0.2, 0.5]  # it is another point
    whole = point.moved({"nest.weights": [5, 6]})
    assert whole.elements["nest.weights[0]"] == 5.0


def test_a_parameter_can_be_fixed_and_freed(point):
    fixed = point.moved({"slope": 2.0}).with_fixed("slope")
    assert fixed.model.names == ["nest.weights[0]", "nest.weights[1]", "width"]
    assert fixed.instance.slope == 2.0
    assert fixed.moved({"slope": 3.0}).instance.slope == 3.0
    free = fixed.with_free("slope")
    assert free.model.names == point.model.names
    assert free.vector.tolist() == [2.0, 0.1, 0.2, 0.5]


def test_what_the_model_fixes_can_be_freed_with_a_prior(point):
    free = point.with_free("nest.x0")
    assert "nest.x0" in free.model.names
    assert free.instance.nest.x0 == 3.0
    prior = free.model.prior_of("nest.x0")
    assert (prior.low, prior.high) == pytest.approx((0.3, 30.0))
    own = point.with_free("nest.x0", dist.Normal(3, 1))
    assert own.model.prior_of("nest.x0").scale == 1
    again = free.with_fixed("nest.x0")
    assert again.model.names == point.model.names


def test_a_vector_sets_what_is_free(point):
    fixed = point.with_fixed("slope")
    moved = fixed.at_vector(np.array([4.0, 5.0, 6.0]))
    assert moved.instance.nest.weights.tolist() == [4.0, 5.0]
    assert (moved.instance.slope, moved.instance.width) == (1.0, 6.0)


@pytest.mark.parametrize("value", [-2.0, 0.0])
def test_the_prior_of_a_value_that_is_not_positive_is_normal(value):
    prior = default_prior(np.array(value))
    assert isinstance(prior, dist.Normal)
    assert (prior.loc, prior.scale) == (value, max(abs(value), 1.0))


def test_an_infinite_value_that_the_model_fixes_stays():
    model = anb.Model(a=dist.Normal(0.0, 1.0), degrees_of_freedom=np.inf)
    point = Point.at(model, model.instance_from_prior_medians()).rounded()
    assert point.instance.degrees_of_freedom == np.inf


def test_what_cannot_be_is_told(point):
    with pytest.raises(ValueError, match="did you mean 'slope'"):
        point.moved({"slop": 1.0})
    with pytest.raises(
        ValueError, match=r"shape \(2,\) for 'nest.weights'; got \(3,\)"
    ):
        point.moved({"nest.weights": [1, 2, 3]})
    for value in ("wide", [1.0, np.nan], [[1.0], [1.0, 2.0]]):
        with pytest.raises(ValueError, match=r"finite number for 'nest.weights'; got"):
            point.moved({"nest.weights": value})
    with pytest.raises(ValueError, match="expected a parameter of the model"):
        point.with_free("long")
    two = point.with_fixed("slope").with_fixed("nest.weights")
    with pytest.raises(ValueError, match="one free parameter at least; got 'width'"):
        two.with_fixed("width")


def test_computed_values_can_be_rid_of_their_noise(point):
    noisy = point.moved({"slope": 1.0000000000000002})
    assert noisy.rounded().elements["slope"] == 1.0


def test_numbers_by_name_leave_what_the_model_fixes(model):
    start = {"slope": 1.0, "nest.weights": [0.1, 0.2], "width": 0.5}
    assert Point.at(model, start).elements["nest.x0"] == 3.0
    moved = Point.at(model, start | {"nest.x0": 4.0})
    assert (moved.elements["nest.x0"], moved.elements["slope"]) == (4.0, 1.0)
