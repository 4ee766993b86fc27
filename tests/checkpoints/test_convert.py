"""A whole checkpoint file in, a model folder out, read back by diffusers: the values are the file's."""

import json
import os
import sys
from contextlib import suppress

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from magicpose_cli.core.confinement import Limits, confine
from magicpose_cli.core.errors import InputError, IntegrityError, OutputError, UsageError
from magicpose_cli.core.system_calls import stay_apart
from magicpose_cli.diffusion.checkpoints.controlnet_ldm import convert_controlnet
from magicpose_cli.diffusion.checkpoints.convert import convert_checkpoint, detect_checkpoint
from magicpose_cli.diffusion.checkpoints.ldm_keys import controlnet_key_map, unet_key_map, vae_key_map
from magicpose_cli.diffusion.checkpoints.magicpose_ldm import convert_magicpose


@pytest.fixture(scope="module")
def checkpoint(released, tmp_path_factory):
    file = tmp_path_factory.mktemp("checkpoint") / "model_state-110000.th"
    torch.save({"state_dict": released, "global_step": 110000}, file)
    return file


@pytest.fixture(scope="module")
def converted(checkpoint, configs, tokenizer_folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("models") / "magicpose"
    return convert_magicpose(checkpoint, out, tokenizer=tokenizer_folder, dtype="float32", configs=configs)


@pytest.mark.skipif(sys.platform != "linux", reason="confines a forked process")
def test_a_confined_process_can_convert(checkpoint, configs, tokenizer_folder, converted, tmp_path):
    child = os.fork()
    if child == 0:
        with suppress(BaseException):
            stay_apart()
            confine(Limits())
            convert_magicpose(
                checkpoint, tmp_path / "out", tokenizer=tokenizer_folder, dtype="float32", configs=configs
            )
            os._exit(0)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    files = [path.relative_to(converted.folder) for path in converted.folder.rglob("*.safetensors")]
    assert files
    for file in files:
        assert (tmp_path / "out" / file).read_bytes() == (converted.folder / file).read_bytes()


def _tensors(converted, component):
    (file,) = (converted.folder / component).glob("*.safetensors")
    return load_file(file)


def test_every_value_arrives_under_its_diffusers_name(converted, released, configs):
    for prefix, component, names in (
        ("model.diffusion_model.", "unet", unet_key_map(configs.unet)),
        ("appearance_control_model.", "appearance_unet", unet_key_map(configs.unet)),
        ("pose_control_model.", "pose_controlnet", controlnet_key_map(configs.controlnet)),
        ("first_stage_model.", "vae", vae_key_map(configs.vae)),
    ):
        written = _tensors(converted, component)
        for theirs, ours in names.items():
            if prefix + theirs in released:
                assert torch.equal(written.pop(ours).flatten(), released[prefix + theirs].flatten()), ours
        # what the checkpoint lacks: the appearance model's output layers, whose output nobody reads
        assert all(not values.any() for values in written.values())
        assert len(written) == (4 if component == "appearance_unet" else 0)


def test_diffusers_reads_each_component_whole(converted, released):
    from diffusers import AutoencoderKL, ControlNetModel, DDIMScheduler, UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTokenizer

    for model, folder in (
        (UNet2DConditionModel, "unet"),
        (UNet2DConditionModel, "appearance_unet"),
        (ControlNetModel, "pose_controlnet"),
        (AutoencoderKL, "vae"),
        (CLIPTextModel, "text_encoder"),
    ):
        loaded, info = model.from_pretrained(converted.folder / folder, output_loading_info=True)
        assert not any(info[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys")), folder
    text = {name.removeprefix("text_model."): values for name, values in loaded.state_dict().items()}
    for name, values in text.items():
        assert torch.equal(values, released["cond_stage_model.transformer.text_model." + name])

    tokenizer = CLIPTokenizer.from_pretrained(converted.folder / "tokenizer")
    ids = tokenizer("hex", padding="max_length", max_length=tokenizer.model_max_length).input_ids
    assert len(ids) == 77 and ids[0] == 513 and ids[1] == 512 and ids[3:] == [514] * 74

    scheduler = DDIMScheduler.from_pretrained(converted.folder / "scheduler")
    scheduler.set_timesteps(50)
    assert scheduler.timesteps.tolist() == list(range(981, 0, -20))
    assert scheduler.final_alpha_cumprod == scheduler.alphas_cumprod[0]


def test_index_names_every_folder(converted):
    index = json.loads((converted.folder / "model_index.json").read_text())
    components = {name for name, value in index.items() if isinstance(value, list) and value[0]}
    assert components == {path.name for path in converted.folder.iterdir() if path.is_dir()}
    assert index["_class_name"] == "MagicPosePipeline" and index["motion_adapter"] == [None, None]
    assert [index[name] for name in ("default_steps", "default_guidance", "native_size")] == [50, 7.0, 512]
    assert converted.notes == ()


def test_the_pipeline_makes_a_frame_of_it(converted):
    from magicpose_cli.diffusion.pipeline import MagicPosePipeline

    pipeline = MagicPosePipeline.from_pretrained(converted.folder)
    pipeline.set_progress_bar_config(disable=True)
    assert pipeline.config.native_size == 512 and pipeline.motion_adapter is None
    photo, poses = np.full((64, 64, 3), 90, np.uint8), np.zeros((1, 64, 64, 3), np.uint8)
    frames = pipeline(photo, poses, num_inference_steps=2, prompt="he").frames
    assert frames.shape == (1, 64, 64, 3) and frames.dtype == np.uint8


def test_half_precision_is_the_default_and_halves_the_file(released, configs, tokenizer_folder, tmp_path):
    half = convert_magicpose(released, tmp_path / "half", tokenizer=tokenizer_folder, configs=configs)
    written = _tensors(half, "unet")
    assert {values.dtype for values in written.values()} == {torch.float16}
    source = released["model.diffusion_model.out.2.weight"]
    assert torch.equal(written["conv_out.weight"], source.half())


def test_our_names_agree_with_diffusers_own_reader(released, configs, converted, tmp_path):
    """diffusers reads single LDM files too, by a converter of its own: an independent judge of the maps."""
    from diffusers import AutoencoderKL, ControlNetModel, UNet2DConditionModel

    for prefix, model, folder, their_prefix in (
        ("model.diffusion_model.", UNet2DConditionModel, "unet", "model.diffusion_model."),
        ("pose_control_model.", ControlNetModel, "pose_controlnet", "control_model."),
        ("first_stage_model.", AutoencoderKL, "vae", "first_stage_model."),
    ):
        file = tmp_path / f"{folder}.safetensors"
        save_file({their_prefix + n.removeprefix(prefix): v for n, v in released.items() if n.startswith(prefix)}, file)
        theirs = model.from_single_file(str(file), config=str(converted.folder / folder), local_files_only=True)
        ours = _tensors(converted, folder)
        for name, values in theirs.state_dict().items():
            assert torch.equal(values, ours[name]), name


def test_unknown_tensor_is_named(released, configs, tokenizer_folder, tmp_path):
    for name in ("model.diffusion_model.input_blocks.1.0.extra.weight", "first_stage_model.loss.logvar", "surprise"):
        with pytest.raises(IntegrityError, match=name.replace(".", r"\.")):
            convert_magicpose(
                released | {name: torch.zeros(1)}, tmp_path / "out", tokenizer=tokenizer_folder, configs=configs
            )
    assert not list(tmp_path.iterdir())


def test_missing_misshapen_and_broken_tensors_are_named(released, configs, tokenizer_folder, tmp_path):
    name = "pose_control_model.zero_convs.3.0.weight"
    cases = {
        "controlnet_down_blocks.3.weight": {n: v for n, v in released.items() if n != name},
        name: released | {name: torch.zeros(7, 7)},
        f"{name}.*not finite": released | {name: torch.full_like(released[name], torch.inf)},
        f"{name}.*too large for float16": released | {name: torch.full_like(released[name], 1e6)},
    }
    for message, tensors in cases.items():
        with pytest.raises(IntegrityError, match=message):
            convert_magicpose(tensors, tmp_path / "out", tokenizer=tokenizer_folder, configs=configs)
    assert not list(tmp_path.iterdir()), "nothing half done may stay"


def test_stage_one_checkpoint_takes_its_pose_controlnet_from_another_file(
    released, ldm_tensors, configs, tokenizer_folder, tmp_path
):
    stage_one = {
        name.replace("appearance_control_model.", "control_model."): values
        for name, values in released.items()
        if not name.startswith("pose_control_model.")
    }
    with pytest.raises(IntegrityError, match="no pose ControlNet"):
        convert_magicpose(stage_one, tmp_path / "out", tokenizer=tokenizer_folder, configs=configs)
    pose = tmp_path / "control.pth"
    torch.save(ldm_tensors("controlnet", configs.controlnet, "control_model.", 9), pose)
    converted = convert_magicpose(
        stage_one, tmp_path / "out", tokenizer=tokenizer_folder, controlnet=pose, dtype="float32", configs=configs
    )
    appearance = _tensors(converted, "appearance_unet")["mid_block.resnets.0.conv1.weight"]
    assert torch.equal(appearance, released["appearance_control_model.middle_block.0.in_layers.2.weight"])
    written = _tensors(converted, "pose_controlnet")["controlnet_mid_block.bias"]
    assert torch.equal(written, torch.load(pose)["control_model.middle_block_out.0.bias"])


def test_checkpoint_to_start_training_from(released, configs, tokenizer_folder, tmp_path):
    """SD 1.5 with a fresh ControlNet under ``control_model.``: the appearance model starts as the denoiser."""
    start = {
        name.replace("pose_control_model.", "control_model."): values
        for name, values in released.items()
        if not name.startswith("appearance_control_model.")
    }
    converted = convert_magicpose(start, tmp_path / "out", tokenizer=tokenizer_folder, configs=configs)
    unet, appearance = (_tensors(converted, name) for name in ("unet", "appearance_unet"))
    assert all(torch.equal(values, appearance[name]) for name, values in unet.items())
    assert "trained" in converted.notes[0]


def test_an_existing_model_stays_unless_told(released, configs, tokenizer_folder, tmp_path):
    out = tmp_path / "model"
    arguments = {"tokenizer": tokenizer_folder, "configs": configs}
    convert_magicpose(released, out, **arguments, dtype="float32")
    with pytest.raises(OutputError, match="exists"):
        convert_magicpose(released, out, **arguments)
    assert _dtypes(out) == {torch.float32}
    convert_magicpose(released, out, **arguments, overwrite=True)
    assert _dtypes(out) == {torch.float16}
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("mine", ["mine.txt", "unet/notes.md", "photos/me.png"])
def test_a_folder_that_holds_other_things_is_never_replaced(released, configs, tokenizer_folder, tmp_path, mine):
    file = tmp_path / "model" / mine
    file.parent.mkdir(parents=True)
    file.write_text("keep")
    with pytest.raises(OutputError, match="holds other things"):
        convert_magicpose(released, tmp_path / "model", tokenizer=tokenizer_folder, configs=configs, overwrite=True)
    assert file.read_text() == "keep"


def test_one_module_replaces_one_module_alone(converted, configs, tmp_path):
    given = converted.folder / "pose_controlnet" / "diffusion_pytorch_model.safetensors"
    for _ in range(2):
        convert_controlnet(given, tmp_path / "control", config=configs.controlnet, overwrite=True)
    with pytest.raises(OutputError, match="holds other things"):
        convert_controlnet(given, converted.folder, config=configs.controlnet, overwrite=True)


def _dtypes(folder):
    return {values.dtype for file in folder.rglob("*.safetensors") for values in load_file(file).values()}


def test_tokenizer_folder_must_hold_both_files(released, configs, tmp_path):
    with pytest.raises(InputError, match=r"vocab\.json"):
        convert_magicpose(released, tmp_path / "out", tokenizer=tmp_path, configs=configs)


def test_controlnet_file_in_either_layout(ldm_tensors, configs, tmp_path):
    from diffusers import ControlNetModel

    tensors = ldm_tensors("controlnet", configs.controlnet, "control_model.")
    torch.save(tensors, tmp_path / "control.pth")
    first = convert_controlnet(tmp_path / "control.pth", tmp_path / "a", dtype="float32", config=configs.controlnet)
    loaded, info = ControlNetModel.from_pretrained(first, output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"]
    again = convert_controlnet(
        first / "diffusion_pytorch_model.safetensors", tmp_path / "b", dtype="float32", config=configs.controlnet
    )
    written = load_file(again / "diffusion_pytorch_model.safetensors")
    assert all(torch.equal(values, written[name]) for name, values in loaded.state_dict().items())
    with pytest.raises(IntegrityError, match="shape"):
        convert_controlnet(
            tmp_path / "control.pth", tmp_path / "c", config=configs.controlnet | {"cross_attention_dim": 64}
        )


def test_kinds_are_told_apart(checkpoint, converted, tmp_path):
    assert detect_checkpoint(checkpoint) == "magicpose"
    folder = converted.folder / "pose_controlnet" / "diffusion_pytorch_model.safetensors"
    assert detect_checkpoint(folder) == "controlnet"
    save_file({"lora.up.weight": torch.zeros(2)}, tmp_path / "x.safetensors")
    with pytest.raises(IntegrityError, match=r"lora\.up\.weight"):
        detect_checkpoint(tmp_path / "x.safetensors")
    with pytest.raises(UsageError, match="tokenizer"):
        convert_checkpoint(checkpoint, tmp_path / "out")
    with pytest.raises(UsageError, match="takes no other files"):
        convert_checkpoint(folder, tmp_path / "out", controlnet=folder)
