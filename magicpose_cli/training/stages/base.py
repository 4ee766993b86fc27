"""Stage ``base``: the small UNet learns the pictures without conditions. It stands in for Stable Diffusion."""

from __future__ import annotations

from functools import partial

from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPTextConfig

from magicpose_cli.diffusion.stock import CLIPTextModel, CLIPTokenizer, DDIMScheduler, UNet2DConditionModel
from magicpose_cli.training.config import Recipe
from magicpose_cli.training.modules import Modules
from magicpose_cli.training.stages.denoising import denoising_loss, denoising_picture
from magicpose_cli.training.stages.stage import Stage


def _prepare(modules: Modules, recipe: Recipe) -> None:
    if modules.unet is None:
        modules.unet = UNet2DConditionModel(**recipe.new["unet"])
        modules.tokenizer = byte_tokenizer(recipe.new["text_encoder"]["max_position_embeddings"])
        modules.text_encoder = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(modules.tokenizer),
                bos_token_id=modules.tokenizer.bos_token_id,
                eos_token_id=modules.tokenizer.eos_token_id,
                pad_token_id=modules.tokenizer.pad_token_id,
                **recipe.new["text_encoder"],
            )
        )
        modules.scheduler = DDIMScheduler(**recipe.new["scheduler"])


def byte_tokenizer(tokens: int) -> CLIPTokenizer:
    """A CLIP tokenizer that knows the 256 bytes and no words: the real class, without a vocabulary to ship."""
    letters = sorted(ByteLevel.alphabet())
    words = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(vocab={word: i for i, word in enumerate(words)}, merges=[], model_max_length=tokens)


STAGE = Stage(
    "base",
    ("vae",),
    ("unet",),
    True,
    _prepare,
    partial(denoising_loss, appearance=False, pose=False),
    partial(denoising_picture, appearance=False, pose=False),
)
