"""Videos become a training set: what is kept, what is dropped, and what is said of it."""

import json
import shutil
import tarfile
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("webdataset", reason="webdataset comes with the extra 'train'")

from magicpose_cli.core.errors import InputError, NoPersonError, OutputError, UsageError
from magicpose_cli.core.pose_track import PoseTrack
from magicpose_cli.pose.detector import PARTS, PersonPose
from magicpose_cli.training.data.dataset_request import UsableSkeleton
from magicpose_cli.training.data.make_dataset import make_dataset
from magicpose_cli.training.data.parts import segment_stretches, spread_indexes
from magicpose_cli.training.data.report import sentences
from magicpose_cli.training.data.segment import open_segment
from magicpose_cli.training.data.table import read_table
from magicpose_cli.training.data.tar_files import tar_samples
from magicpose_cli.training.data.usable import FEW_POINTS, NO_HEAD, NO_PERSON, SMALL, why_unusable
from magicpose_cli.training.data.videos import find_sources, identity
from magicpose_cli.video.images import write_image
from magicpose_cli.video.read import open_clip


def segments(folder: Path) -> list:
    return [open_segment(s.read, path.name) for path in sorted(folder.glob("*.tar")) for s in tar_samples(path)]


def test_pixels_and_keypoints_come_out_as_they_went_in(filmed, training_set):
    width, height = 96, 128  # of 120 × 160
    for file, track in zip(filmed.files, filmed.tracks, strict=True):
        frames = list(open_clip(file).frames())
        for segment in (s for s in segments(training_set.folder) if s.info.video == file.name):
            assert (segment.info.width, segment.info.height) == (width, height)
            numbers = list(segment.info.numbers)
            for part in PARTS:
                wanted = getattr(track, part)[numbers] * np.array([0.8, 0.8, 1])
                assert np.allclose(getattr(segment.poses, part), wanted, atol=0.1)  # jitter is taken out
            for index in (0, len(numbers) // 2, len(numbers) - 1):
                wanted = cv2.resize(frames[numbers[index]], (width, height), interpolation=cv2.INTER_AREA)
                assert np.abs(segment.picture(index).astype(int) - wanted).mean() < 3


def test_unusable_frames_are_absent_and_told_of(training_set):
    row = {row.name: row for row in training_set.table.videos}["long.mp4"]
    assert row.dropped == {NO_PERSON: ((20, 22),), NO_HEAD: ((40, 40),)}
    assert (row.frames, row.kept) == (110, 106)
    stored = {n for s in segments(training_set.folder) if s.info.video == "long.mp4" for n in s.info.numbers}
    assert stored == set(range(110)) - {20, 21, 22, 40}
    said = "\n".join(sentences(training_set.table))
    assert "long.mp4: 106 of 110 frames kept" in said
    assert "no person: frames 20-22" in said and "no nose or no neck: frame 40" in said
    assert "200 of 204 frames kept" in said and "face seen in 100%" in said


def test_a_video_is_in_one_split_alone(training_set):
    by_split = {
        split: {s.info.video for s in segments(training_set.folder) if s.info.split == split}
        for split in ("train", "validation")
    }
    assert len(by_split["train"]) == 2 and len(by_split["validation"]) == 1
    assert not by_split["train"] & by_split["validation"]
    for shard in training_set.table.shards:
        found = {open_segment(s.read, "").info.split for s in tar_samples(training_set.folder / shard.name)}
        assert found == {shard.split} and shard.name.startswith(shard.split)


def test_the_split_and_the_shards_hang_on_the_videos_alone(filmed, training_set, request_for, tmp_path: Path):
    """Whatever their order and names; and a video that is there twice is taken once."""
    files = []
    for number, file in enumerate(reversed(filmed.files)):
        files.append(tmp_path / f"{number}.mp4")
        shutil.copy(file, files[-1])
    shutil.copy(filmed.files[0], tmp_path / "again.mp4")
    detector = filmed.detector()
    detector.tracks = detector.tracks[::-1]
    again = make_dataset(request_for(tmp_path / "set", videos=(*files, tmp_path / "again.mp4")), detector=detector)
    assert {(r.sha256, r.split) for r in again.table.videos} == {(r.sha256, r.split) for r in training_set.table.videos}
    assert [len(s.longest) for s in again.table.shards] == [len(s.longest) for s in training_set.table.shards]


def test_an_interrupted_run_goes_on_with_the_next_video(filmed, training_set, request_for, tmp_path: Path):
    with pytest.raises(KeyboardInterrupt):
        make_dataset(request_for(tmp_path / "set"), detector=filmed.detector(stops_at=1))
    assert not (tmp_path / "set").exists()
    detector = filmed.detector(first=1)
    whole = make_dataset(request_for(tmp_path / "set"), detector=detector)
    assert detector.seen == 70 + 24
    assert whole.table == training_set.table  # the sha256 of each shard too
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_shards_are_of_about_one_size_and_listed(training_set, tmp_path: Path):
    table = read_table(training_set.folder)
    assert table == training_set.table
    assert {path.name for path in training_set.folder.glob("*.tar")} == {row.name for row in table.shards}
    for row in table.shards:
        assert (training_set.folder / row.name).stat().st_size == row.bytes < 2_000_000
    summary = json.loads((training_set.folder / "dataset.json").read_text())["summary"]
    assert summary["frames_dropped"] == {NO_PERSON: 3, NO_HEAD: 1}
    with tarfile.open(training_set.folder / "train-000000.tar") as archive:
        names = archive.getnames()
    assert any(name.endswith(".meta.json") for name in names) and any(name.endswith(".000.jpg") for name in names)


def test_a_folder_of_other_things_is_not_replaced(filmed, request_for, tmp_path: Path):
    (tmp_path / "mine.txt").write_text("kept")
    with pytest.raises(OutputError, match=r"mine\.txt"):
        make_dataset(request_for(tmp_path, overwrite=True), detector=filmed.detector())
    assert (tmp_path / "mine.txt").read_text() == "kept"


def test_videos_that_cannot_be_read(filmed, request_for, tmp_path: Path):
    """By default the run ends before any work, with the file's name; or they are passed over and listed."""
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(filmed.files[2].read_bytes()[:3000])
    detector = filmed.detector()
    with pytest.raises(InputError, match=r"bad\.mp4") as caught:
        make_dataset(request_for(tmp_path / "set", videos=(*filmed.files, bad)), detector=detector)
    assert "--lenient" in caught.value.hint and detector.seen == 0
    made = make_dataset(request_for(tmp_path / "set", videos=(bad, *filmed.files), lenient=True), detector=detector)
    assert [name for name, _ in made.table.unreadable] == ["bad.mp4"]
    assert made.table.summary["videos"] == 3


def test_a_video_without_a_usable_frame_is_left_out(filmed, request_for, tmp_path: Path):
    nobody = PoseTrack.empty(24, 120, 160, Fraction(30))
    detector = replace(filmed, tracks=(*filmed.tracks[:2], nobody)).detector()
    made = make_dataset(request_for(tmp_path / "set"), detector=detector)
    assert made.table.summary["left_out"] == ["short.mp4"]
    assert "short.mp4 is left out: no person: frames 0-23" in sentences(made.table)
    assert {s.info.video for s in segments(tmp_path / "set")} == {"long.mp4", "middle.mp4"}


def test_without_any_usable_frame_there_is_no_set(filmed, request_for, tmp_path: Path):
    with pytest.raises(NoPersonError, match="too few points"):
        make_dataset(request_for(tmp_path / "set", usable=UsableSkeleton(points=19)), detector=filmed.detector())
    assert not list(tmp_path.iterdir())


def test_a_size_out_of_range_is_refused(request_for, tmp_path: Path):
    with pytest.raises(UsageError, match="--size 4"):
        make_dataset(request_for(tmp_path / "set", size=4))


def test_which_skeletons_are_usable(filmed):
    track, rule = filmed.tracks[1], UsableSkeleton()
    pose = PersonPose(**{part: getattr(track, part)[0].copy() for part in PARTS})
    assert why_unusable(pose, 120, 160, rule) == ""
    assert why_unusable(None, 120, 160, rule) == NO_PERSON
    assert why_unusable(pose, 1200, 1600, rule) == SMALL
    pose.body[2:14, 2] = 0.1  # nose, neck, eyes and ears
    assert why_unusable(pose, 120, 160, rule) == FEW_POINTS
    pose.body[0, 2] = 0.1
    assert why_unusable(pose, 120, 160, rule) == NO_HEAD


@pytest.mark.parametrize(("count", "sizes"), [(2, [2]), (64, [64]), (95, [95]), (96, [64, 32]), (200, [64, 64, 72])])
def test_a_video_is_cut_into_segments_without_a_short_rest(count: int, sizes: list[int]):
    stretches = segment_stretches(count)
    assert [len(stretch) for stretch in stretches] == sizes
    assert [n for stretch in stretches for n in stretch] == list(range(count))


def test_the_spread_frames_lie_over_the_whole_video():
    for segment in range(20):
        places = spread_indexes(segment, 800)
        assert [n // 100 for n in places] == list(range(8))
    assert len({n for segment in range(20) for n in spread_indexes(segment, 800)}) == 160
    assert spread_indexes(3, 2) == [0, 1]


@pytest.fixture
def original(filmed, tmp_path: Path) -> Path:
    """A folder in the original project's layout: one video nested once, one twice; a map is missing, one is empty."""
    from magicpose_cli.conditions.draw import draw_track

    root = tmp_path / "original"
    for place, number in (("a", 1), ("group/b", 2)):
        maps = draw_track(filmed.tracks[number])
        for index, frame in enumerate(open_clip(filmed.files[number]).frames()):
            write_image(root / "train_set" / place / f"{index}.png", frame)
            if (place, index) != ("a", 5):
                drawn = maps[index] * (index != 9 or place != "a")
                write_image(root / "pose_map_train_set" / place / f"{index}.png", drawn)
    return root


def test_the_original_layout_is_read(filmed, original: Path, request_for, tmp_path: Path):
    made = make_dataset(request_for(tmp_path / "set", videos=(original,), size=120))
    rows = {row.name: row for row in made.table.videos}
    assert set(rows) == {"original/a", "original/group/b"}
    assert rows["original/a"].dropped == {"an empty pose map": ((9, 9),), "no pose map of that name": ((5, 5),)}
    assert rows["original/a"].face is None and made.table.summary["face"] is None
    frames = list(open_clip(filmed.files[1]).frames())
    for segment in segments(tmp_path / "set"):
        assert segment.poses is None and segment.info.drawn
        if segment.info.video == "original/a":
            assert np.array_equal(segment.picture(0), frames[segment.info.numbers[0]])  # PNGs stay lossless
            assert segment.pose_map(0).max() > 100


def test_the_original_layout_without_maps_is_told(original: Path, request_for, tmp_path: Path):
    shutil.rmtree(original / "pose_map_train_set")
    with pytest.raises(InputError, match="no pose_map_train_set/"):
        make_dataset(request_for(tmp_path / "set", videos=(original,)))


def test_a_folder_of_videos_is_read(filmed, request_for, tmp_path: Path):
    made = make_dataset(request_for(tmp_path / "set", videos=(filmed.files[0].parent,)), detector=filmed.detector())
    assert made.table.summary["videos"] == 3


def test_folders_of_frames_are_told_apart_by_their_pixels(tmp_path: Path):
    """Bitmaps of one size and name are as large in bytes, too."""
    seen = set()
    for level in (10, 200, 200):
        folder = tmp_path / f"{level}-{len(seen)}"
        folder.mkdir()
        cv2.imwrite(str(folder / "0.bmp"), np.full((8, 8, 3), level, np.uint8))
        seen.add(identity(find_sources((folder,))[0]))
    assert len(seen) == 2
