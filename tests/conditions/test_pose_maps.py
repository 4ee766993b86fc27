"""Pose maps drawn by others: folders and videos, swapped colours, and what is no pose map at all."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from magicpose_cli.conditions.draw import draw_pose_map, draw_track
from magicpose_cli.conditions.map_reading import colours_swapped, find_joints, looks_like_pose_map, looks_like_pose_maps
from magicpose_cli.conditions.pose_maps import open_pose_maps, pose_maps_from_clip
from magicpose_cli.core import keypoints as kp
from magicpose_cli.core.clip import Clip
from magicpose_cli.core.errors import InputError
from magicpose_cli.core.pose_track import PoseTrack


@pytest.fixture(scope="module")
def maps(track) -> np.ndarray:
    return draw_track(track(90, 128, 80, 256, 384, frames=12))


def clip_of(frames: np.ndarray, *, said: int | None = None) -> Clip:
    return Clip(
        Path("poses.mp4"),
        frames.shape[2],
        frames.shape[1],
        Fraction(24),
        said or len(frames),
        lambda: iter(frames),
    )


def write(folder: Path, names: list[str], frames: np.ndarray) -> None:
    for name, frame in zip(names, frames, strict=True):
        Image.fromarray(frame).save(folder / name)


def lossy(frame: np.ndarray) -> np.ndarray:
    """As a video codec would leave it: half the colour resolution, and noise."""
    small = Image.fromarray(frame).convert("YCbCr")
    y, cb, cr = (np.asarray(channel) for channel in small.split())
    height, width = y.shape
    blurred = [
        np.asarray(Image.fromarray(c).resize((width // 2, height // 2), Image.Resampling.BOX).resize((width, height)))
        for c in (cb, cr)
    ]
    noisy = np.clip(y + np.random.default_rng(0).normal(0, 4, y.shape), 0, 255).astype(np.uint8)
    return np.asarray(Image.fromarray(np.stack([noisy, *blurred], axis=2), "YCbCr").convert("RGB"))


class TestReading:
    def test_joints_are_found(self, person):
        someone = person(90, 128, 80)
        drawn = draw_pose_map(someone.body, someone.left_hand, someone.right_hand, None, 256, 384)
        for frame in (drawn, lossy(drawn)):
            joints = find_joints(frame)
            assert joints[:14, 2].all()
            error = np.abs(joints[:14, :2] - someone.body[:14, :2]).max(axis=1)
            assert error[[kp.RIGHT_WRIST, kp.LEFT_WRIST]].max() < 8  # half hidden by the hands' first dots
            assert np.delete(error, [kp.RIGHT_WRIST, kp.LEFT_WRIST]).max() < 3

    def test_missing_joints_are_missing(self, person):
        someone = person(90, 128, 80)
        someone.body[[3, 4, 13]] = 0
        joints = find_joints(draw_pose_map(someone.body, someone.left_hand, None, None, 256, 384))
        assert not joints[[3, 4, 13]].any() and joints[[2, 12], 2].all()
        assert not find_joints(np.zeros((64, 64, 3), np.uint8)).any()

    @pytest.mark.parametrize("codec", [lambda f: f, lossy], ids=["exact", "lossy"])
    @pytest.mark.parametrize("scale", [1.0, 0.5])
    def test_swapped_colours_are_told_apart(self, maps, codec, scale):
        size = int(256 * scale), int(384 * scale)
        frames = [np.asarray(Image.fromarray(m).resize(size, Image.Resampling.BOX)) for m in maps[:3]]
        frames = [codec(f) for f in frames]
        assert not colours_swapped(frames)
        assert colours_swapped([f[..., ::-1] for f in frames])

    @pytest.mark.parametrize("seen", [range(0, 8), range(0, 14), range(1, 5), range(8, 14)])
    def test_swapped_colours_of_partial_bodies(self, person, seen):
        body = person(150, 128, 130).body
        body[[j for j in range(18) if j not in seen]] = 0
        if 1 not in seen:
            body[1] = person(150, 128, 130).body[1]
        frame = draw_pose_map(body, None, None, None, 256, 640)
        assert not colours_swapped([frame]) and colours_swapped([frame[..., ::-1]])

    def test_swapped_colours_of_hands_alone(self, person):
        someone = person(300, 128, -100)
        frame = draw_pose_map(None, someone.left_hand, someone.right_hand, None, 512, 400)
        assert frame.any()
        assert not colours_swapped([frame]) and colours_swapped([frame[..., ::-1]])

    def test_nothing_to_tell(self):
        assert not colours_swapped([]) and not colours_swapped([np.zeros((32, 32, 3), np.uint8)])

    def test_pose_maps_are_recognised(self, maps):
        black = np.zeros_like(maps[0])
        assert looks_like_pose_map(maps[0]) and looks_like_pose_map(lossy(maps[0]))
        assert looks_like_pose_map(maps[0][..., ::-1])
        assert looks_like_pose_maps([black, black, black, maps[0]])
        assert not looks_like_pose_map(black) and not looks_like_pose_maps([black]) and not looks_like_pose_maps([])

    def test_small_maps_are_recognised(self, track):
        small = draw_track(track(35, 64, 30, 128, 192), 0, 3, stroke=0.25)
        assert looks_like_pose_maps(small)
        assert not colours_swapped(small) and colours_swapped(small[..., ::-1])

    def test_other_pictures_are_not(self, maps):
        rng = np.random.default_rng(0)
        noise = rng.integers(0, 256, (256, 256, 3)).astype(np.uint8)
        dark = (noise // 8).astype(np.uint8)
        night = dark.copy()
        for _ in range(60):  # coloured lights in the dark
            x, y = rng.integers(0, 240, 2)
            night[y : y + 8, x : x + 8] = rng.integers(0, 2, 3) * 255
        title = np.zeros((256, 256, 3), np.uint8)
        title[100:140, 30:220] = 255
        overlaid = np.maximum(maps[0], 90)
        assert not any(looks_like_pose_map(p) for p in (noise, dark, night, title, overlaid))


class TestFolders:
    def test_natural_order_and_content(self, tmp_path, maps):
        write(tmp_path, ["pose_10.png", "pose_2.png", "pose_1.png"], maps[[9, 1, 0]])
        (tmp_path / "notes.txt").write_text("not a map")
        (tmp_path / ".hidden.png").write_bytes(b"")
        source = open_pose_maps(tmp_path)
        assert (source.frame_count, source.width, source.height, source.fps) == (3, 256, 384, None)
        assert np.array_equal(source.read(0, 3), maps[[0, 1, 9]])
        assert np.array_equal(source.read(1, 2), maps[1:2])
        assert source.notes == ()

    def test_swapped_colours_are_mended_and_said(self, tmp_path, maps):
        write(tmp_path, [f"{i}.png" for i in range(12)], maps[..., ::-1])
        source = open_pose_maps(tmp_path)
        assert np.array_equal(source.read(0, 12), maps)
        assert len(source.notes) == 1 and "swapped" in source.notes[0]

    def test_the_person_may_come_late(self, tmp_path, maps):
        late = np.concatenate([np.zeros((20, *maps.shape[1:]), np.uint8), maps])
        write(tmp_path, [f"{i}.png" for i in range(32)], late[..., ::-1])
        assert np.array_equal(open_pose_maps(tmp_path).read(25, 26)[0], late[25])

    def test_transparent_and_palette_images(self, tmp_path, maps):
        mask = np.where(maps[0].any(axis=2), 255, 0).astype(np.uint8)
        background = np.where(mask[..., None] > 0, maps[0], 255).astype(np.uint8)
        Image.fromarray(np.dstack([background, mask])).save(tmp_path / "0.png")
        Image.fromarray(np.zeros_like(maps[0])).convert("P").save(tmp_path / "1.png")
        read = open_pose_maps(tmp_path).read(0, 2)
        assert np.array_equal(read[0], maps[0]) and not read[1].any()

    def test_odd_names(self, tmp_path, maps):
        names = ["²%d [x].png", "-1.png", "9" * 200 + ".png", "a\nb.png", "é 3.png"]
        write(tmp_path, names, maps[:5])
        assert open_pose_maps(tmp_path).frame_count == 5

    def test_bad_folders(self, tmp_path, maps):
        with pytest.raises(InputError, match="not a folder"):
            open_pose_maps(tmp_path / "nothing")
        with pytest.raises(InputError, match="no image"):
            open_pose_maps(tmp_path)
        write(tmp_path, ["0.png", "1.png"], maps[:2])
        Image.fromarray(maps[2][:100]).save(tmp_path / "2.png")
        with pytest.raises(InputError, match=r"2\.png is 256x100"):
            open_pose_maps(tmp_path)
        (tmp_path / "2.png").write_bytes(b"no picture")
        with pytest.raises(InputError, match=r"2\.png is not an image"):
            open_pose_maps(tmp_path)

    def test_truncated_image(self, tmp_path, maps):
        write(tmp_path, ["0.png", "1.png"], maps[:2])
        whole = (tmp_path / "1.png").read_bytes()
        (tmp_path / "1.png").write_bytes(whole[: len(whole) // 2])
        with pytest.raises(InputError, match=r"1\.png"):
            open_pose_maps(tmp_path).read(0, 2)


class TestClips:
    def test_any_order(self, maps):
        source = pose_maps_from_clip(clip_of(maps))
        assert (source.frame_count, source.fps) == (12, 24)
        for start, stop in ((3, 5), (4, 9), (0, 2), (11, 12), (0, 12)):
            assert np.array_equal(source.read(start, stop), maps[start:stop])
        with pytest.raises(ValueError, match="outside"):
            source.read(10, 13)

    def test_swapped(self, maps):
        source = pose_maps_from_clip(clip_of(maps[..., ::-1]))
        assert np.array_equal(source.read(0, 12), maps) and source.notes

    def test_a_clip_that_ends_early(self, maps):
        with pytest.raises(InputError, match="ends after frame 11, 20"):
            pose_maps_from_clip(clip_of(maps, said=20)).read(10, 14)

    def test_empty_clip(self):
        empty = PoseTrack.empty(0, 8, 8, Fraction(24))
        with pytest.raises(InputError, match="no frame"):
            pose_maps_from_clip(clip_of(draw_track(empty)))
