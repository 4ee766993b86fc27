"""First weights for a small ``AutoencoderKL`` that already sees: principal components in, least squares out.

Trained from random weights, the autoencoder needs tens of thousands of steps before a picture has its colours: the
group norms forget absolute values, and each convolution of the path around them shrinks the signal. So that path
starts as arithmetic fitted to some pictures: each level of the encoder keeps the strongest components of 2 x 2 cells of
the level before (Pearson 1901), each level of the decoder is the linear map that best undoes it. Residual branches
start at zero and learn the rest. Two identities carry a signal through group norm and SiLU unchanged: a constant pair
±C far larger than any signal fixes the norm's scale, and silu(x) - silu(-x) = x, so each signal travels as a pair ±x.

Letters: N pictures, S signals of a level, C channels, H, W size of a level.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from magicpose_cli.diffusion.stock import AutoencoderKL

CONSTANT_IN = 32.0  # against signals of about 1: the norm's scale then varies by less than one percent
CONSTANT_OUT = 4.0  # some percent; a larger one would make the decoder's last layer too touchy to train
WHITENING = 0.5  # 0: latents keep the components' own spreads, 1: all spread alike
FIRST_LOG_VARIANCE = -8.0  # latents start almost without noise
MIXING = 0.03  # random weights on top, so that no channel stays dead
COLOURS = 3
_FITTED_AT = 60_000  # places of a level that a fit looks at


def start_from_pictures(vae: AutoencoderKL, pictures: Tensor) -> None:
    """Give ``vae`` its first weights, fitted to ``pictures`` (N, 3, H, W) in [-1, 1].

    Raises ValueError where the configuration has no room for the signals.
    """
    widths, groups = list(vae.config.block_out_channels), vae.config.norm_num_groups
    if len(widths) < 3 or widths[0] == widths[1] or widths[-1] == widths[-2]:
        raise ValueError("the first two and the last two of block_out_channels must differ")
    pairs_in, pairs_out = _pairs(widths[-1], groups, vae.config.latent_channels), _pairs(widths[0], groups, COLOURS)
    with torch.no_grad():
        _clear(vae)
        levels, gains = _encoder(vae, pictures, pairs_in)
        _decoder(vae, levels, gains, pairs_out)
        for module in vae.modules():
            if isinstance(module, nn.Conv2d) and module.weight.any():
                module.weight += MIXING * torch.randn_like(module.weight) * _typical(module.weight)


def _typical(weight: Tensor) -> Tensor:
    """A scale for random weights beside the fitted ones: what torch would have started with."""
    return torch.tensor(weight[0].numel() ** -0.5)


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


def _encoder(vae: AutoencoderKL, pictures: Tensor, pairs: list[tuple[int, int]]) -> tuple[list[Tensor], Tensor]:
    """The signals of each level (N, S, H, W), finest first, and the gain of each latent."""
    encoder, latents = vae.encoder, vae.config.latent_channels
    encoder.conv_in.weight[range(COLOURS), range(COLOURS), 1, 1] = 1
    levels = [pictures]
    for block in encoder.down_blocks[:-1]:
        conv = block.downsamplers[0].conv
        kernel = _components(levels[-1], conv.out_channels)  # (S', S, 2, 2)
        conv.weight[: len(kernel), : kernel.shape[1], :2, :2] = kernel
        levels.append(F.conv2d(levels[-1], kernel, stride=2))
    if levels[-1].shape[1] < latents:
        raise ValueError(f"block_out_channels[-2] leaves {levels[-1].shape[1]} signals for {latents} latent channels")
    levels[-1] = levels[-1][:, :latents]
    gains = levels[-1].std((0, 2, 3)).clamp_min(1e-4) ** -WHITENING
    _put_pairs(encoder.down_blocks[-1].resnets[0].conv_shortcut, pairs, vae.config.norm_num_groups, CONSTANT_IN)
    for j, gain in enumerate(gains):
        _take_pair(encoder.conv_out, j, pairs[j], float(gain) * CONSTANT_IN, vae.config.norm_num_groups)
    channels = torch.arange(latents)
    vae.quant_conv.weight[channels, channels, 0, 0] = 1
    vae.quant_conv.bias[latents:] = FIRST_LOG_VARIANCE
    vae.post_quant_conv.weight[channels, channels, 0, 0] = 1
    return levels, gains


def _components(signals: Tensor, room: int) -> Tensor:
    """The strongest components of 2 x 2 cells as a kernel (S', S, 2, 2), S' = min(4 S, room); a mean stays a mean."""
    cells = F.unfold(signals, 2, stride=2).movedim(1, -1).flatten(0, 1).double()  # (places, S·4)
    _, vectors = torch.linalg.eigh(cells.T @ cells)
    strongest = vectors.flip(1)[:, : min(room, vectors.shape[1])].T
    strongest = strongest * strongest.sum(1, keepdim=True).sign()
    return (0.5 * strongest).unflatten(1, (signals.shape[1], 2, 2)).float()


def _decoder(vae: AutoencoderKL, levels: list[Tensor], gains: Tensor, pairs: list[tuple[int, int]]) -> None:
    decoder = vae.decoder
    for j, gain in enumerate(gains):
        decoder.conv_in.weight[j, j, 1, 1] = 1 / gain
    signals = levels[-1]
    for block, wanted in zip(decoder.up_blocks[:-1], reversed(levels[:-1]), strict=True):
        doubled = F.interpolate(signals, scale_factor=2, mode="nearest")
        kernel, bias = _least_squares(doubled, wanted)
        conv = block.upsamplers[0].conv
        conv.weight[: len(kernel), : kernel.shape[1]], conv.bias[: len(bias)] = kernel, bias
        signals = F.conv2d(doubled, kernel, bias, padding=1)
    _put_pairs(decoder.up_blocks[-1].resnets[0].conv_shortcut, pairs, vae.config.norm_num_groups, CONSTANT_OUT)
    for k in range(COLOURS):
        _take_pair(decoder.conv_out, k, pairs[k], CONSTANT_OUT, vae.config.norm_num_groups)


def _least_squares(given: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """The 3 x 3 kernel (S', S, 3, 3) and bias (S',) that bring ``given`` (N, S, H, W) nearest to ``wanted``."""
    size = given.shape[1] * 9 + 1
    normal, right = torch.zeros(size, size).double(), torch.zeros(size, wanted.shape[1]).double()
    share = max(1, given.shape[0] * given.shape[2] * given.shape[3] // _FITTED_AT)
    for one, goal in zip(given, wanted, strict=True):
        places = torch.randperm(one.shape[1] * one.shape[2])[::share]
        seen = F.unfold(one[None], 3, padding=1)[0][:, places].T.double()  # (places, S·9)
        seen = torch.cat([seen, torch.ones(len(seen), 1).double()], 1)
        normal += seen.T @ seen
        right += seen.T @ goal.flatten(1)[:, places].T.double()
    ridge = 1e-6 * normal.diagonal().mean() * torch.eye(size).double()
    solved = torch.linalg.solve(normal + ridge, right).float()  # (S·9 + 1, S')
    return solved[:-1].T.unflatten(1, (given.shape[1], 3, 3)), solved[-1]


def _pairs(channels: int, groups: int, signals: int) -> list[tuple[int, int]]:
    """The two channels of each signal. Channels 0 and 1 of every norm group are the constant pair."""
    size = channels // groups
    room = (size - 2) // 2
    if room * groups < signals:
        raise ValueError(f"{channels} channels in {groups} norm groups have no room for {signals} pairs of signals")
    starts = [g * size + 2 + 2 * i for i in range(room) for g in range(groups)]
    return [(start, start + 1) for start in starts[:signals]]


def _put_pairs(conv: nn.Conv2d, pairs: list[tuple[int, int]], groups: int, constant: float) -> None:
    conv.weight.zero_()
    for j, (plus, minus) in enumerate(pairs):
        conv.weight[plus, j], conv.weight[minus, j] = 1, -1
    size = conv.out_channels // groups
    conv.bias[0::size], conv.bias[1::size] = constant, -constant


def _take_pair(conv: nn.Conv2d, output: int, pair: tuple[int, int], gain: float, groups: int) -> None:
    size = conv.in_channels // groups
    scale = gain * (2 / size) ** 0.5  # undoes the norm
    conv.weight[output, pair[0], 1, 1], conv.weight[output, pair[1], 1, 1] = scale, -scale
