from types import SimpleNamespace

import numpy as np
import pytest

from ampynb.widgets import controls as module
from ampynb.widgets.controls import STEPS, Looks, ParameterControl
from ampynb.widgets.point import Control


@pytest.fixture
def moves():
    return []


@pytest.fixture
def control(moves):
    control = Control("slope", "slope", "$m$", "mJy/d", (0.0, 10.0), False)
    return ParameterControl(control, 5.0, lambda *told: moves.append(told))


@pytest.fixture
def logarithmic(moves):
    control = Control("width", "width", "", "", (0.01, 100.0), True)
    return ParameterControl(control, 1.0, lambda *told: moves.append(told))


def test_moving_the_slider_sets_the_number_and_tells_once(control, moves):
    control.slider.value = 7.5
    assert control.value == control.number.value == 7.5
    assert moves == [("slope", 7.5)]


def test_typing_sets_the_slider_and_tells_once(control, moves):
    control.number.value = 2.5
    assert control.slider.value == 2.5
    assert moves == [("slope", 2.5)]


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


def test_a_late_report_of_where_it_was_put_is_no_move(control, moves):
    control.set(3.0)
    control.set(8.0)
    control.slider.value = 3.0  # the page is shown the first, and says so
    assert control.value == 8.0
    assert moves == []


def test_a_report_that_waited_while_the_kernel_was_busy_is_no_move(
    control, moves, monkeypatch
):
    """As when all cells of a notebook run: the page is heard after the last."""
    now = 100.0
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now))
    control.set(3.0)
    for step in range(50):  # an optimiser shows its way
        control.set(8.0 + step / 100)
    now += 20.0
    control.slider.value = 5.0  # where it began
    assert control.value == 8.49
    assert moves == []


def test_a_slider_that_was_put_somewhere_can_be_moved_there_later(
    control, moves, monkeypatch
):
    monkeypatch.setattr(module, "SECONDS_OF_AN_ECHO", 0.0)
    control.set(3.0)
    control.set(8.0)
    control.slider.value = 3.0
    assert control.value == 3.0
    assert moves == [("slope", 3.0)]


def test_a_move_ends_the_wait_for_late_reports(control):
    control.set(3.0)
    control.set(8.0)
    control.slider.value = 7.0
    control.slider.value = 3.0
    assert control.value == 3.0


def test_a_slider_stands_on_its_grid_and_the_number_is_exact(control, logarithmic):
    control.set(3.0123)
    assert (control.slider.value, control.value) == (3.0, 3.0123)
    logarithmic.set(1.001)
    assert (logarithmic.slider.value, logarithmic.value) == (1.0, 1.001)


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


def test_the_noise_of_the_slider_s_arithmetic_is_left_out(control):
    control.slider.value = 1.4749999999999999
    assert control.value == 1.475


def test_name_label_and_unit_are_shown(control, logarithmic):
    assert control.slider.description == "slope"
    assert "mJy/d" in control.slider.tooltip
    assert control.number.description == "$m$ [mJy/d]"
    assert logarithmic.number.description == ""


def test_a_disabled_control_stands_still(control):
    control.disabled = True
    assert control.disabled and control.slider.disabled and control.number.disabled


def test_layouts_and_styles_can_be_shared():
    looks = Looks()
    one, other = (
        ParameterControl(
            Control(name, name, "", "", (0.0, 1.0), False), 0.5, print, looks
        )
        for name in "ab"
    )
    assert one.slider.layout is other.slider.layout
    assert one.number.style is other.number.style


@pytest.mark.parametrize("share", [0.494, 0.506])
def test_a_number_between_two_steps_is_not_moved_by_its_slider(
    logarithmic, moves, share
):
    value = 10 ** (-share * 4.0 / STEPS)
    logarithmic.set(value)
    place = logarithmic.slider.value
    logarithmic.slider.value = place * (1 + 1e-12)  # as a page says it
    assert logarithmic.value == value
    assert moves == []
