import numpy as np

from magicpose_cli.pose.crops import Square, cut, face_square, hand_square


def body_with(**points: tuple[int, float, float]) -> np.ndarray:
    body = np.zeros((18, 3), np.float32)
    for index, x, y in points.values():
        body[index] = x, y, 0.8
    return body


def test_a_hand_lies_a_third_of_the_forearm_beyond_the_wrist():
    body = body_with(elbow=(6, 100, 100), wrist=(7, 160, 100))
    assert hand_square(body, "left_hand") == Square.around(180, 100, 90)
    assert hand_square(body, "right_hand") is None
    with_shoulder = body_with(shoulder=(5, 100, 0), elbow=(6, 100, 100), wrist=(7, 160, 100))
    assert hand_square(with_shoulder, "left_hand") == Square.around(180, 100, 135)  # 0.9 of the upper arm is longer


def test_a_hand_without_wrist_or_of_a_few_pixels_is_none():
    assert hand_square(body_with(shoulder=(2, 0, 0), elbow=(3, 0, 50)), "right_hand") is None
    assert hand_square(body_with(elbow=(3, 0, 50), wrist=(4, 0, 60)), "right_hand") is None


def test_a_face_is_around_the_nose():
    assert face_square(body_with(nose=(0, 50, 60), eye=(14, 40, 52))) == Square.around(50, 60, 60)
    assert face_square(body_with(nose=(0, 50, 60), eye=(14, 40, 52), ear=(16, 25, 60))) == Square.around(50, 60, 75)
    assert face_square(body_with(nose=(0, 50, 60))) is None
    assert face_square(body_with(eye=(14, 40, 52), ear=(16, 25, 60))) is None


def test_a_cut_shows_the_square_and_grey_beyond_the_edge():
    picture = np.zeros((20, 30, 3), np.uint8)
    picture[:, :15] = (200, 10, 10)
    shown = cut(picture, Square(-10, -10, 40), 40)
    assert (shown[10:30, 10:25] == (200, 10, 10)).all()
    assert (shown[10:30, 25:40] == 0).all()
    assert (shown[:10] == 128).all() and (shown[30:] == 128).all() and (shown[:, :10] == 128).all()


def test_a_cut_is_scaled_evenly():
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    half = cut(picture, Square(8, 16, 32), 16)
    expected = picture[16:48, 8:40].reshape(16, 2, 16, 2, 3).mean(axis=(1, 3))
    assert np.abs(half - expected).max() <= 1
    assert (cut(picture, Square(100, 100, 30), 8) == 128).all()
