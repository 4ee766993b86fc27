"""What all tests share: thread counts set before torch loads, no network, and no cache touched; a whole tiny model."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

_UNET = dict(
    sample_size=8,
    block_out_channels=(16, 32),
    down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
    up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    layers_per_block=1,
    cross_attention_dim=24,
    attention_head_dim=2,
    norm_num_groups=8,
)

# Two processes with two torch threads each are many times slower on two cores than one thread each.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

# A shell's background job ignores Ctrl-C, and so would the commands that the tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples on every machine, however slow it is; HYPOTHESIS_PROFILE=explore looks for new ones.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("explore", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Point magicpose's and the Hub's caches at a fresh folder, here and in every subprocess."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("MAGICPOSE_HOME", str(home / "magicpose"))
        environment.setenv("MAGICPOSE_CONSENT", "yes")  # the people in the tests are drawn
        environment.setenv("HF_HOME", str(home / "huggingface"))
        environment.delenv("HF_TOKEN", raising=False)
        yield


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder of 64 pixels: real classes, random weights, a second to build."""
    import torch

    from magicpose_cli.diffusion.pipeline import MagicPosePipeline
    from magicpose_cli.diffusion.schedulers import published_scheduler
    from magicpose_cli.diffusion.stock import AutoencoderKL, ControlNetModel, UNet2DConditionModel

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("model") / "tiny"
    text_encoder, tokenizer = _text()
    unet = UNet2DConditionModel(**_UNET)
    pipeline = MagicPosePipeline(
        vae=AutoencoderKL(
            block_out_channels=(8, 8, 8, 8),
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            latent_channels=4,
            norm_num_groups=4,
        ),
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        unet=unet,
        appearance_unet=UNet2DConditionModel(**_UNET),
        pose_controlnet=ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(8, 8, 8, 8)),
        scheduler=published_scheduler(),
        default_steps=2,
        default_guidance=2.0,
        native_size=64,
    )
    pipeline.save_pretrained(folder)
    return folder


def _text():
    """A CLIP text encoder and a tokenizer that spells everything in bytes."""
    from transformers import CLIPTextConfig, CLIPTextModel

    from magicpose_cli.training.stages.base import byte_tokenizer

    tokenizer = byte_tokenizer(16)
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=24,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=16,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return CLIPTextModel(config), tokenizer
