"""First weights for a small ``AutoencoderKL`` that already sees: a pyramid, exact on the way in, smooth on the way out.

Trained from random weights, the autoencoder needs tens of thousands of steps before a picture has its colours: the
group norms forget absolute values, and each convolution of the path around them shrinks the signal. So that path
starts as arithmetic: the encoder halves twice by averaging and then splits 2 × 2 into a mean and three differences
(Haar 1910); the decoder puts them together and doubles by interpolation. Residual branches start at zero and learn the
rest. Two identities carry a signal through group norm and SiLU unchanged: a constant pair ±C far larger than any
signal fixes the norm's scale, and silu(x) - silu(-x) = x, so each signal travels as a pair ±x.
"""

import torch
from torch import Tensor, nn

from magicpose_cli.diffusion.stock import AutoencoderKL

CONSTANT = 16.0  # against signals of about 1: the norm's scale then varies by less than one percent
DETAIL_GAIN = 2.5  # differences are smaller than means; this brings their latents nearer to unit variance
DETAIL_SHARE = 0.7  # of a difference put back: nearest-neighbour doubling also shows it at the neighbours
FIRST_LOG_VARIANCE = -8.0  # latents start almost without noise
MIXING = 0.03  # random weights on top, so that no channel stays dead

_HAAR = torch.tensor([[[1, 1], [1, 1]], [[1, -1], [1, -1]], [[1, 1], [-1, -1]], [[1, -1], [-1, 1]]]) / 4.0
_SLOPE = torch.tensor([-1.0, 0.0, 1.0])
_HERE = torch.tensor([0.0, 1.0, 0.0])
_SMOOTH = torch.tensor([0.25, 0.5, 0.25])
COLOURS = 3
SIGNALS = 4 * COLOURS


def start_as_pyramid(vae: AutoencoderKL) -> None:
    """Give ``vae`` its first weights. It needs 4 levels, ``SIGNALS`` latent channels or more, and room for the pairs.

    Raises ValueError where the configuration does not fit.
    """
    config = vae.config
    first, last, groups = config.block_out_channels[0], config.block_out_channels[-1], config.norm_num_groups
    widths_differ = config.block_out_channels[0] != config.block_out_channels[1] and (
        config.block_out_channels[-1] != config.block_out_channels[-2]
    )
    if len(config.block_out_channels) != 4 or config.latent_channels < SIGNALS or not widths_differ:
        raise ValueError(f"a pyramid needs 4 levels of different widths and {SIGNALS} latent channels or more")
    with torch.no_grad():
        _clear(vae)
        _encoder(vae, _pairs(last, groups, SIGNALS))
        _decoder(vae, _pairs(first, groups, COLOURS))
        for module in vae.modules():
            if isinstance(module, nn.Conv2d) and module.weight.any():
                module.weight += MIXING * torch.randn_like(module.weight) * module.weight[0].numel() ** -0.5


def _clear(vae: AutoencoderKL) -> None:
    """The path at zero, its shortcuts at identity, the branches at torch's own weights but for their last layer."""
    for name, module in vae.named_modules():
        last = name.rsplit(".", 1)[-1]
        if last == "conv2" or (last == "0" and ".to_out" in name):
            module.weight.zero_()
            module.bias.zero_()
        elif isinstance(module, nn.Conv2d) and last not in ("conv1", "conv2"):
            module.weight.zero_()
            module.bias.zero_()
            if last == "conv_shortcut":
                same = min(module.weight.shape[:2])
                module.weight[:same, :same, 0, 0] = torch.eye(same)


def _encoder(vae: AutoencoderKL, pairs: list[tuple[int, int]]) -> None:
    encoder = vae.encoder
    for k in range(COLOURS):
        encoder.conv_in.weight[k, k, 1, 1] = 1
        for block in encoder.down_blocks[:2]:
            block.downsamplers[0].conv.weight[k, k, :2, :2] = _HAAR[0]
        for band, kernel in enumerate(_HAAR):
            encoder.down_blocks[2].downsamplers[0].conv.weight[band * COLOURS + k, k, :2, :2] = kernel
    _put_pairs(encoder.down_blocks[3].resnets[0].conv_shortcut, pairs, vae.config.norm_num_groups)
    for j in range(SIGNALS):
        gain = 1.0 if j < COLOURS else DETAIL_GAIN
        _take_pair(encoder.conv_out, j, pairs[j], gain, vae.config.norm_num_groups)
    channels = torch.arange(vae.config.latent_channels)
    vae.quant_conv.weight[channels, channels, 0, 0] = 1
    vae.quant_conv.bias[vae.config.latent_channels :] = FIRST_LOG_VARIANCE
    vae.post_quant_conv.weight[channels, channels, 0, 0] = 1


def _decoder(vae: AutoencoderKL, pairs: list[tuple[int, int]]) -> None:
    decoder = vae.decoder
    for j in range(SIGNALS):
        decoder.conv_in.weight[j, j, 1, 1] = 1.0 if j < COLOURS else 1 / DETAIL_GAIN
    along = ((_HERE, _HERE), (_HERE, _SLOPE), (_SLOPE, _HERE), (_SLOPE, _SLOPE))  # vertical, horizontal
    for k in range(COLOURS):
        for band, (vertical, horizontal) in enumerate(along):
            share = 1.0 if band == 0 else DETAIL_SHARE
            kernel = share * torch.outer(vertical, horizontal)
            decoder.up_blocks[0].upsamplers[0].conv.weight[k, band * COLOURS + k] = kernel
        for block in decoder.up_blocks[1:3]:
            block.upsamplers[0].conv.weight[k, k] = torch.outer(_SMOOTH, _SMOOTH)
    _put_pairs(decoder.up_blocks[3].resnets[0].conv_shortcut, pairs, vae.config.norm_num_groups)
    for k in range(COLOURS):
        _take_pair(decoder.conv_out, k, pairs[k], 1.0, vae.config.norm_num_groups)


def _pairs(channels: int, groups: int, signals: int) -> list[tuple[int, int]]:
    """The two channels of each signal. Channels 0 and 1 of every norm group are the constant pair."""
    size = channels // groups
    room = (size - 2) // 2
    if room * groups < signals:
        raise ValueError(f"{channels} channels in {groups} norm groups have no room for {signals} pairs of signals")
    starts = [g * size + 2 + 2 * i for i in range(room) for g in range(groups)]
    return [(start, start + 1) for start in starts[:signals]]


def _put_pairs(conv: nn.Conv2d, pairs: list[tuple[int, int]], groups: int) -> None:
    conv.weight.zero_()
    for j, (plus, minus) in enumerate(pairs):
        conv.weight[plus, j], conv.weight[minus, j] = 1, -1
    size = conv.out_channels // groups
    conv.bias[0::size], conv.bias[1::size] = CONSTANT, -CONSTANT


def _take_pair(conv: nn.Conv2d, output: int, pair: tuple[int, int], gain: float, groups: int) -> None:
    size = conv.in_channels // groups
    scale: Tensor | float = gain * CONSTANT * (2 / size) ** 0.5  # undoes the norm
    conv.weight[output, pair[0], 1, 1], conv.weight[output, pair[1], 1, 1] = scale, -scale
