"""No parameter is lost on export, whatever ArviZ and the samplers call their own."""

import numpy as np
import numpyro.distributions as dist
import pytest

import ampynb as anb
from ampynb.results.inference_data import to_dataset

NORMAL = dist.Normal(0.0, 1.0)
NAMES = ["a_dim_0", "beta", "temperature", "sample", "A"]


class Sum(anb.Analysis):
    def log_likelihood_function(self, instance):
        total = sum(instance[name] for name in NAMES) + instance.inner.b
        return -0.5 * (instance.a.sum() + total - 1.0) ** 2


@pytest.mark.parametrize(
    "sampler",
    [
        "ensemble",
        pytest.param("tempered", marks=pytest.mark.slow),
        pytest.param("nested", marks=pytest.mark.slow),
    ],
)
def test_no_parameter_is_lost_on_export(sampler, tmp_path):
    own = {name: NORMAL for name in NAMES}
    inner = anb.Model(b=NORMAL)
    model = anb.Model(a=NORMAL.expand([3]), inner=inner, inner_b=NORMAL, **own)
    engine = anb.InferenceEngine(Sum(), model, seed=1)
    if sampler == "nested":
        result = engine.run(nwalkers=50, iterations=100, sampler=sampler)
    else:
        result = engine.run(nwalkers=20, iterations=40, burn=40, sampler=sampler)
    expected = {row.name for row in model.rows}
    result.to_netcdf(tmp_path / "result.nc")
    for container in (result.idata, anb.load(tmp_path / "result.nc").idata):
        for group in ("posterior", "prior"):
            found = to_dataset(container, group)
            assert expected <= set(found.data_vars)
            assert found["a"].dims[-1] == "a_dim_0_"
            assert found["a_dim_0"].dims == ("chain", "draw")
    again = anb.load(tmp_path / "result.nc")
    np.testing.assert_array_equal(again.draws, result.draws)
    for kind in ("weighted", "tempered"):
        former, now = getattr(result.outcome, kind), getattr(again.outcome, kind)
        assert set(former) == set(now)
        for name in former:
            np.testing.assert_allclose(now[name], former[name])
