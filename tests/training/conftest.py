"""Videos of synthetic figures whose keypoints are known, a training set made of them, and a tiny configuration of every
stage with one run of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from magicpose_cli.pose.detector import PARTS, PersonPose, PoseDetector

SIDE, CUT = 160, 20  # figures are drawn on 160 × 160, and 20 columns are cut off on both sides
SIZE = 96  # the stored frames' shorter side
FRAMES = {"long": 110, "middle": 70, "short": 24}
LOST = range(20, 23)  # frames of "long" without a person
FAINT = 40  # a frame of "long" whose nose is not sure


@dataclass
class KnownPoses(PoseDetector):
    """A detector for videos whose poses are known: those of the next video with each reset."""

    tracks: Sequence
    stops_at: int = -1  # the video at which Ctrl-C comes
    name: str = "known"
    version: str = "1"
    video: int = -1
    frame: int = 0
    seen: int = 0

    def reset(self) -> None:
        self.video, self.frame = self.video + 1, 0
        if self.video == self.stops_at:
            raise KeyboardInterrupt

    def detect(self, frame: np.ndarray) -> list:
        track, index = self.tracks[self.video], self.frame
        self.frame += 1
        self.seen += 1
        pose = PersonPose(**{part: getattr(track, part)[index] for part in PARTS})
        return [pose] if pose.box else []

    def close(self) -> None:
        pass


@dataclass(frozen=True)
class Filmed:
    """Files, and the truth about them: keypoints in their pixels."""

    files: tuple[Path, ...]
    tracks: tuple

    def detector(self, first: int = 0, stops_at: int = -1) -> KnownPoses:
        return KnownPoses(self.tracks[first:], stops_at)


@pytest.fixture(scope="session")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> Filmed:
    """Three videos at 30 frames a second. In "long" a few frames have no person, or no sure nose."""
    from magicpose_cli.core.keypoints import NOSE
    from magicpose_cli.figures.identity import View
    from magicpose_cli.figures.motion import make_motion
    from magicpose_cli.figures.render import render, track_of
    from magicpose_cli.figures.scene import random_identity
    from magicpose_cli.video.write import write_video

    folder = tmp_path_factory.mktemp("filmed")
    files, tracks = [], []
    for seed, (name, count) in enumerate(FRAMES.items(), start=3):
        person, dance = replace(random_identity(seed), view=View()), make_motion(seed, count, fps=30)
        frames = (np.ascontiguousarray(render(person, pose, SIDE).image[:, CUT:-CUT]) for pose in dance)
        write_video(folder / f"{name}.mp4", frames, Fraction(30), width=SIDE - 2 * CUT, height=SIDE)
        track = track_of(person, dance, SIDE, 30).map_points(1, -CUT, 0, SIDE - 2 * CUT, SIDE)
        if name == "long":
            for part in ("body", "left_hand", "right_hand", "face"):
                getattr(track, part)[LOST] = 0
            track.body[FAINT, NOSE, 2] = 0.1
        files.append(folder / f"{name}.mp4")
        tracks.append(track)
    return Filmed(tuple(files), tuple(tracks))


def requested(filmed: Filmed, output: Path, **more):
    from magicpose_cli.training.data.dataset_request import DatasetRequest

    request = DatasetRequest(videos=filmed.files, output=output, size=SIZE, shard_megabytes=1, validation=0.3)
    return replace(request, **more)


@pytest.fixture(scope="session")
def training_set(filmed: Filmed, tmp_path_factory: pytest.TempPathFactory):
    """The set of the three videos: its folder and its table."""
    pytest.importorskip("webdataset", reason="webdataset comes with the extra 'train'")
    from magicpose_cli.training.data.make_dataset import make_dataset

    return make_dataset(requested(filmed, tmp_path_factory.mktemp("set") / "set"), detector=filmed.detector())


@pytest.fixture
def request_for(filmed: Filmed):
    """``request_for(output, **options)``: a request for a set of the three videos."""

    def made(output: Path, **options):
        return requested(filmed, output, **options)

    return made


DATA = """
validate_batches = 1
video_frames = 2
[data]
size = 32
targets_per_reference = 2
workers = 0
[optimizer]
learning_rate = 1e-3
clip = 1.0
"""
VAE = """
stage = "vae"
steps = 4
batch = 2
""" + DATA + """
[new.vae]
latent_channels = 12
block_out_channels = [8, 16, 24, 32]
down_block_types = ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D"]
up_block_types = ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"]
norm_num_groups = 1
"""  # fmt: skip
BASE = """
stage = "base"
start = "vae/model"
steps = 4
batch = 4
""" + DATA + """
[new.unet]
sample_size = 4
in_channels = 12
out_channels = 12
block_out_channels = [16, 32]
layers_per_block = 1
down_block_types = ["CrossAttnDownBlock2D", "DownBlock2D"]
up_block_types = ["UpBlock2D", "CrossAttnUpBlock2D"]
cross_attention_dim = 8
attention_head_dim = 2
norm_num_groups = 8
[new.text_encoder]
hidden_size = 8
intermediate_size = 16
projection_dim = 8
num_hidden_layers = 1
num_attention_heads = 2
max_position_embeddings = 8
[new.scheduler]
beta_schedule = "scaled_linear"
clip_sample = false
prediction_type = "sample"
"""  # fmt: skip
APPEARANCE = 'stage = "appearance"\nstart = "base/model"\nsteps = 3\nbatch = 4\n' + DATA
POSE = (
    'stage = "pose"\nstart = "appearance/model"\nsteps = 3\nbatch = 4\n'
    + DATA
    + "[noise]\nperson_weight = 1.0\n"
    + "[new.pose_controlnet]\nconditioning_embedding_out_channels = [4, 4, 8, 8]\n"
    + "[new.pipeline]\ndefault_steps = 2\ndefault_guidance = 1.5\nnative_size = 32\n"
)
MOTION = (
    'stage = "motion"\nstart = "pose/model"\nsteps = 2\nbatch = 6\n'
    + DATA.replace("reference = 2", "reference = 3\nclip_fps = 12")
    + "[new.motion_adapter]\nblock_out_channels = [16, 32]\nmotion_layers_per_block = 1\n"
    + "motion_num_attention_heads = 2\nmotion_norm_num_groups = 8\nmotion_max_seq_length = 16\n"
    + "[new.pipeline]\ndefault_steps = 2\ndefault_guidance = 1.5\nnative_size = 32\n"
)


def train(folder: Path, name: str, text: str, *, resume: bool = False):
    """Train the recipe ``text`` in ``folder/name``."""
    from magicpose_cli.training.loop import run_recipe

    recipe = folder / f"{name}.toml"
    recipe.write_text(text, encoding="utf-8")
    return run_recipe(recipe, folder / name, resume=resume)


def weights(folder: Path, part: str):
    """The tensors of a part of a run's model."""
    from safetensors.torch import load_file

    return load_file(folder / "model" / part / "diffusion_pytorch_model.safetensors")


@pytest.fixture(scope="session")
def tiny() -> SimpleNamespace:
    """The recipes, and what trains them."""
    return SimpleNamespace(
        DATA=DATA, VAE=VAE, BASE=BASE, APPEARANCE=APPEARANCE, POSE=POSE, MOTION=MOTION, train=train, weights=weights
    )


@pytest.fixture(scope="session")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of each stage but ``motion``."""
    folder = tmp_path_factory.mktemp("stages")
    for name, text in (("vae", VAE), ("base", BASE), ("appearance", APPEARANCE), ("pose", POSE)):
        train(folder, name, text)
    return folder
