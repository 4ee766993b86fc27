"""The benchmark of the fit: what it is given differs, what it measures is what it says."""

import numpy as np
import pytest

from magicpose_cli.evaluation.fit import PARTS, SETTINGS, WAYS, evaluate_fit, fit_case, fit_errors


def test_the_truth_has_no_error_and_a_shift_its_length():
    case = fit_case(1, "full body")
    assert fit_errors(case, case.truth) == dict.fromkeys(PARTS, 0.0)
    moved = case.truth.map_points(1, 3, 4, case.truth.width, case.truth.height)
    assert fit_errors(case, moved)["body"] == pytest.approx(100 * 5 / case.height, rel=1e-4)


def test_pairs_differ_and_are_always_the_same():
    case, again = fit_case(2, "upper body", noise=0.5), fit_case(2, "upper body", noise=0.5)
    assert np.array_equal(case.driver.body, again.driver.body) and np.array_equal(case.photo.face, again.photo.face)
    exact = fit_case(2, "upper body")
    there = exact.driver.body[..., 2] > 0
    noise = (case.driver.body - exact.driver.body)[there][:, :2]
    assert 0 < noise.std() < 0.02 * 512 and not (case.driver.body - exact.driver.body)[~there].any()
    assert np.array_equal(case.truth.body, exact.truth.body)


def test_limb_by_limb_is_nearer_to_the_truth():
    """A few pairs only; twenty are in docs/fit.md."""
    scores = evaluate_fit(3)
    for setting in SETTINGS:
        for part in PARTS:
            none, whole, limbs = (scores[setting][way][part] for way in WAYS)
            assert limbs < 0.8 * whole and limbs < 0.35 * none, (setting, part)
