import numpy as np
import pytest

from ampynb.widgets.controls import STEPS, ParameterControl


@pytest.fixture
def moves():
    return []


@pytest.fixture
def control(moves):
    return ParameterControl(
        "slope", "mJy/d", (0.0, 10.0), 5.0, False, lambda: moves.append(1)
    )


@pytest.fixture
def logarithmic(moves):
    return ParameterControl(
        "width", "", (0.01, 100.0), 1.0, True, lambda: moves.append(1)
    )


def test_moving_the_slider_sets_the_number_and_tells_once(control, moves):
    control.slider.value = 7.5
    assert control.value == control.number.value == 7.5
    assert len(moves) == 1


def test_typing_sets_the_slider_and_tells_once(control, moves):
    control.number.value = 2.5
    assert control.slider.value == 2.5
    assert len(moves) == 1


def test_a_number_beyond_the_range_is_kept_and_the_slider_stays_at_its_end(control):
    control.number.value = 42.0
    assert control.value == 42.0
    assert control.slider.value == 10.0


def test_setting_by_program_tells_nobody(control, moves):
    control.set(3.0)
    assert control.value == control.slider.value == 3.0
    assert moves == []


def test_a_slider_that_rounds_to_its_grid_does_not_change_the_number(control, moves):
    control.set(5.01)
    control.slider.value = 5.0  # what a page reports when it shows 5.01 on its grid
    assert control.value == 5.01
    assert moves == []


def test_one_step_of_the_slider_is_a_move(control, moves):
    control.slider.value = 5.0 + 10.0 / STEPS
    assert control.value == pytest.approx(5.05)
    assert len(moves) == 1


def test_a_logarithmic_slider_has_equal_factors(logarithmic):
    assert (logarithmic.slider.min, logarithmic.slider.max) == (-2.0, 2.0)
    logarithmic.slider.value = 10.0
    assert logarithmic.value == 10.0
    assert logarithmic.slider.step == pytest.approx(4.0 / STEPS)


def test_a_logarithmic_slider_ignores_rounding_in_its_own_scale(logarithmic, moves):
    logarithmic.set(0.05)
    logarithmic.slider.value = 10 ** (np.log10(0.05) + 0.4 * 4.0 / STEPS)
    assert logarithmic.value == 0.05
    assert moves == []


def test_name_and_unit_are_shown(control):
    assert control.slider.description == "slope"
    assert "mJy/d" in control.slider.tooltip
    assert control.box.children[-1].value == "mJy/d"
