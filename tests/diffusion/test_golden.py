"""The method on stock classes against what the original computes, on a small configuration.

``tests/golden/reference_c32.safetensors`` holds inputs and outputs; each weight is made from its name in the
released checkpoint's layout, so the test holds the name maps too.
"""

import json
import zlib
from math import prod
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors import safe_open

from magicpose_cli.diffusion.appearance import write_appearance
from magicpose_cli.diffusion.attention_bank import AttentionBank
from magicpose_cli.diffusion.checkpoints.ldm_keys import controlnet_key_map, unet_key_map, vae_key_map
from magicpose_cli.diffusion.checkpoints.sd15_config import CONTROLNET, UNET, VAE
from magicpose_cli.diffusion.denoise import Conditions, Networks, denoise, predict
from magicpose_cli.diffusion.guidance import CONDITIONS, Guidance
from magicpose_cli.diffusion.latents import decode_to_tensor, encode_pictures
from magicpose_cli.diffusion.pose_control import PoseEmbeddings, encode_pose_maps, pose_residuals
from magicpose_cli.diffusion.schedulers import published_scheduler
from magicpose_cli.diffusion.stock import AutoencoderKL, ControlNetModel, UNet2DConditionModel
from magicpose_cli.diffusion.text_attention import attach_text
from magicpose_cli.diffusion.windows import batches

FILE = Path(__file__).parents[1] / "golden" / "reference_c32.safetensors"
WIDTHS = {"block_out_channels": (32, 64, 128, 128)}
SMALL = WIDTHS | {"cross_attention_dim": 64}


def weight(name, shape, seed):
    random = np.random.RandomState((zlib.crc32(name.encode()) + seed) % 2**32)
    r = random.standard_normal(shape).astype(np.float32)
    if len(shape) == 1:
        return 1 + 0.1 * r if name.endswith("weight") else 0.05 * r
    return r * np.float32(prod(shape[1:]) ** -0.5 * (3 if "input_hint_block" in name else 1))


def fill(model, names, prefix, shapes, seed):
    state = model.state_dict()
    for theirs, ours in names.items():
        if prefix + theirs in shapes:
            made = weight(prefix + theirs, shapes[prefix + theirs], seed)
            state[ours] = torch.from_numpy(made).reshape(state[ours].shape)
    model.load_state_dict(state)
    return model.eval()


@pytest.fixture(scope="module")
def golden():
    with safe_open(FILE, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        facts = file.metadata()
    shapes, seed = json.loads(facts["keys"]), int(facts["seed"])
    unet = fill(
        UNet2DConditionModel(**UNET | SMALL), unet_key_map(UNET | SMALL), "model.diffusion_model.", shapes, seed
    )
    appearance = UNet2DConditionModel(**UNET | SMALL)
    fill(appearance, unet_key_map(UNET | SMALL), "appearance_control_model.", shapes, seed)
    controlnet = ControlNetModel(**CONTROLNET | SMALL)
    fill(controlnet, controlnet_key_map(CONTROLNET | SMALL), "pose_control_model.", shapes, seed)
    vae = fill(AutoencoderKL(**VAE | WIDTHS), vae_key_map(VAE | WIDTHS), "first_stage_model.", shapes, seed)
    networks = Networks(unet, appearance, controlnet)
    poses = tensors["in.poses"]
    embeddings = PoseEmbeddings(controlnet, lambda i, j: poses[i:j], len(poses), device=torch.device("cpu"))
    conditions = Conditions(tensors["in.ref_latent"], tensors["in.context"], embeddings)
    return SimpleNamespace(tensors=tensors, networks=networks, vae=vae, conditions=conditions)


def assert_near(ours, theirs):
    assert ours.shape == theirs.shape
    assert torch.linalg.vector_norm(ours - theirs) / torch.linalg.vector_norm(theirs) < 1e-5


@torch.no_grad()
def test_vae(golden):
    mean = encode_pictures(golden.vae, golden.tensors["in.ref_image"]) / golden.vae.config.scaling_factor
    assert_near(mean, golden.tensors["out.vae_mean"])
    assert_near(decode_to_tensor(golden.vae, golden.tensors["in.ref_latent"]), golden.tensors["out.vae_decoded"])


@torch.no_grad()
def test_bank(golden):
    bank = AttentionBank()
    write_appearance(golden.networks.appearance_unet, golden.conditions.reference, 501, golden.conditions.text, bank)
    assert len(bank) == 16
    for i, name in enumerate(bank.names):
        assert_near(bank.read(name), golden.tensors[f"out.bank_{i:02}"])


@torch.no_grad()
def test_pose_residuals(golden):
    controlnet = golden.networks.pose_controlnet
    encoded = encode_pose_maps(controlnet, golden.tensors["in.poses"][:1])
    encoder = controlnet.controlnet_cond_embedding
    down, middle = pose_residuals(controlnet, golden.tensors["in.x_T"], 501, golden.conditions.text, encoded)
    assert controlnet.controlnet_cond_embedding is encoder
    assert len(down) == 12
    for i, residual in enumerate([*down, middle]):
        assert_near(residual, golden.tensors[f"out.pose_residual_{i:02}"])


@torch.no_grad()
@pytest.mark.parametrize("t", [981, 501, 1])
def test_both_branches(golden, t):
    n, c, bank = golden.networks, golden.conditions, AttentionBank()
    window = batches(1, 1)[0]
    write_appearance(n.appearance_unet, c.reference, t, c.text, bank)
    x = golden.tensors["in.x_T"]
    assert_near(predict(n, c, x, t, window, bank, CONDITIONS), golden.tensors[f"out.eps_cond_t{t}"])
    assert_near(predict(n, c, x, t, window, bank, frozenset()), golden.tensors[f"out.eps_uncond_t{t}"])
    with attach_text(n.unet, n.pose_controlnet):
        assert_near(predict(n, c, x, t, window, bank, CONDITIONS), golden.tensors[f"out.eps_cond_t{t}"])


def test_five_ddim_steps(golden):
    scheduler = published_scheduler()
    scheduler.set_timesteps(5)
    assert sorted(scheduler.timesteps.tolist()) == golden.tensors["out.ddim_timesteps"].tolist()
    noise = golden.tensors["in.x_T"].expand(3, -1, -1, -1)
    latents = denoise(golden.networks, golden.conditions, noise, scheduler, lambda step: batches(3, 2), Guidance(7.0))
    assert_near(latents, golden.tensors["out.ddim_latents"])


def test_published_timesteps():
    scheduler = published_scheduler()
    scheduler.set_timesteps(50)
    assert scheduler.timesteps.tolist() == list(range(981, 0, -20))
