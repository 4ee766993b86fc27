"""The LDM layout of UNet, ControlNet and VAE, name by name, as the diffusers classes call the same tensors.

LDM numbers a UNet's blocks in one running list (``input_blocks.N``, ``output_blocks.N``), diffusers nests them by
resolution (``down_blocks.L.resnets.I``). The maps are worked out from a diffusers model's config, so they hold for
SD 1.5 and for any smaller model of the same build. Names on both sides come without a component's prefix
(``model.diffusion_model.`` and the like).
"""

from collections.abc import Iterator, Mapping
from typing import Any

# (module in the LDM layout, module in the diffusers layout)
_Pairs = Iterator[tuple[str, str]]

_RESNET = {
    "in_layers.0": "norm1",
    "in_layers.2": "conv1",
    "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2",
    "out_layers.3": "conv2",
    "skip_connection": "conv_shortcut",
}
_VAE_RESNET = {"norm1": "norm1", "conv1": "conv1", "norm2": "norm2", "conv2": "conv2", "nin_shortcut": "conv_shortcut"}
_VAE_ATTENTION = {"norm": "group_norm", "q": "to_q", "k": "to_k", "v": "to_v", "proj_out": "to_out.0"}
_TIME = {"time_embed.0": "time_embedding.linear_1", "time_embed.2": "time_embedding.linear_2"}
_WITHOUT_BIAS = ("to_q", "to_k", "to_v")


def unet_key_map(config: Mapping[str, Any]) -> dict[str, str]:
    """LDM tensor name → ``UNet2DConditionModel`` tensor name.

    ``config`` is the diffusers model's own (``unet.config`` or its JSON): ``block_out_channels``,
    ``layers_per_block``, the block types and ``transformer_layers_per_block`` are read.
    """
    modules = dict(_down_half(config))
    modules.update(_up_half(config))
    modules.update({"out.0": "conv_norm_out", "out.2": "conv_out"})
    return _with_parameters(modules)


def controlnet_key_map(config: Mapping[str, Any]) -> dict[str, str]:
    """LDM (ControlNet v1.1) tensor name → ``ControlNetModel`` tensor name; ``config`` as for ``unet_key_map``.

    ``conditioning_embedding_out_channels`` is read too. ``input_hint_block`` counts its activations, so its
    convolutions have the even numbers; LDM has one ``zero_convs`` for each input block, diffusers likewise.
    """
    modules = dict(_down_half(config))
    inputs = [name for name in modules if name.startswith("input_blocks.")]
    for block in range(1 + max(int(name.split(".")[1]) for name in inputs)):
        modules[f"zero_convs.{block}.0"] = f"controlnet_down_blocks.{block}"
    modules["middle_block_out.0"] = "controlnet_mid_block"

    inner = 2 * (len(config["conditioning_embedding_out_channels"]) - 1)
    modules["input_hint_block.0"] = "controlnet_cond_embedding.conv_in"
    for block in range(inner):
        modules[f"input_hint_block.{2 * (block + 1)}"] = f"controlnet_cond_embedding.blocks.{block}"
    modules[f"input_hint_block.{2 * (inner + 1)}"] = "controlnet_cond_embedding.conv_out"
    return _with_parameters(modules)


def vae_key_map(config: Mapping[str, Any]) -> dict[str, str]:
    """LDM tensor name → ``AutoencoderKL`` tensor name.

    The attention's ``q``, ``k``, ``v`` and ``proj_out`` are 1 × 1 convolutions in LDM and linear layers in
    diffusers: the same values, (out, in, 1, 1) there and (out, in) here.
    """
    channels, layers = tuple(config["block_out_channels"]), config["layers_per_block"]
    modules = {"encoder.conv_in": "encoder.conv_in", "quant_conv": "quant_conv", "post_quant_conv": "post_quant_conv"}
    modules["decoder.conv_in"] = "decoder.conv_in"
    for side in ("encoder", "decoder"):
        for ldm, ours in (("block_1", "resnets.0"), ("block_2", "resnets.1")):
            modules.update(_block(_VAE_RESNET, f"{side}.mid.{ldm}", f"{side}.mid_block.{ours}", shortcut=False))
        modules.update(_block(_VAE_ATTENTION, f"{side}.mid.attn_1", f"{side}.mid_block.attentions.0"))
        modules.update({f"{side}.norm_out": f"{side}.conv_norm_out", f"{side}.conv_out": f"{side}.conv_out"})

    last = len(channels) - 1
    width = channels[0]
    for level, out in enumerate(channels):
        for i in range(layers):
            ldm, ours = f"encoder.down.{level}.block.{i}", f"encoder.down_blocks.{level}.resnets.{i}"
            modules.update(_block(_VAE_RESNET, ldm, ours, shortcut=width != out))
            width = out
        if level < last:
            ours = f"encoder.down_blocks.{level}.downsamplers.0.conv"
            modules[f"encoder.down.{level}.downsample.conv"] = ours

    width = channels[-1]
    for step, out in enumerate(reversed(channels)):  # LDM numbers the decoder's levels by resolution, not by order
        level = last - step
        for i in range(layers + 1):
            ldm, ours = f"decoder.up.{level}.block.{i}", f"decoder.up_blocks.{step}.resnets.{i}"
            modules.update(_block(_VAE_RESNET, ldm, ours, shortcut=width != out))
            width = out
        if level > 0:
            modules[f"decoder.up.{level}.upsample.conv"] = f"decoder.up_blocks.{step}.upsamplers.0.conv"
    return _with_parameters(modules)


def _down_half(config: Mapping[str, Any]) -> _Pairs:
    """Time embedding, down blocks and middle block: what UNet and ControlNet share."""
    channels, layers = tuple(config["block_out_channels"]), config["layers_per_block"]
    yield from _TIME.items()
    yield "input_blocks.0.0", "conv_in"
    block, width = 1, channels[0]
    for level, (out, kind) in enumerate(zip(channels, config["down_block_types"], strict=True)):
        for i in range(layers):
            ours = f"down_blocks.{level}.resnets.{i}"
            yield from _block(_RESNET, f"input_blocks.{block}.0", ours, shortcut=width != out)
            if _has_attention(kind):
                yield from _transformer(config, f"input_blocks.{block}.1", f"down_blocks.{level}.attentions.{i}")
            block, width = block + 1, out
        if level < len(channels) - 1:
            yield f"input_blocks.{block}.0.op", f"down_blocks.{level}.downsamplers.0.conv"
            block += 1
    yield from _block(_RESNET, "middle_block.0", "mid_block.resnets.0", shortcut=False)
    yield from _transformer(config, "middle_block.1", "mid_block.attentions.0")
    yield from _block(_RESNET, "middle_block.2", "mid_block.resnets.1", shortcut=False)


def _up_half(config: Mapping[str, Any]) -> _Pairs:
    channels, layers = tuple(config["block_out_channels"]), config["layers_per_block"]
    skips = [channels[0]]  # widths in the order in which the down path stores them
    for level, out in enumerate(channels):
        skips += [out] * (layers + (level < len(channels) - 1))
    block, width = 0, channels[-1]
    for level, (out, kind) in enumerate(zip(reversed(channels), config["up_block_types"], strict=True)):
        for i in range(layers + 1):
            ours = f"up_blocks.{level}.resnets.{i}"
            yield from _block(_RESNET, f"output_blocks.{block}.0", ours, shortcut=width + skips.pop() != out)
            if _has_attention(kind):
                yield from _transformer(config, f"output_blocks.{block}.1", f"up_blocks.{level}.attentions.{i}")
            block, width = block + 1, out
        if level < len(channels) - 1:
            place = 2 if _has_attention(kind) else 1  # the upsampler stands last in its block
            yield f"output_blocks.{block - 1}.{place}.conv", f"up_blocks.{level}.upsamplers.0.conv"


def _has_attention(kind: str) -> bool:
    return kind.startswith("CrossAttn")


def _block(names: Mapping[str, str], ldm: str, ours: str, shortcut: bool = True) -> _Pairs:
    for theirs, name in names.items():
        if shortcut or name != "conv_shortcut":
            yield f"{ldm}.{theirs}", f"{ours}.{name}"


def _transformer(config: Mapping[str, Any], ldm: str, ours: str) -> _Pairs:
    """A transformer's inner names are the same in both layouts."""
    inner = ["norm1", "norm2", "norm3", "ff.net.0.proj", "ff.net.2"]
    inner += [f"{attention}.{part}" for attention in ("attn1", "attn2") for part in (*_WITHOUT_BIAS, "to_out.0")]
    names = ["norm", "proj_in", "proj_out"]
    for depth in range(config.get("transformer_layers_per_block", 1)):
        names += [f"transformer_blocks.{depth}.{name}" for name in inner]
    for name in names:
        yield f"{ldm}.{name}", f"{ours}.{name}"


def _with_parameters(modules: Mapping[str, str]) -> dict[str, str]:
    names = {}
    for ldm, ours in modules.items():
        names[f"{ldm}.weight"] = f"{ours}.weight"
        # A UNet's attention has no bias in its projections; the VAE's (named q, k, v in LDM) has.
        if not ldm.endswith(_WITHOUT_BIAS):
            names[f"{ldm}.bias"] = f"{ours}.bias"
    return names
