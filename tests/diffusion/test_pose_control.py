import pytest
import torch

from magicpose_cli.diffusion.pose_control import PoseEmbeddings, encode_pose_maps, pose_residuals


@torch.no_grad()
@pytest.mark.parametrize("order", ["rgb", "bgr"])
def test_maps_encoded_before_give_what_the_stock_forward_gives(tiny, order):
    unet = tiny.unet()
    controlnet = tiny.controlnet(unet, order=order)
    g = torch.Generator().manual_seed(0)
    x, text = torch.randn(2, 4, 8, 8, generator=g), torch.randn(2, 5, 24, generator=g)
    maps = torch.rand(2, 3, 16, 16, generator=g)
    down, middle = controlnet(x, 9, text, controlnet_cond=maps, return_dict=False)
    ours, our_middle = pose_residuals(controlnet, x, 9, text, encode_pose_maps(controlnet, maps))
    for a, b in zip([*ours, our_middle], [*down, middle], strict=True):
        assert torch.equal(a, b)


def test_the_encoder_comes_back_after_an_exception(tiny):
    controlnet = tiny.controlnet(tiny.unet())
    encoder = controlnet.controlnet_cond_embedding
    with pytest.raises(RuntimeError):
        pose_residuals(controlnet, torch.zeros(1, 3, 8, 8), 9, torch.zeros(1, 5, 24), torch.zeros(1, 16, 8, 8))
    assert controlnet.controlnet_cond_embedding is encoder


@torch.no_grad()
def test_maps_are_encoded_once_while_there_is_room(tiny):
    controlnet = tiny.controlnet(tiny.unet())
    maps = torch.rand(6, 3, 16, 16)
    drawn = []

    def draw(start, stop):
        drawn.extend(range(start, stop))
        return maps[start:stop]

    whole = encode_pose_maps(controlnet, maps)
    roomy = PoseEmbeddings(controlnet, draw, 6, device=torch.device("cpu"), keep=6)
    for _ in range(3):
        for start in (0, 3):
            torch.testing.assert_close(roomy.read(start, start + 3), whole[start : start + 3])
    assert drawn == list(range(6))

    drawn.clear()
    small = PoseEmbeddings(controlnet, draw, 6, device=torch.device("cpu"), keep=4)
    for _ in range(2):
        for start in (0, 3):
            torch.testing.assert_close(small.read(start, start + 3), whole[start : start + 3])
    assert drawn == [0, 1, 2, 3, 4, 5, 3, 4, 5]
    small.forget(3)
    small.read(3, 6)
    drawn.clear()
    torch.testing.assert_close(small.read(3, 6), whole[3:6])
    assert drawn == []
    with pytest.raises(ValueError, match="frames 3 to 6"):
        small.read(3, 7)
