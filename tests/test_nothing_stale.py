"""Nothing stale: data that change between two runs are seen by all that is computed.

Each kind is a cell of a notebook that defines an analysis, and another that changes
what it reads, from data of mean 2 to data of mean 52; each consumer computes something
in which the data are. Nothing is told that they have changed.
"""

from __future__ import annotations

import textwrap
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import ampynb as anb
from ampynb.algorithms.optimise import maximise
from ampynb.analysis.latent import LatentError
from ampynb.analysis.program import ChangedError
from ampynb.results.inference_data import groups_of
from ampynb.widgets.drawing import Drawing
from ampynb.widgets.point import Point
from tests.helpers import Line, compilations, line_problem

BEGIN = """
import functools
import types
import jax, jax.numpy as jnp, numpy as np, pandas as pd
import numpyro.distributions as dist
import ampynb as anb
from jax import lax

Y = np.array([1.0, 2.0, 3.0])
"""
ANALYSIS = """
class Mean(anb.Analysis):
    y = jnp.asarray(Y)

    def fit_from(self, instance):
        model = instance.mu * jnp.ones(3)
        return anb.GaussianFit(data={read}, noise=1.0, model=model)

    def compute_latent_variables(self, parameters, model):
        return dict(mean=jnp.mean({read}) + 0 * parameters[0])

model = anb.Model(mu=dist.Normal(0.0, 100.0))
analysis = Mean()
"""
KINDS = {  # what the fit reads, the cell that defines it, the cell that changes it
    "a global array": ("jnp.asarray(Y)", "", "Y = Y + 50"),
    "an array in place": ("jnp.asarray(Y)", "", "Y += 50"),
    "a global number": ("Y + S", "S = 0.0", "S = 50.0"),
    "a branch": ("Y + 50 if FLAG else jnp.asarray(Y)", "FLAG = False", "FLAG = True"),
    "a class attribute": ("self.y", "", "Mean.y = Y + 50"),
    "a default argument": (
        "helper()",
        "def helper(y=Y): return jnp.asarray(y)",
        "helper.__defaults__ = (Y + 50,)",
    ),
    "a closure": (
        "helper()",
        "def make(y): return lambda: jnp.asarray(y)\nhelper = make(Y)",
        "helper = make(Y + 50)",
    ),
    "a helper": (
        "helper()",
        "def helper(): return jnp.asarray(Y)",
        "def helper(): return jnp.asarray(Y + 50)",
    ),
    "a helper's own global": (
        "outer()",
        "S = 0.0\ndef helper(): return Y + S\ndef outer(): return helper()",
        "S = 50.0",
    ),
    "a compiled helper": (
        "helper(0.0)",
        "@jax.jit\ndef helper(x): return x + Y",
        "Y = Y + 50",
    ),
    "a scan's body": (
        "lax.scan(step, jnp.zeros(3), None, length=1)[0]",
        "def step(carry, _): return carry + Y, None",
        "Y = Y + 50",
    ),
    "a rule of derivatives": (
        "helper(0.0)",
        "@jax.custom_jvp\ndef helper(x): return x + Y\n"
        "helper.defjvp(lambda p, t: (helper(p[0]), t[0] * jnp.ones(3)))",
        "Y = Y + 50",
    ),
    "a dictionary": ("jnp.asarray(D['y'])", "D = {'y': Y}", "D['y'] = Y + 50"),
    "a list": ("jnp.asarray(L)", "L = [1.0, 2.0, 3.0]", "L[:] = [51.0, 52.0, 53.0]"),
    "a table": (
        "jnp.asarray(T['y'].to_numpy())",
        "T = pd.DataFrame({'y': Y})",
        "T['y'] += 50",
    ),
    "an attribute of an object": (
        "jnp.asarray(C.y)",
        "C = types.SimpleNamespace(y=Y)",
        "C.y = Y + 50",
    ),
    "a slot": (
        "jnp.asarray(C.y)",
        "class Slots: __slots__ = ('y',)\nC = Slots()\nC.y = Y",
        "C.y = Y + 50",
    ),
    "a partial": (
        "helper()",
        "helper = functools.partial(jnp.asarray, Y)",
        "helper = functools.partial(jnp.asarray, Y + 50)",
    ),
    "a method of an object": (
        "C.data()",
        "class Config:\n    y = Y\n    def data(self): return jnp.asarray(self.y)\n"
        "C = Config()",
        "Config.y = Y + 50",
    ),
    "a prior in a global": (
        "Y + P.loc",
        "P = dist.Normal(0.0, 1.0)",
        "P = dist.Normal(50.0, 1.0)",
    ),
    "an environment variable": (
        "Y + float(os.environ['S_OF_A_TEST'])",
        "import os; os.environ['S_OF_A_TEST'] = '0'",
        "os.environ['S_OF_A_TEST'] = '50'",
    ),
    "a file": (
        "jnp.asarray(np.loadtxt('y.txt'))",
        "np.savetxt('y.txt', Y)",
        "np.savetxt('y.txt', Y + 50)",
    ),
    "a name in a text": ("jnp.asarray(globals()['Y'])", "", "Y = Y + 50"),
}
TABLE_OF_ITS_OWN = """
class Mean(Mean):
    def __init__(self, table):
        super().__init__()
        self.table = table

analysis = Mean(pd.DataFrame({"y": Y}))
"""


@pytest.fixture(autouse=True)
def in_a_place_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("S_OF_A_TEST", "0")


def cell(kind: str) -> dict[str, Any]:
    """Run the first cell of a kind, as in a notebook of its own."""
    read, define, _ = KINDS[kind]
    names: dict[str, Any] = {"__name__": "cell"}
    exec(BEGIN + textwrap.dedent(define) + ANALYSIS.format(read=read), names)
    return names


def change(kind: str, names: dict[str, Any]) -> None:
    exec(KINDS[kind][2], names)


def log_likelihood(mean: float, mu: Any) -> Any:
    y = mean + np.array([-1.0, 0.0, 1.0])
    squares = np.sum((np.asarray(mu)[..., None] - y) ** 2, axis=-1)
    return -0.5 * squares - 1.5 * np.log(2 * np.pi)


def mean_of(value: float, mu: float) -> float:
    """Return which mean, 2 or 52, a log likelihood is of."""
    return min((2.0, 52.0), key=lambda m: abs(log_likelihood(m, mu) - value))


def result_of(names: dict, sampler: Any = "ensemble", **options: Any) -> anb.Result:
    given = {"nwalkers": 8, "iterations": 10, "burn": 10, "progress": "none", **options}
    engine = anb.InferenceEngine(names["analysis"], names["model"], seed=1)
    return engine.run(sampler=sampler, **given)


def mean_in(result: anb.Result) -> float:
    found = float(np.ravel(result.stats["log_likelihood"])[-1])
    assert np.isclose(found, log_likelihood(2.0, result.flat_draws[-1, 0])) or (
        np.isclose(found, log_likelihood(52.0, result.flat_draws[-1, 0]))
    )
    return mean_of(found, result.flat_draws[-1, 0])


def instance(mu: Any = 20.0) -> anb.Instance:
    return anb.Instance(mu=mu)


def by_picture(names: dict) -> float:
    return float(names["analysis"].fit_for_visualization(instance()).data.mean())


def by_pictures(names: dict) -> float:
    fits = names["analysis"].fits_for_visualization(instance(np.arange(2.0)))
    return float(fits.data[-1].mean())


def by_latents(names: dict) -> float:
    draws = anb.Posterior(names["analysis"], names["model"])
    draws.draws = np.zeros((1, 1, 1))  # type: ignore[attr-defined]
    samples: Any = names["analysis"].compute_latent_samples(draws)
    return float(samples.position[0, 0, 0])


def by_optimiser(names: dict) -> float:
    posterior = anb.Posterior(names["analysis"], names["model"])
    return round(float(maximise(posterior, np.array([1.0])).vector[0]))


def by_own_program(names: dict) -> float:
    """A user's compiled function of a posterior."""
    posterior = anb.Posterior(names["analysis"], names["model"])
    return mean_of(float(OWN(posterior, jnp.array([20.0]))), 20.0)


OWN = jax.jit(anb.Posterior.log_likelihood)


def by_slider(names: dict) -> float:
    drawing = names.setdefault("drawing", Drawing(names["analysis"]))
    frame = drawing.frame(Point.at(names["model"], instance()))
    value = float(dict(frame.numbers)["ln likelihood"])
    assert float(np.mean(drawing.fit.data)) == mean_of(value, 20.0)
    return mean_of(value, 20.0)


def by_sweep(names: dict) -> float:
    by_slider(names)
    point, drawing = Point.at(names["model"], instance()), names["drawing"]
    explorer = names.get("explorer") or anb.explore(names["analysis"], names["model"])
    names["explorer"] = explorer
    steps = drawing.sweep(point, explorer.controls["mu"].control)
    while True:
        try:
            next(steps)
        except StopIteration as ended:
            sweep = ended.value
            break
    mu = explorer.controls["mu"].control.grid(len(sweep.numbers))[-1]
    return mean_of(float(dict(sweep.numbers[-1])["ln likelihood"]), mu)


def by_export(names: dict) -> float:
    idata = result_of(names).idata
    values = np.asarray(idata.log_likelihood["data"])[-1, -1]
    mu = float(np.asarray(idata.posterior["mu"])[-1, -1])
    predicted = np.asarray(idata.posterior_predictive["data"])[-1, -1]
    assert np.all(np.abs(predicted - mu) < 6)
    observed = float(np.mean(np.asarray(idata.observed_data["data"])))
    assert observed == mean_of(float(values.sum()), mu)
    return observed


def by_saved_page(names: dict) -> float:
    explorer = anb.explore(names["analysis"], names["model"], start=instance())
    value = float(explorer.numbers["ln likelihood"])
    explorer.close()
    return mean_of(value, 20.0)


def by(sampler: str, **options: Any) -> Any:
    return lambda names: mean_in(result_of(names, sampler, **options))


CONSUMERS = {
    "picture": by_picture,
    "pictures": by_pictures,
    "latents": by_latents,
    "optimiser": by_optimiser,
    "a program of the user's": by_own_program,
    "slider": by_slider,
    "sweep": by_sweep,
    "saved page": by_saved_page,
    "export": by_export,
    "ensemble": by("ensemble"),
    "nuts": by("nuts", nwalkers=2),
    "hmc": by("hmc", nwalkers=2),
    "nested": by("nested", nwalkers=40, burn=None, iterations=None),
    "tempered": by("tempered", ntemps=2),
}


LONG = ("nuts", "hmc", "nested", "tempered")  # to compile


def check(kind: str, consumer: str) -> None:
    names = cell(kind)
    assert CONSUMERS[consumer](names) == 2.0
    change(kind, names)
    assert CONSUMERS[consumer](names) == 52.0


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_fit_reads_is_seen_when_it_changes(kind: str):
    check(kind, "picture")
    check(kind, "a program of the user's")


@pytest.mark.parametrize(
    "consumer",
    [
        pytest.param(name, marks=pytest.mark.slow if name in LONG else ())
        for name in CONSUMERS
    ],
)
def test_all_that_computes_sees_a_change(consumer: str):
    check("a compiled helper", consumer)


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(KINDS)[::3])
def test_other_kinds_are_seen_by_a_run_and_its_output(kind: str):
    check(kind, "export")
    check(kind, "latents")


def test_equal_content_compiles_nothing_again():
    names = cell("a helper's own global")
    result_of(names)
    by_picture(names)
    exec(BEGIN + KINDS["a helper's own global"][1], names)  # the cell is run again
    with compilations() as compiled:
        result_of(names)
        by_picture(names)
    assert compiled == []


class LineWithLatents(Line):
    """Its latent variable is made of the data too."""

    def compute_latent_variables(self, parameters, model):
        return {"shifted": parameters[0] + self.y[0]}


def add_in_place(analysis: Line) -> None:
    analysis.y[:] += 100.0


def give_another(analysis: Line) -> None:
    analysis.y = analysis.y + 100.0


def take_back(analysis: Line) -> None:
    analysis.y = analysis.y - 100.0


SAMPLED: dict[str, dict[str, Any]] = {
    "ensemble": {"nwalkers": 8, "burn": 20, "iterations": 20},
    "nuts": {"nwalkers": 2, "burn": 50, "iterations": 20},
    "nested": {"nwalkers": 40},
}
OTHER_DATA = r"got other data, .*; run again"


def choose_one(result: anb.Result) -> None:
    """Show a sample's fit; a corner explorer tells errors where the user looks."""
    explorer = result.corner(interactive=True)
    told = explorer.widget.alert
    explorer.close()
    if told:
        raise ChangedError("Line") if "ChangedError" in told else ValueError(told)


OF_A_RESULT = {
    "check": anb.Result.check_unchanged,
    "optimiser": anb.Result.maximise,
    "picture": anb.Result.plot_fit,
    "replay": lambda result: result.replay().close(),
    "corner explorer": choose_one,
}


def run_of(sampler: str, use_jax: bool, kind: type = LineWithLatents) -> anb.Result:
    problem = line_problem()
    given = problem.analysis
    analysis = kind(given.x, given.y.copy(), given.yerr, use_jax=use_jax)
    engine = anb.InferenceEngine(analysis, problem.model, seed=1)
    return engine.run(sampler=sampler, progress="none", **SAMPLED[sampler])


@pytest.mark.parametrize("change_data", [add_in_place, give_another])
@pytest.mark.parametrize(
    ("sampler", "use_jax"),
    [
        ("ensemble", True),
        ("ensemble", False),
        pytest.param("nuts", True, marks=pytest.mark.slow),
        pytest.param("nested", True, marks=pytest.mark.slow),
        pytest.param("nested", False, marks=pytest.mark.slow),
    ],
)
def test_a_result_does_not_take_changed_attributes_for_its_own(
    change_data, sampler, use_jax, tmp_path
):
    result = run_of(sampler, use_jax)
    result.check_unchanged()
    change_data(result.analysis)
    for of_old_draws in OF_A_RESULT.values():
        with pytest.raises(ChangedError, match=OTHER_DATA):
            of_old_draws(result)
    with pytest.raises(LatentError, match=OTHER_DATA):
        len(result.latents)
    assert any("no latent variables" in line for line in result.verdict())
    assert "shifted" not in result.summary().index
    path = tmp_path / "line.nc"
    for export in (lambda: result.idata, lambda: result.to_netcdf(path)):
        told = rf"left out of idata: data, .* and latent variables: .*{OTHER_DATA}"
        with pytest.warns(UserWarning, match=told):
            export()
    for groups in (groups_of(result_without_data(result)), groups_of_file(path)):
        assert not {"observed_data", "log_likelihood", "latent"} & set(groups)
    take_back(result.analysis)
    for of_old_draws in OF_A_RESULT.values():
        of_old_draws(result)
    assert "shifted" in result.summary().index
    assert {"observed_data", "latent"} <= set(groups_of(result.idata))


def result_without_data(result: anb.Result) -> Any:
    with pytest.warns(UserWarning, match="left out of idata"):
        return result.idata


def groups_of_file(path: Any) -> Any:
    return groups_of(anb.load(path).idata)


def test_what_was_open_before_data_changed_shows_no_fit_of_new_data():
    result = run_of("ensemble", use_jax=True)
    explorer, replay = result.corner(interactive=True), result.replay()
    before = explorer.numbers
    result.analysis.y[:] += 100.0
    explorer.choose(3)
    assert "ChangedError" in explorer.widget.alert
    assert explorer.numbers == before
    with pytest.raises(ChangedError, match=OTHER_DATA):
        replay.figure()
    explorer.close()
    replay.close()


def test_a_result_without_latents_has_none_whatever_changes():
    result = run_of("ensemble", True, Line)
    result.analysis.y[:] += 100.0
    assert result.latents == {}
    assert not any("latent" in line for line in result.verdict())


def test_old_draws_are_not_mixed_with_new_data(tmp_path):
    names = cell("a global array")
    result = result_of(names, path=tmp_path / "run")
    change("a global array", names)
    for of_old_draws in (result.maximise, result.plot_fit):
        with pytest.raises(ChangedError, match=r"all that Mean reads .*; run again"):
            of_old_draws()
    with pytest.warns(UserWarning, match=r"left out of idata: data, .* run again"):
        idata = result.idata
    assert "log_likelihood" not in idata and "observed_data" not in idata
    assert "global" in idata.posterior.attrs.get("left_out", "") + str(idata.attrs)
    with pytest.raises(ValueError, match=r"changed"):
        result_of(names, path=tmp_path / "run", resume=True)


OF_MODEL = {  # the model, what changes it, log posterior at a = 1 with S = 2 and 3
    "a prior's class": (
        """class Tilted(dist.Normal):
    def log_prob(self, value): return super().log_prob(value) + S * value
model = anb.Model(a=Tilted(0.0, 1.0), b=1.0)""",
        lambda s: s * 1.0,
    ),
    "a compiled helper of a prior's class": (
        """@jax.jit
def tilt(value): return S * value
class Tilted(dist.Normal):
    def log_prob(self, value): return super().log_prob(value) + tilt(value)
model = anb.Model(a=Tilted(0.0, 1.0), b=1.0)""",
        lambda s: s * 1.0,
    ),
    "a parameter's function": (
        "model = anb.Model(a=dist.Normal(0.0, 1.0), b=lambda m: S * m.a)",
        lambda s: -0.5 * (s**2 - 1),
    ),
    "a prior's function": (
        """class Tilted(dist.Normal):
    def log_prob(self, value): return super().log_prob(value) + S * value
model = anb.Model(b=1.0, a=lambda m: Tilted(m.b - 1, 1.0))""",
        lambda s: s * 1.0,
    ),
    "an assertion": (
        """model = anb.Model(a=dist.Normal(0.0, 1.0), b=1.0)
model = model.with_assertions(small=lambda m: m.a < 3.5 - S)""",
        lambda s: 0.0 if s == 2 else -np.inf,
    ),
    "a component's attribute": (
        """class Pair:
    @property
    def c(self): return S * self.a
    def __init__(self, a): self.a = a
model = anb.Model(pair=anb.Model(Pair, a=dist.Normal(0.0, 1.0)), b=1.0)
class Ones(Ones):
    def fit_from(self, instance):
        return anb.GaussianFit(data=np.zeros(1), noise=1.0, model=instance.pair.c)
analysis = Ones()""",
        lambda s: -0.5 * (s**2 - 1),
    ),
}
ONES = """S = 2.0
class Ones(anb.Analysis):
    def fit_from(self, instance):
        return anb.GaussianFit(data=np.zeros(1), noise=1.0, model=instance.b)
analysis = Ones()
"""


@pytest.mark.parametrize("kind", OF_MODEL)
def test_what_a_model_reads_is_seen_when_it_changes(kind: str):
    define, extra = OF_MODEL[kind]
    names: dict[str, Any] = {"__name__": "cell"}
    exec(f"{BEGIN}{ONES}{define}", names)
    log_posterior = jax.jit(anb.Posterior.log_posterior)
    for s in (2.0, 3.0, 2.0):
        names["S"] = s
        posterior = anb.Posterior(names["analysis"], names["model"])
        expected = -1.0 - np.log(2 * np.pi) + extra(s)
        at_one = np.array([1.0])
        assert float(log_posterior(posterior, at_one)) == pytest.approx(expected)
        assert float(posterior.log_posterior(at_one)) == pytest.approx(expected)


@pytest.mark.parametrize("kind", ["a prior's class", "a parameter's function"])
def test_a_run_samples_the_model_of_now(kind: str, tmp_path):
    names: dict[str, Any] = {"__name__": "cell"}
    exec(f"{BEGIN}{ONES}{OF_MODEL[kind][0]}", names)
    engine = anb.InferenceEngine(names["analysis"], names["model"], seed=1)
    options = {"nwalkers": 8, "burn": 10, "iterations": 10, "progress": "none"}
    for s in (2.0, 3.0):
        names["S"] = s
        result = engine.run(**options, path=tmp_path / f"{s}")
        a = result.flat_draws[:, 0]
        b = s * a if "function" in kind else np.ones_like(a)
        found = np.ravel(result.stats["log_likelihood"])
        np.testing.assert_allclose(found, -0.5 * b**2 - 0.5 * np.log(2 * np.pi))
        tilt = s * a if "class" in kind else 0.0
        log_prior = -0.5 * a**2 - 0.5 * np.log(2 * np.pi) + tilt
        log_posterior = np.ravel(result.stats["lp"])
        np.testing.assert_allclose(log_posterior - found, log_prior, atol=1e-6)
    with pytest.raises(ValueError, match="changes: parameter"):
        engine.run(**options, path=tmp_path / "2.0", resume=True)


def test_old_draws_of_numpy_are_not_mixed_with_new_data():
    names: dict[str, Any] = {"__name__": "cell", "S": 0.0}
    analysis = ANALYSIS.format(read="(Y + S)").replace("jnp", "np")
    exec(BEGIN + analysis.replace("Mean()", "Mean(use_jax=False)"), names)
    result = result_of(names)
    assert result.maximise().vector[0] == pytest.approx(2.0, abs=1e-3)
    names["S"] = 50.0
    for of_old_draws in (result.maximise, result.plot_fit):
        with pytest.raises(ChangedError, match=r"all that Mean reads .*; run again"):
            of_old_draws()
    with pytest.warns(UserWarning, match=r"left out of idata: data, .* run again"):
        idata = result.idata
    assert "global" in str(idata.posterior.attrs) + str(idata.attrs)
    assert "observed_data" not in idata


def test_a_model_that_is_made_again_has_what_its_functions_read():
    names: dict[str, Any] = {"__name__": "cell"}
    model = "model = anb.Model(a=dist.Normal(0.0, 1.0), b=lambda m: helper(m.a))"
    exec(f"{BEGIN}S = 2.0\n@jax.jit\ndef helper(a): return a + S\n{model}", names)
    exec(f"S = 52.0\n{model}", names)
    assert float(names["model"].instance_from_vector(np.zeros(1)).b) == 52.0
