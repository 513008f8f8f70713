"""The fit of a result: of curves with a band, of images alone."""

import numpy as np

import ampynb as anb
from tests.results.builders import LINE, normal_draws, result_of


class Image(anb.Analysis):
    def __init__(self):
        super().__init__()
        self.image = np.arange(12.0).reshape(3, 4)

    def fit_from(self, instance):
        return anb.GaussianFit(self.image, 1.0, instance.slope * self.image)


def test_the_median_is_drawn_with_the_best_and_a_band():
    result = result_of(normal_draws(50))
    upper = result.plot_fit(n=40).axes[0]
    median, line = result.median(), LINE.analysis
    expected = median.slope * line.x + median.intercept
    best = result.instance.slope * line.x + result.instance.intercept
    drawn = [np.asarray(one.get_ydata(), float) for one in upper.lines]
    for curve in (expected, best):
        assert any(len(y) == len(curve) and np.allclose(y, curve) for y in drawn)
    assert len(upper.collections) > 0


def test_an_image_is_drawn_at_the_median():
    result = result_of(normal_draws(50), anb.Posterior(Image(), LINE.model))
    axes = result.plot_fit().axes
    model = np.asarray(axes[1].images[0].get_array(), float)
    np.testing.assert_allclose(model, result.median().slope * result.analysis.image)
