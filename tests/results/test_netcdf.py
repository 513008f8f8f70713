"""Results that went through a NetCDF file and back."""

import numpy as np
import pytest
import xarray as xr

import ampynb as anb
from tests.results.builders import (
    BENT,
    LINE,
    arviz,
    normal_draws,
    result_of,
    weighted_result,
)

CHAINS = result_of(
    normal_draws(40, ndim=4),
    anb.Posterior(LINE.analysis, BENT),
    warmup=normal_draws(10, ndim=4, seed=9),
)


def tempered_result() -> anb.Result:
    engine = anb.InferenceEngine(LINE.analysis, LINE.model, seed=5)
    sampler = anb.Tempered(ntemps=3, keep_temperatures=True)
    return engine.run(8, 30, 10, sampler, progress="none")


MAKERS = {
    "chains": lambda: CHAINS,
    "weighted": lambda: weighted_result(100),
    "tempered": tempered_result,
}


@pytest.fixture(
    scope="module",
    params=["chains", "weighted", pytest.param("tempered", marks=pytest.mark.slow)],
)
def written(request, tmp_path_factory):
    result = MAKERS[request.param]()
    folder = tmp_path_factory.mktemp("files")
    return result, result.to_netcdf(folder / "run.nc")


def test_a_file_gives_the_result_that_was_written(written, tmp_path):
    result, path = written
    again = anb.load(path)
    for name in ("draws", "warmup"):
        assert np.array_equal(getattr(again, name), getattr(result, name))
    for kind in ("stats", "warmup_stats", "step_stats"):
        expected = getattr(result, kind)
        assert getattr(again, kind).keys() == expected.keys()
        for name, values in expected.items():
            np.testing.assert_array_equal(getattr(again, kind)[name], values)
    for kind in ("weighted", "tempered"):
        expected, found = (getattr(one.outcome, kind) for one in (result, again))
        assert found.keys() == expected.keys()
        for name, values in expected.items():
            np.testing.assert_array_equal(found[name], values)
    assert again.log_evidence == result.log_evidence
    assert again.summary().equals(result.summary())
    assert again.verdict() == result.verdict()
    assert again.best.value == result.best.value
    assert repr(again) == repr(result)
    again.corner()
    again.trace()
    again.to_netcdf(tmp_path / "again.nc")
    second = anb.load(tmp_path / "again.nc")
    result.to_netcdf(tmp_path / "again.nc")  # a cell that is run again
    assert second.summary().equals(result.summary())


def test_the_container_in_the_file_is_kept_whole(written):
    result, path = written
    again = anb.load(path)
    assert type(again.idata) is type(result.idata)
    groups = ["posterior", "prior", "log_likelihood", "observed_data"]
    for group in groups:
        with xr.open_dataset(path, group=group, engine="h5netcdf") as dataset:
            for name in dataset.data_vars:
                np.testing.assert_array_equal(again.idata[group][name], dataset[name])


def test_analysis_and_model_bring_back_the_fits(written):
    result, path = written
    again = anb.load(path, result.analysis, result.model)
    assert again.median() == result.median()
    fit = again.analysis.fit_for_visualization(again.instance)
    assert float(fit.log_likelihood) == pytest.approx(result.log_likelihood)
    with pytest.raises(ValueError, match="expected the analysis and the model"):
        _ = anb.load(path).posterior
    with pytest.raises(ValueError, match="expected a model with the parameters slope"):
        anb.load(path, result.analysis, result.model.fix(slope=1.0))


def test_what_is_no_such_file_is_refused(tmp_path):
    other = tmp_path / "other.nc"
    draws = {"a": np.zeros((2, 10))}
    groups = {"posterior": draws}
    library = arviz()
    newer = int(library.__version__.split(".")[0]) >= 1
    made = library.from_dict(groups) if newer else library.from_dict(**groups)
    made.to_netcdf(str(other), engine="h5netcdf")
    (tmp_path / "text.nc").write_text("draws")
    refused = {
        other: "that Result.to_netcdf of this version has written",
        tmp_path / "text.nc": "expected a NetCDF file; got .*text.nc",
        tmp_path / "absent.nc": "which is not there; write one",
        tmp_path: "got the folder .*; open the folder of a run with ampynb.open_run",
    }
    for path, message in refused.items():
        with pytest.raises((ValueError, FileNotFoundError), match=message):
            anb.load(path)
