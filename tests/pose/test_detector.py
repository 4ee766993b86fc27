import numpy as np
import pytest

from magicpose_cli.pose.detector import PARTS, PersonPose, PoseDetector


def person(points: dict[str, list[tuple[int, float, float]]], confidence: float = 1.0) -> PersonPose:
    """A person with the named points only: part → (index, x, y)."""
    arrays = {part: np.zeros((count, 3), np.float32) for part, count in PARTS.items()}
    for part, entries in points.items():
        for index, x, y in entries:
            arrays[part][index] = x, y, confidence
    return PersonPose(**arrays)


@pytest.mark.parametrize("part", PARTS)
def test_a_person_of_wrong_shape_or_value_is_refused(part):
    nobody = PersonPose.empty()
    arrays = {name: getattr(nobody, name) for name in PARTS}
    with pytest.raises(ValueError, match=part):
        PersonPose(**(arrays | {part: np.zeros((5, 3))}))
    broken = np.zeros((PARTS[part], 3))
    broken[3, 1] = np.nan
    with pytest.raises(ValueError, match=part):
        PersonPose(**(arrays | {part: broken}))


def test_box_and_area_count_only_points_that_are_there():
    assert PersonPose.empty().box is None
    assert PersonPose.empty().area == 0
    pose = person({"body": [(0, 10, 20)], "face": [(5, 30, 60)]})
    assert pose.box == (10, 20, 30, 60)
    assert pose.area == 800
    assert len(pose.points) == 130


def test_points_outside_the_picture_are_missing():
    pose = person({"body": [(0, 0, 0), (1, 64, 48), (2, -0.1, 5), (3, 5, 48.5)], "left_hand": [(7, 65, 3)]})
    inside = pose.inside(64, 48)
    assert inside.body[:, 2].tolist() == [1, 1] + [0] * 16
    assert not inside.body[2:].any()
    assert not inside.left_hand.any()
    assert person({"body": [(0, 3, 3)]}, confidence=0).inside(64, 48).box is None


def test_a_detector_that_knows_no_batches_goes_frame_by_frame():
    class Counting(PoseDetector):
        seen = 0

        def detect(self, frame):
            self.seen += 1
            return [PersonPose.empty()] * self.seen

    frames = [np.zeros((4, 4, 3), np.uint8)] * 3
    assert [len(people) for people in Counting().detect_batch(frames)] == [1, 2, 3]
    assert Counting.batch_size == 1
