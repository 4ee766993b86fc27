"""The published model at its full size, with random weights; and the benchmark that measures it."""

import copy
import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "denoise.py"
NEEDED_GIB = 12
# Millions of parameters, as published.
PARTS = {"unet": 860, "appearance_unet": 860, "pose_controlnet": 361, "vae": 84, "text_encoder": 123}


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("benchmark_denoise", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look themselves up
    spec.loader.exec_module(module)
    return module


def available_gib():
    facts = Path("/proc/meminfo")
    if not facts.exists():
        return NEEDED_GIB
    return int(facts.read_text().split("MemAvailable:")[1].split()[0]) / 2**20


def test_the_benchmark_compares_equal_results(benchmark, monkeypatch, tmp_path, capsys):
    out = tmp_path / "figures.json"
    arguments = "--config tiny --size 64 --frames 2 --steps 2 --device cpu --json"
    monkeypatch.setattr(sys, "argv", ["denoise.py", *arguments.split(), str(out)])
    benchmark.main()
    report = json.loads(out.read_text())
    assert report["relative_difference"] < 1e-4
    for loop in ("ours", "plain"):
        assert all(report["seconds_a_frame_and_step"][loop][part] > 0 for part in (*benchmark.PARTS, "total"))
    assert "times faster" in capsys.readouterr().out


@pytest.mark.slow
def test_the_full_size_pipeline_denoises_one_step(benchmark, text_parts):
    if available_gib() < NEEDED_GIB:
        pytest.skip(f"needs {NEEDED_GIB} GiB of free memory")
    from transformers import CLIPTextConfig

    from magicpose_cli.diffusion.checkpoints.sd15_config import TEXT_ENCODER, VAE
    from magicpose_cli.diffusion.pipeline import MagicPosePipeline
    from magicpose_cli.diffusion.reference_attention import reference_layers
    from magicpose_cli.diffusion.schedulers import published_scheduler
    from magicpose_cli.diffusion.stock import AutoencoderKL, CLIPTextModel

    networks = benchmark.build({}, torch.device("cpu"), torch.float32)
    tokenizer = copy.deepcopy(text_parts[0])
    tokenizer.model_max_length = 77
    pipeline = MagicPosePipeline(
        vae=AutoencoderKL(**VAE).eval(),
        text_encoder=CLIPTextModel(CLIPTextConfig(**TEXT_ENCODER)).eval(),
        tokenizer=tokenizer,
        unet=networks.unet,
        appearance_unet=networks.appearance_unet,
        pose_controlnet=networks.pose_controlnet,
        scheduler=published_scheduler(),
    )
    millions = {name: round(sum(p.numel() for p in getattr(pipeline, name).parameters()) / 1e6) for name in PARTS}
    assert millions == PARTS
    assert len(reference_layers(pipeline.unet)) == 16
    assert pipeline.encode_text().shape == (1, 77, 768)
    random = np.random.default_rng(0)
    reference, drawn = random.integers(0, 256, (2, 1, 256, 256, 3), np.uint8)
    frames = pipeline(reference[0], drawn, num_inference_steps=1).frames
    assert frames.shape == (1, 256, 256, 3)
    assert frames.std() > 1
