"""Motion modules in AnimateDiff's names become MotionAdapter folders; the version is read from the tensors."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from magicpose_cli.core.errors import IntegrityError
from magicpose_cli.diffusion.checkpoints.animatediff import convert_motion_module, motion_component
from magicpose_cli.diffusion.checkpoints.components import check
from magicpose_cli.diffusion.checkpoints.convert import detect_checkpoint
from magicpose_cli.diffusion.checkpoints.magicpose_ldm import convert_magicpose


def _animatediff(channels, frames, mid, layers=2, prefix=""):
    """A motion module's tensors in AnimateDiff's layout, spelt out block by block."""
    generator = torch.Generator().manual_seed(0)

    def random(*shape):
        return torch.randn(shape, generator=generator)

    def block(width):
        tensors = {"norm.weight": (width,), "norm.bias": (width,)}
        tensors |= {"proj_in.weight": (width, width), "proj_in.bias": (width,)}
        tensors |= {"proj_out.weight": (width, width), "proj_out.bias": (width,)}
        inner = {f"norms.{i}.{part}": (width,) for i in (0, 1) for part in ("weight", "bias")}
        inner |= {"ff_norm.weight": (width,), "ff_norm.bias": (width,)}
        inner |= {"ff.net.0.proj.weight": (8 * width, width), "ff.net.0.proj.bias": (8 * width,)}
        inner |= {"ff.net.2.weight": (width, 4 * width), "ff.net.2.bias": (width,)}
        for i in (0, 1):
            inner |= {f"attention_blocks.{i}.{p}.weight": (width, width) for p in ("to_q", "to_k", "to_v", "to_out.0")}
            inner[f"attention_blocks.{i}.to_out.0.bias"] = (width,)
        values = {name: random(*shape) for name, shape in tensors.items()}
        values |= {f"transformer_blocks.0.{name}": random(*shape) for name, shape in inner.items()}
        positions = random(1, frames, width)
        for i in (0, 1):
            values[f"transformer_blocks.0.attention_blocks.{i}.pos_encoder.pe"] = positions.clone()
        return {f"temporal_transformer.{name}": tensor for name, tensor in values.items()}

    places = {f"down_blocks.{b}.motion_modules.{i}": w for b, w in enumerate(channels) for i in range(layers)}
    places |= {
        f"up_blocks.{b}.motion_modules.{i}": w for b, w in enumerate(reversed(channels)) for i in range(layers + 1)
    }
    if mid:
        places["mid_block.motion_modules.0"] = channels[-1]
    return {f"{prefix}{place}.{n}": v for place, width in places.items() for n, v in block(width).items()}


@pytest.mark.parametrize(("frames", "mid", "prefix"), [(24, False, ""), (32, True, "module."), (32, False, "")])
def test_versions(frames, mid, prefix, tmp_path):
    from diffusers import MotionAdapter

    tensors = _animatediff((32, 64), frames, mid, prefix=prefix)
    torch.save({"epoch": 1, "state_dict": tensors}, tmp_path / "mm.ckpt")
    assert detect_checkpoint(tmp_path / "mm.ckpt") == "motion"
    out = convert_motion_module(tmp_path / "mm.ckpt", tmp_path / "motion", dtype="float32")
    adapter, info = MotionAdapter.from_pretrained(out, output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"]
    assert adapter.config.motion_max_seq_length == frames and adapter.config.use_motion_mid_block == mid
    assert tuple(adapter.config.block_out_channels) == (32, 64)
    values = adapter.state_dict()
    head = prefix + "up_blocks.1.motion_modules.2.temporal_transformer.transformer_blocks.0."
    ours = "up_blocks.1.motion_modules.2.transformer_blocks.0."
    for theirs, name in (
        ("attention_blocks.0.to_q.weight", "attn1.to_q.weight"),
        ("attention_blocks.1.to_out.0.bias", "attn2.to_out.0.bias"),
        ("norms.1.weight", "norm2.weight"),
        ("ff_norm.bias", "norm3.bias"),
        ("attention_blocks.1.pos_encoder.pe", "pos_embed.pe"),
    ):
        assert torch.equal(values[ours + name], tensors[head + theirs])


def test_our_names_agree_with_diffusers_own_reader(tmp_path):
    from diffusers import MotionAdapter

    save_file(_animatediff((32, 32, 64, 64), 32, True), tmp_path / "mm.safetensors")
    out = convert_motion_module(tmp_path / "mm.safetensors", tmp_path / "motion", dtype="float32")
    theirs = MotionAdapter.from_single_file(str(tmp_path / "mm.safetensors"), config=str(out), local_files_only=True)
    ours = load_file(out / "diffusion_pytorch_model.safetensors")
    assert theirs.state_dict().keys() == ours.keys()
    for name, values in theirs.state_dict().items():
        if not name.endswith("pos_embed.pe"):  # their reader computes the positions anew
            assert torch.equal(values, ours[name]), name


def test_a_motion_adapter_file_is_taken_over(tmp_path):
    save_file(_animatediff((32,), 32, True), tmp_path / "mm.safetensors")
    first = convert_motion_module(tmp_path / "mm.safetensors", tmp_path / "a")
    again = convert_motion_module(first / "diffusion_pytorch_model.safetensors", tmp_path / "b")
    files = [(folder / "diffusion_pytorch_model.safetensors").read_bytes() for folder in (first, again)]
    assert files[0] == files[1]
    assert (first / "config.json").read_bytes() == (again / "config.json").read_bytes()


def test_a_whole_model_takes_its_motion_module_along(released, configs, tokenizer_folder, tmp_path):
    from magicpose_cli.diffusion.pipeline import MagicPosePipeline

    save_file(_animatediff((32, 64, 64, 96), 32, True, layers=1), tmp_path / "mm.safetensors")
    out = convert_magicpose(
        released,
        tmp_path / "model",
        tokenizer=tokenizer_folder,
        motion_module=tmp_path / "mm.safetensors",
        dtype="float32",
        configs=configs,
    ).folder
    pipeline = MagicPosePipeline.from_pretrained(out)
    pipeline.set_progress_bar_config(disable=True)
    photo, poses = np.full((64, 64, 3), 90, np.uint8), np.zeros((2, 64, 64, 3), np.uint8)
    assert pipeline(photo, poses, num_inference_steps=1).frames.shape == (2, 64, 64, 3)


def test_odd_files_are_refused_by_name(tmp_path):
    tensors = _animatediff((32,), 32, True)
    name = "mid_block.motion_modules.0.temporal_transformer.transformer_blocks.0.attention_blocks.1.pos_encoder.pe"
    cases = {
        "should be equal": tensors | {name: tensors[name] + 1},
        "conv_in.weight": tensors | {"conv_in.weight": torch.zeros(32, 4, 3, 3)},
        "lacks 'mid_block.*proj_in.bias'": {
            n: v for n, v in tensors.items() if n != "mid_block.motion_modules.0.temporal_transformer.proj_in.bias"
        },
        "no motion module": {"mid_block.motion_modules.0.norm.weight": torch.zeros(32)},
    }
    for i, (message, content) in enumerate(cases.items()):
        file = tmp_path / f"{i}.safetensors"
        save_file(content, file)
        with pytest.raises(IntegrityError, match=message):
            check(motion_component(file, "motion_adapter"))
