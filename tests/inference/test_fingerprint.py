"""What a run is of, in words: the same in every process, other where it is other."""

import dataclasses
import functools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest

import ampynb as anb
from ampynb.algorithms.scripted import Scripted
from ampynb.inference.fingerprint import differences, fingerprint
from ampynb.inference.loop import Plan
from tests.helpers import line_problem

REPOSITORY = Path(__file__).parents[2]
LINE = line_problem()
SCRIPT = Scripted(nwalkers=3)


class Anything(anb.Analysis):
    """An analysis with whatever attributes a user may give it."""

    def __init__(self, **attributes: Any):
        super().__init__()
        vars(self).update(attributes)

    def log_likelihood_function(self, instance):
        return -(instance.slope**2)


def plan_of(
    analysis: anb.Analysis = LINE.analysis,
    model: anb.Model = LINE.model,
    algorithm: Any = SCRIPT,
) -> Plan:
    return Plan(anb.Posterior(analysis, model), algorithm, 0)


def section(name: str, **parts: Any) -> dict[str, str]:
    return dict(fingerprint(plan_of(**parts))[name])


def of_value(value: Any, name: str = "value") -> str | None:
    return section("data", analysis=Anything(**{name: value})).get(name)


# Priors

PRIORS = {
    "Normal": (lambda a: dist.Normal(a, 2.0)),
    "Uniform": (lambda a: dist.Uniform(a - 5.0, 5.0)),
    "LogUniform": (lambda a: dist.LogUniform(a + 1.0, 5.0)),
    "LogNormal": (lambda a: dist.LogNormal(a, 5.0)),
    "HalfNormal": (lambda a: dist.HalfNormal(a + 1.0)),
    "Gamma": (lambda a: dist.Gamma(a + 1.0, 2.0)),
    "truncated": (lambda a: dist.TruncatedNormal(0.0, 1.0, low=a - 3.0)),
    "truncated above": (lambda a: dist.TruncatedNormal(0.0, 1.0, high=a + 3.0)),
    "expanded": (lambda a: dist.Normal(a, 2.0).expand([3])),
    "vector": (lambda a: dist.Normal(jnp.array([0.0, a]), 2.0).to_event(1)),
    "transformed": (
        lambda a: dist.TransformedDistribution(
            dist.Normal(0.0, 1.0), dist.transforms.AffineTransform(a, 2.0)
        )
    ),
    "base": (
        lambda a: dist.TransformedDistribution(
            dist.Normal(a, 1.0), dist.transforms.ExpTransform()
        )
    ),
    "mixture": (
        lambda a: dist.MixtureSameFamily(
            dist.Categorical(jnp.array([0.3, 0.7])),
            dist.Normal(jnp.array([a, 4.0]), jnp.ones(2)),
        )
    ),
    "fixed": (lambda a: a),
    "fixed array": (lambda a: np.arange(30.0) + a * (np.arange(30) == 17)),
}


@pytest.mark.parametrize("make", PRIORS.values(), ids=PRIORS)
def test_a_prior_is_told_from_one_that_is_hardly_another(make: Any):
    first, again, other = (
        section("parameter", model=anb.Model(slope=make(a), level=dist.Normal(0, 1)))
        for a in (0.25, 0.25, 0.25 + 1e-12)
    )
    assert first == again
    assert first["slope"] != other["slope"]
    assert first["level"] == other["level"]


def test_a_parameter_s_place_is_told():
    model = LINE.model
    assert section("parameter", model=model.tie(slope="intercept"))["slope"] == (
        "tied to intercept"
    )
    nested = anb.Model(lens=anb.Collection(mass=dist.Normal(0, 1)), slope=1.0)
    assert set(section("parameter", model=nested)) == {"lens.mass", "slope"}


def test_a_period_is_told_and_its_absence_is_not():
    prior = dist.Uniform(0.0, 24.0)
    model = anb.Model(hour=anb.Parameter(prior, period=24.0))
    plain = section("parameter", model=anb.Model(hour=prior))["hour"]
    assert section("parameter", model=model)["hour"] == f"{plain} period 24.0"


def test_units_and_labels_are_for_people_alone():
    named = anb.Parameter(dist.Normal(1.0, 2.0), unit="mJy", label="m")
    model = anb.Model(slope=named, intercept=dist.Normal(0.0, 1.0))
    assert section("parameter", model=model) == section("parameter")


# Data


@dataclasses.dataclass
class Settings:
    """An option that is an object."""

    depth: int
    table: Any


class Plain:
    """An object without words of its own."""

    def __init__(self, depth: int):
        self.depth = depth


def curve(x: float, a: float) -> float:
    return a * x


VALUES = {
    "array": (np.arange(3.0), np.arange(3.0) + 1e-15),
    "type": (np.arange(3.0), np.arange(3.0, dtype=np.float32)),
    "shape": (np.arange(4.0), np.arange(4.0).reshape(2, 2)),
    "JAX array": (jnp.arange(3.0), jnp.arange(3.0) + 1e-12),
    "integers": (np.arange(3), np.arange(3) + 1),
    "mask": (np.array([True, False]), np.array([True, True])),
    "complex": (np.array([1j]), np.array([2j])),
    "number": (1.5, 1.5 + 1e-15),
    "string": ("power law", "powerlaw"),
    "flag": (True, False),
    "none": (None, 0),
    "list of numbers": ([1.0, 2.0], [1.0, 2.0 + 1e-15]),
    "long list": ([float(i) for i in range(300)], [float(i) for i in range(299)] + [0]),
    "tuple": ((1, "a"), (1, "b")),
    "strings": (np.array(["a", "b"]), np.array(["a", "c"])),
    "dictionary": ({"a": np.ones(3), "b": 2}, {"a": np.ones(3), "b": 3}),
    "dictionary's names": ({"a": np.ones(3)}, {"b": np.ones(3)}),
    "arrays in a list": ([np.ones(3), np.ones(2)], [np.ones(3), np.zeros(2)]),
    "dataclass": (Settings(1, np.ones(2)), Settings(2, np.ones(2))),
    "dataclass's array": (Settings(1, np.ones(2)), Settings(1, np.zeros(2))),
    "object": (Plain(1), Plain(2)),
    "function": (np.sin, np.cos),
    "set": ({"a", "b", "c"}, {"a", "b", "d"}),
    "model": (LINE.model, LINE.model.fix(slope=1.0)),
}


@pytest.mark.parametrize(("value", "other"), VALUES.values(), ids=VALUES)
def test_a_change_of_any_attribute_is_told(value: Any, other: Any):
    assert of_value(value) == of_value(value)
    assert of_value(value) != of_value(other)


def test_numpy_s_numbers_are_numbers():
    assert of_value(np.float64(1.5)) == of_value(1.5) == "1.5"
    assert of_value(np.int32(3)) == of_value(3) == "3"


def test_words_are_few():
    for value in (list(range(10_000)), "x" * 10_000, np.zeros((3, 10_000))):
        text = of_value(value)
        assert text is not None and len(text) < 160


@pytest.mark.parametrize("cache", [None, 3, {"a": 1}, [1, 2], functools.partial(curve)])
def test_private_counters_and_caches_do_not_count(cache: Any):
    assert of_value(cache, "_cache") is None


def test_private_data_count():
    assert of_value(np.ones(3), "_data") != of_value(np.zeros(3), "_data")


def test_what_holds_itself_has_an_end():
    circle: Any = Plain(1)
    circle.itself = circle
    assert of_value(circle) == "Plain(depth=1, itself=...)"


def test_an_address_is_nothing():
    def closure(x: float) -> float:
        return x

    objects = [functools.partial(closure), functools.partial(closure)]
    assert of_value(objects[0]) == of_value(objects[1])
    assert of_value(Plain(1)) == of_value(Plain(1))
    assert "0x" not in str(of_value(Plain(1)))


# Differences


def test_differences_are_told_by_section_and_name():
    former = {"data": {"x": "1", "y": "2"}, "run": {"seed": "0"}}
    assert differences(former, former) == []
    assert differences(former, {**former, "run": {"seed": "1"}}) == [
        "run seed was 0, and is 1"
    ]
    assert differences(
        former, {"data": {"x": "1", "z": "2"}, "run": {"seed": "0"}}
    ) == [
        "data y was 2, and is absent",
        "data z was absent, and is 2",
    ]


# In every process


def sample() -> dict:
    """Return a fingerprint of many things that have an order or an address."""
    model = anb.Model(
        **{
            name.replace(" ", "_"): make(0.25)
            for name, make in PRIORS.items()
            if name not in ("expanded", "vector")
        }
    )
    attributes = {name.replace(" ", "_"): value for name, (value, _) in VALUES.items()}
    attributes = {name.replace("'", ""): value for name, value in attributes.items()}
    algorithm = anb.Ensemble(nwalkers=64, moves=[(anb.Stretch(), 0.3), anb.Stretch(3)])
    found = fingerprint(plan_of(Anything(**attributes), model, algorithm))
    return {section: dict(lines) for section, lines in found.items()}


def test_it_is_the_same_in_another_process():
    code = (
        "import json; from tests.inference.test_fingerprint import sample;"
        "print(json.dumps(sample()))"
    )
    # Sets are gone through in the order of a hash that each process seeds anew.
    seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    told = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=True,
    )
    here, there = sample(), json.loads(told.stdout)
    for section in here:
        assert there[section] == here[section]
