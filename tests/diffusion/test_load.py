import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from magicpose_cli.core.errors import InputError, IntegrityError
from magicpose_cli.diffusion.load import load_pipeline

WEIGHTS = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def whole(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "whole"
    tiny.pipeline().save_pretrained(folder, safe_serialization=True)
    return folder


@pytest.fixture
def folder(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "model")


def change(folder, edit, file=WEIGHTS):
    tensors = load_file(folder / file)
    edit(tensors)
    save_file(tensors, folder / file, metadata={"format": "pt"})


def change_json(folder, file, **values):
    content = json.loads((folder / file).read_text())
    (folder / file).write_text(json.dumps(content | values))


def test_a_whole_model_loads_in_the_type_asked_for(whole):
    pipeline = load_pipeline(whole, dtype=torch.bfloat16)
    assert pipeline.unet.dtype == pipeline.vae.dtype == pipeline.text_encoder.dtype == torch.bfloat16
    assert not pipeline.unet.training


def test_missing_things_are_named(folder, tmp_path):
    with pytest.raises(InputError, match="is not there"):
        load_pipeline(tmp_path / "nowhere")
    with pytest.raises(InputError, match="no model_index"):
        load_pipeline(tmp_path)
    for file in (WEIGHTS, "pose_controlnet/config.json", "scheduler/scheduler_config.json"):
        (folder / file).rename(tmp_path / "kept")
        with pytest.raises(IntegrityError, match=file.split("/")[0]):
            load_pipeline(folder)
        (tmp_path / "kept").rename(folder / file)
    shutil.rmtree(folder / "tokenizer")
    with pytest.raises(IntegrityError, match="tokenizer"):
        load_pipeline(folder)


def test_another_pipelines_folder_is_refused(folder):
    change_json(folder, "model_index.json", _class_name="StableDiffusionPipeline")
    with pytest.raises(InputError, match="StableDiffusionPipeline"):
        load_pipeline(folder)
    (folder / "model_index.json").write_text("{")
    with pytest.raises(IntegrityError, match="cannot be read"):
        load_pipeline(folder)


@pytest.mark.parametrize(
    ("edit", "match"),
    [
        (lambda t: t.pop("conv_in.bias"), "lacks conv_in.bias"),
        (lambda t: t.update(extra=torch.zeros(3)), "does not know extra"),
        (lambda t: t.update({"conv_in.bias": torch.zeros(5)}), "conv_in.bias"),
        (lambda t: t["conv_in.weight"].view(-1)[7:8].fill_(float("nan")), "conv_in.weight that is not finite"),
    ],
    ids=["missing", "unknown", "shape", "nan"],
)
def test_damaged_weights_are_refused(folder, edit, match):
    change(folder, edit)
    with pytest.raises(IntegrityError, match=match):
        load_pipeline(folder)


def test_a_truncated_file_is_refused(folder):
    content = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(content[: len(content) // 2])
    with pytest.raises(IntegrityError, match="unet"):
        load_pipeline(folder)


def test_damaged_text_weights_are_refused(folder):
    file = "text_encoder/model.safetensors"
    change(folder, lambda t: t.pop(next(iter(t))), file)
    with pytest.raises(IntegrityError, match="text_encoder"):
        load_pipeline(folder)


def test_classes_that_a_folder_names_are_not_used(folder):
    change_json(folder, "scheduler/scheduler_config.json", _class_name="os.system")
    with pytest.raises(IntegrityError, match=r"names os\.system"):
        load_pipeline(folder)


def test_parts_of_different_models_are_refused(folder, tiny):
    other = tiny.unet()  # attention at the other level
    other.save_pretrained(folder / "appearance_unet")
    with pytest.raises(IntegrityError, match="differ in their attention layers"):
        load_pipeline(folder)


@pytest.mark.parametrize("part", ["text_encoder", "unet"])
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("auto_map", {"AutoModel": "evil.Model"}),
        ("quantization_config", {"quant_method": "custom"}),
        ("_attn_implementation", "someone/kernel"),
    ],
)
def test_settings_that_ask_for_other_code_are_refused(folder, part, key, value):
    (folder / part / "evil.py").write_text("raise SystemExit('ran')")
    change_json(folder, f"{part}/config.json", **{key: value})
    with pytest.raises(IntegrityError, match=f"asks for other code by '{key}'"):
        load_pipeline(folder)


@pytest.mark.parametrize("content", ["[" * 100_000, '{"a": ' * 50_000, " " * 10_000_001, "{" + "9" * 5000])
def test_settings_that_are_no_settings_are_refused(folder, content):
    (folder / "model_index.json").write_text(content)
    with pytest.raises(IntegrityError, match="cannot be read"):
        load_pipeline(folder)
