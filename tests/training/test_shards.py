"""Batches from shards: the same for a step, no overlap among workers and processes, the person in the picture."""

import functools
import http.server
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("webdataset", reason="webdataset comes with the extra 'train'")

from magicpose_cli.conditions.draw import JOINT_COLOURS, draw_track
from magicpose_cli.conditions.framing import apply_framing
from magicpose_cli.core.errors import DownloadError, InputError, IntegrityError, UsageError
from magicpose_cli.core.keypoints import RIGHT_ANKLE
from magicpose_cli.core.pose_track import PoseTrack
from magicpose_cli.figures.motion import random_pose
from magicpose_cli.figures.render import render
from magicpose_cli.figures.scene import random_identity
from magicpose_cli.pose.detector import PARTS
from magicpose_cli.training.config import DataOptions, read_recipe
from magicpose_cli.training.data.groups import choose_frames, read_group
from magicpose_cli.training.data.make_dataset import make_dataset
from magicpose_cli.training.data.open_data import holds_validation, open_data
from magicpose_cli.training.data.person_mask import mask_of_map, mask_of_points
from magicpose_cli.training.data.plan import BatchPlan
from magicpose_cli.training.data.segment import SegmentInfo, encoded, open_segment, segment_files
from magicpose_cli.training.data.shards import FolderGroups
from magicpose_cli.training.data.square import square_framing


@pytest.fixture
def options(training_set) -> DataOptions:
    return DataOptions(shards=str(training_set.folder), size=64, targets_per_reference=2, workers=0)


def folder_groups(options: DataOptions, *, groups: int = 2, share: tuple[int, int] = (0, 1)) -> FolderGroups:
    return FolderGroups(options, "train", BatchPlan(groups, 7, share=share))


def same(a, b) -> bool:
    return all(torch.equal(getattr(a, name), getattr(b, name)) for name in ("images", "pose_maps", "person"))


def test_a_batch_is_what_figures_give(options: DataOptions):
    batch, figures = (next(open_data(o, BatchPlan(2, 7))) for o in (options, replace(options, shards="")))
    for name in ("images", "pose_maps", "person"):
        mine, theirs = getattr(batch, name), getattr(figures, name)
        assert mine.shape == theirs.shape and mine.dtype == theirs.dtype
    assert -1 <= batch.images.min() < -0.2 and 0.2 < batch.images.max() <= 1
    assert 0 < batch.person.mean() < 0.6 and batch.pose_maps.max() > 200


def test_latents_come_where_an_encoder_is_given(options: DataOptions):
    batch = next(open_data(options, BatchPlan(2, 7, encode=lambda pixels: pixels[:, :1, ::8, ::8])))
    assert batch.images.shape == (2, 3, 1, 8, 8)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_batch_depends_on_its_step_alone(options: DataOptions, workers: int):
    through = list(islice(open_data(options, BatchPlan(2, 7)), 6))
    later = list(islice(open_data(replace(options, workers=workers), BatchPlan(2, 7, 3)), 3))
    assert all(same(a, b) for a, b in zip(through[3:], later, strict=True))
    assert not same(through[0], through[1])


def test_processes_and_workers_share_the_segments_without_overlap(options: DataOptions, training_set):
    """Each segment has its turn before any comes again."""
    count = sum(len(row.longest) for row in training_set.table.shards if row.split == "train")
    shares = [folder_groups(options, groups=1, share=(index, 2)) for index in range(2)]
    drawn = [number for step in range(6 * count) for share in shares for number in share.segments(step)]
    for start in range(0, len(drawn), count):
        assert sorted(drawn[start : start + count]) == list(range(count))


def test_validation_pictures_are_of_other_videos(options: DataOptions, training_set):
    held_out = {row.name for row in training_set.table.videos if row.split == "validation"}
    assert holds_validation(options)
    for split in ("train", "validation"):
        groups = FolderGroups(options, split, BatchPlan(1, 7))
        found = {groups._segment(n).info.video for n in range(len(groups._places))}
        assert (found <= held_out) == (split == "validation")


def test_a_set_of_one_video_holds_nothing_back(filmed, request_for, options: DataOptions, tmp_path: Path):
    make_dataset(request_for(tmp_path / "set", videos=filmed.files[:1]), detector=filmed.detector())
    assert not holds_validation(replace(options, shards=str(tmp_path / "set")))


def info(numbers: list[int], spread: int) -> SegmentInfo:
    return SegmentInfo("a.mp4", "0", tuple(numbers), spread, 64, 64, "jpg", False)


@given(st.integers(0, 1000), st.sampled_from([30, 15, 12, 8]))
def test_a_clip_is_consecutive_frames_at_its_rate(seed: int, clip_fps: int):
    numbers = [*range(5, 40), *range(45, 80)]  # a gap of five dropped frames
    options = DataOptions(targets_per_reference=4, clip_fps=clip_fps)
    chosen = choose_frames(info([*numbers, 5, 40, 90, 200], 4), options, np.random.default_rng(seed))
    shown = [numbers[n] for n in chosen[1:]]
    assert np.array_equal(np.subtract(shown, shown[0]), (np.arange(4) * 30 / clip_fps).round())
    assert not set(shown) & set(range(40, 45))
    assert chosen[0] >= len(numbers)


@given(st.integers(0, 1000))
def test_the_reference_is_none_of_the_targets(seed: int):
    options = DataOptions(targets_per_reference=4)
    numbers = [0, 1, 2, 3, 4, 0, 2, 4, 50]
    reference, *targets = choose_frames(info(numbers, 4), options, np.random.default_rng(seed))
    assert reference >= 5 and numbers[reference] not in {numbers[n] for n in targets}
    assert len(set(targets)) == 4


def test_a_clip_that_no_segment_holds_is_refused(options: DataOptions):
    with pytest.raises(UsageError, match="no stretch of 113 frames"):
        folder_groups(replace(options, targets_per_reference=16, clip_fps=4, size=64)).batch(0)
    with pytest.raises(UsageError, match="the shards hold 30 frames a second"):
        folder_groups(replace(options, clip_fps=60))


@given(
    st.integers(40, 300), st.integers(40, 300), st.tuples(*[st.floats(0, 1)] * 4), st.integers(0, 99)
)  # fmt: skip
def test_the_square_holds_the_person(width: int, height: int, shares: tuple, seed: int):
    left, right = sorted(share * width for share in shares[:2])
    top, bottom = sorted(share * height for share in shares[2:])
    framing = square_framing((left, top, right, bottom), width, height, 64, np.random.default_rng(seed))
    corners = framing.to_canvas(np.array([[left, top], [right, bottom]]))
    assert (corners >= -1).all() and (corners <= 65).all()
    picture = np.zeros((height, width, 3), np.uint8)
    assert apply_framing(picture, framing).shape == (64, 64, 3)


def test_reference_and_targets_are_cropped_at_the_same_place(options: DataOptions, filmed):
    """And the keypoints with them: in pictures whose colours tell the place, each joint lies on its own place."""
    x, y = np.meshgrid(np.arange(120), np.arange(160))
    picture = encoded(np.stack([x, y, x * 0], axis=-1).astype(np.uint8), "png")
    numbers = [*range(6), 20, 50]
    track = filmed.tracks[1]
    poses = PoseTrack(**{part: getattr(track, part)[numbers] for part in PARTS}, width=120, height=160, fps=track.fps)
    stored = SegmentInfo("a.mp4", "0", tuple(numbers), 2, 120, 160, "png", False)
    files = segment_files(stored, [picture] * 8, poses, [])
    segment = open_segment(files.__getitem__, "")
    options = replace(options, size=128)
    for seed in range(5):
        group = read_group(segment, options, np.random.default_rng(seed))
        assert (group.images == group.images[0]).all()
        chosen = choose_frames(stored, options, np.random.default_rng(seed))
        for place, n in enumerate(chosen):
            ankle = np.abs(group.pose_maps[place].astype(int) - JOINT_COLOURS[RIGHT_ANKLE]).sum(axis=-1) < 60
            row, column = np.argwhere(ankle).mean(axis=0)
            found = group.images[place][round(row), round(column), :2]
            assert np.abs(found - poses.body[n, RIGHT_ANKLE, :2]).max() < 3


def test_the_mask_lies_on_the_person():
    for seed in range(5):
        shown = render(random_identity(seed), random_pose(seed), 128)
        points = shown.keypoints
        mask = mask_of_points(points.body, points.left_hand, points.right_hand, points.face, 128)
        both, either = (mask & shown.person_mask).sum(), (mask | shown.person_mask).sum()
        assert both / either > 0.6
        assert both / shown.person_mask.sum() > 0.8


def test_the_mask_of_a_drawn_map_covers_what_is_drawn(filmed):
    pose_map = draw_track(filmed.tracks[1], 0, 1)[0]
    mask = mask_of_map(pose_map[:120, :120])
    assert mask[pose_map[:120, :120].max(axis=2) > 100].all() and mask.mean() < 0.7


def copied(training_set, tmp_path: Path) -> Path:
    return Path(shutil.copytree(training_set.folder, tmp_path / "copy"))


def test_a_shard_that_is_cut_off_is_named(options: DataOptions, training_set, tmp_path: Path):
    folder = copied(training_set, tmp_path)
    shard = folder / "train-000000.tar"
    shard.write_bytes(shard.read_bytes()[:-5000])
    with pytest.raises(IntegrityError, match=r"train-000000\.tar is damaged: it has"):
        open_data(replace(options, shards=str(folder)), BatchPlan(2, 7))
    shard.unlink()
    with pytest.raises(InputError, match=r"lacks train-000000\.tar"):
        open_data(replace(options, shards=str(folder)), BatchPlan(2, 7))


@pytest.mark.parametrize("workers", [0, 1])
def test_a_shard_whose_content_is_damaged_is_named(options: DataOptions, training_set, tmp_path: Path, workers: int):
    """The workers' errors too come as sentences, not as tracebacks in one."""
    folder = copied(training_set, tmp_path)
    for shard in folder.glob("train-*.tar"):
        content = bytearray(shard.read_bytes())
        content[2048:-20480] = bytes(len(content) - 2048 - 20480)
        shard.write_bytes(content)
    with pytest.raises(IntegrityError, match=r"train-00000\d\.tar is damaged") as caught:
        list(islice(open_data(replace(options, shards=str(folder), workers=workers), BatchPlan(2, 7)), 3))
    assert "Traceback" not in caught.value.message and "copy it again" in caught.value.hint


def test_what_is_no_training_set_is_told(options: DataOptions, tmp_path: Path):
    with pytest.raises(InputError, match="is no training set"):
        open_data(replace(options, shards=str(tmp_path)), BatchPlan(2, 7))
    (tmp_path / "dataset.json").write_text('{"magicpose_dataset": 1, "videos": []}')
    with pytest.raises(IntegrityError, match=r"dataset\.json is damaged"):
        open_data(replace(options, shards=str(tmp_path)), BatchPlan(2, 7))


def test_drawn_maps_are_cropped_with_their_frames(filmed, request_for, options: DataOptions, tmp_path: Path):
    from magicpose_cli.video.images import write_image
    from magicpose_cli.video.read import open_clip

    root = tmp_path / "original"
    maps = draw_track(filmed.tracks[2])
    for index, frame in enumerate(open_clip(filmed.files[2]).frames()):
        write_image(root / "train_set" / "a" / f"{index}.png", frame)
        write_image(root / "pose_map_train_set" / "a" / f"{index}.png", maps[index])
    make_dataset(request_for(tmp_path / "set", videos=(root,)))
    batch = next(open_data(replace(options, shards=str(tmp_path / "set")), BatchPlan(2, 7)))
    assert batch.pose_maps.shape == (2, 3, 64, 64, 3) and batch.pose_maps.max() > 150
    drawn = batch.pose_maps.amax(-1) > 100
    cells = batch.person.repeat_interleave(8, -1).repeat_interleave(8, -2)
    assert cells[drawn].min() > 0.1


@pytest.fixture
def many_shards(filmed, request_for, tmp_path: Path) -> Path:
    """A set with a segment a shard: two or more in training, as the split by the files' content falls."""
    return make_dataset(request_for(tmp_path / "many", shard_megabytes=0.001), detector=filmed.detector()).folder


def shards_of(folder: Path) -> int:
    return len(list(folder.glob("train-*.tar")))


def streamed(options: DataOptions, folder: Path, first: int = 0, share=(0, 1), address: str = "", **more) -> Iterator:
    where = address or folder
    pattern = f"{where}/train-{{000000..{shards_of(folder) - 1:06}}}.tar"
    options = replace(options, shards=pattern, validation_shards=f"{where}/validation-000000.tar")
    return open_data(options, BatchPlan(2, 7, first, share=share), **more)


def test_a_stream_gives_the_same_batches_from_the_same_start(options: DataOptions, many_shards: Path):
    for workers in (0, 2):
        chosen = replace(options, workers=workers)
        one, two = (list(islice(streamed(chosen, many_shards), 4)) for _ in range(2))
        assert all(same(a, b) for a, b in zip(one, two, strict=True))
        assert not same(one[0], next(streamed(chosen, many_shards, first=4)))
    assert next(streamed(options, many_shards, split="validation")).images.shape == (2, 3, 3, 64, 64)


@pytest.fixture
def served(many_shards: Path) -> Iterator[tuple[str, list[str]]]:
    """The address that serves the shards, and the files that were asked for there so far."""
    asked: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *words: object) -> None:
            asked.append(Path(self.path).name)

    handler = functools.partial(Handler, directory=str(many_shards))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


reads_addresses = pytest.mark.skipif(not shutil.which("curl"), reason="webdataset reads addresses with curl")


@reads_addresses
def test_streams_share_the_shards(options: DataOptions, many_shards: Path, served):
    address, asked = served
    count = shards_of(many_shards)
    opened: list[set[str]] = []
    for index in range(count):
        asked.clear()
        next(streamed(options, many_shards, share=(index, count), address=address))
        opened.append(set(asked))
    assert sum(map(len, opened)) == len(set.union(*opened)) == count


def test_fewer_shards_than_workers_are_told(options: DataOptions, many_shards: Path):
    count = shards_of(many_shards)
    with pytest.raises(UsageError, match=f"{count} shards cannot feed {2 * count} workers"):
        streamed(replace(options, workers=count), many_shards, share=(0, 2))


@reads_addresses
def test_shards_stream_from_an_address(options: DataOptions, many_shards: Path, served):
    address, _ = served
    assert same(next(streamed(options, many_shards, address=address)), next(streamed(options, many_shards)))
    with pytest.raises(DownloadError, match="cannot be streamed"):
        next(streamed(options, many_shards, address=f"{address}/nowhere"))
    with pytest.raises(InputError, match="cannot be read: No such file"):
        next(streamed(options, many_shards, address=f"{many_shards}/nowhere"))


def test_a_recipe_names_shards_beside_itself(tmp_path: Path):
    recipe = tmp_path / "pose.toml"
    for named, read in (
        ("set", f"{tmp_path}/set"),
        ("set/train-{000000..000003}.tar", f"{tmp_path}/set/train-{{000000..000003}}.tar"),
        ("https://host/train-{000000..000003}.tar", "https://host/train-{000000..000003}.tar"),
        ("pipe:cat a.tar", "pipe:cat a.tar"),
    ):
        recipe.write_text(f'stage = "pose"\n[data]\nshards = "{named}"\n')
        assert read_recipe(recipe).data.shards == read
