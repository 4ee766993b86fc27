"""A tiny configuration of every stage, and one run of each: seconds, on one core."""

from pathlib import Path
from types import SimpleNamespace

import pytest

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
    + "[noise]\ndrop = 0.3\nperson_weight = 1.0\n"
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
