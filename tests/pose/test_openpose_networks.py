"""OpenPose's networks: their published checkpoints' names, and the same maps and peaks as controlnet_aux."""

import importlib.util
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch

from magicpose_cli.core.errors import IntegrityError
from magicpose_cli.core.keypoints import BODY_COUNT
from magicpose_cli.pose.heatmaps import find_peaks
from magicpose_cli.pose.openpose import BODY_PEAK, OpenPoseDetector
from magicpose_cli.pose.openpose_networks import Networks, controlnet_aux_module, empty_networks, fill, load_networks

if importlib.util.find_spec("controlnet_aux") is None:  # not imported: it does not load beside every torchvision
    pytest.skip("controlnet_aux comes with the extra 'openpose'", allow_module_level=True)

PARTS = ("body", "hand", "face")
TENSORS = {"body": 184, "hand": 104, "face": 104}


def file_names(network: torch.nn.Module) -> dict[str, torch.Size]:
    """What a published checkpoint of this network holds: a layer's name without its block, and the shape."""
    return {".".join(name.split(".")[-2:]): tensor.shape for name, tensor in network.state_dict().items()}


def light_checkpoint(path: Path, shapes: dict[str, torch.Size]) -> Path:
    """A checkpoint of these names and shapes that takes no space: each tensor repeats one number."""
    torch.save({name: torch.tensor(0.25).expand(shape) for name, shape in shapes.items()}, path)
    return path


@pytest.fixture(scope="module")
def described():
    """The networks without memory."""
    with torch.device("meta"):
        return empty_networks()


@pytest.mark.parametrize("part", PARTS)
def test_the_definitions_fit_the_published_files(described, part):
    shapes = file_names(getattr(described, part))
    assert len(shapes) == TENSORS[part]
    assert {"conv1_1.weight", "conv4_2.bias", "Mconv7_stage6" + ("_L2" if part == "body" else "") + ".weight"} <= set(
        shapes
    )
    listed = tomllib.loads((Path(__file__).parents[2] / "weights.toml").read_text())["weight"]
    (published,) = (each["size"] for each in listed if each["name"] == f"openpose-{part}")
    numbers = sum(shape.numel() for shape in shapes.values())
    assert 0 < published - 4 * numbers < 30_000  # float32, and the names


def test_checkpoints_of_the_published_names_load(tmp_path, described):
    files = {
        f"openpose-{part}": light_checkpoint(tmp_path / part, file_names(getattr(described, part))) for part in PARTS
    }
    networks = load_networks(files, torch.device("cpu"))
    for part in PARTS:
        network = getattr(networks, part)
        assert not network.training
        for tensor in network.parameters():
            assert not tensor.requires_grad and tensor.flatten()[0] == tensor.flatten()[-1] == 0.25


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda shapes: shapes.pop("Mconv3_stage4.bias"), "does not hold Mconv3_stage4.bias"),
        (lambda shapes: shapes.update({"conv9.weight": torch.Size([1])}), "also holds conv9.weight"),
        (lambda shapes: shapes.update({"conv1_1.bias": torch.Size([65])}), "has another shape of conv1_1.bias"),
    ],
)
def test_another_checkpoint_is_refused(tmp_path, described, change, said):
    shapes = file_names(described.hand)
    change(shapes)
    with pytest.raises(IntegrityError, match=said) as caught:
        fill(described.hand, light_checkpoint(tmp_path / "hand.pth", shapes))
    assert "magicpose download openpose" in caught.value.hint


def test_a_checkpoint_of_another_network_is_refused(tmp_path, described):
    with pytest.raises(IntegrityError, match="not this OpenPose network's checkpoint"):
        fill(described.hand, light_checkpoint(tmp_path / "face.pth", file_names(described.face)))


@pytest.fixture(scope="module")
def spread(tmp_path_factory):
    """A body network with random weights whose maps, on noise, spread as those of trained ones do, and its file."""
    torch.manual_seed(0)
    network = controlnet_aux_module("model").bodypose_model().eval()
    last = network.model6_2.Mconv7_stage6_L2
    seen = []
    handle = last.register_forward_hook(lambda module, given, found: seen.append(found))
    with torch.inference_mode():
        network(noise_tensor())
    handle.remove()
    mean, deviation = seen[0].mean(dim=(0, 2, 3)), seen[0].std(dim=(0, 2, 3)).clamp(min=1e-6)
    with torch.no_grad():
        last.weight /= deviation[:, None, None, None] / 0.2
        last.bias.copy_((last.bias - mean) / deviation * 0.2)
    path = tmp_path_factory.mktemp("body") / "body_pose_model.pth"
    torch.save({name.split(".", 1)[1]: tensor for name, tensor in network.state_dict().items()}, path)
    return network, path


def noise(height: int, width: int) -> np.ndarray:
    import cv2

    small = np.random.default_rng(5).integers(0, 256, (height // 16, width // 16, 3), np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def noise_tensor() -> torch.Tensor:
    return torch.from_numpy(noise(184, 184).copy()).permute(2, 0, 1)[None].float() / 256 - 0.5


def test_the_same_maps_and_body_peaks_as_controlnet_aux(spread, described):
    network, path = spread
    frame = noise(368, 448)
    theirs = controlnet_aux_module("body").Body(str(path))
    maps: list[tuple[torch.Tensor, torch.Tensor]] = []
    for each in (network, theirs.model):
        each.register_forward_hook(lambda module, given, found: maps.append(found))
    candidates, _ = theirs(frame[:, :, ::-1].copy())
    with torch.inference_mode():
        OpenPoseDetector(Networks(network, described.hand, described.face), torch.device("cpu")).bodies([frame])
    (their_fields, their_maps), (our_fields, our_maps) = maps
    torch.testing.assert_close(our_maps, their_maps, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(our_fields, their_fields, atol=1e-4, rtol=1e-3)

    positions, scores = find_peaks(our_maps[:, :BODY_COUNT], BODY_PEAK, 224, 184)
    ours = positions[scores > 0].numpy() * 2  # the network sees half the frame
    points = candidates[:, :2] + 0.5  # a pixel's index → its middle
    assert len(points) > 100 and 0.9 < len(ours) / len(points) < 1.1
    away = np.linalg.norm(points[:, None] - ours[None], axis=2)
    # A cell of the maps is 16 pixels of the frame. On noise controlnet_aux's blur moves the tops, to no side.
    assert np.median(away.min(axis=1)) < 2.5
    assert (away.min(axis=1) < 8).mean() > 0.9
    assert np.abs(np.median(points - ours[away.argmin(axis=1)], axis=0)).max() < 0.5


class Drawn(torch.nn.Module):
    """A network that has seen these maps, whatever it is shown."""

    def __init__(self, fields: torch.Tensor, maps: torch.Tensor) -> None:
        super().__init__()
        self.fields, self.maps = torch.nn.Parameter(fields[None], False), torch.nn.Parameter(maps[None], False)

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        assert pictures.shape[2:] == torch.Size(8 * side for side in self.maps.shape[2:])
        return self.fields, self.maps


def test_the_same_people_as_controlnet_aux(spread, described, truth):
    people = [
        truth.standing(10, -5, 0.9),
        truth.standing(130, 0, 0.9, missing=(4, 10, 16)),
        truth.standing(250, 4, 0.7),
    ]
    network = Drawn(*truth.body_maps(people, 368, 184))
    theirs = controlnet_aux_module("body").Body(str(spread[1]))
    theirs.model = network
    frame = np.zeros((368, 736, 3), np.uint8)
    candidates, found = theirs(frame)
    ours = OpenPoseDetector(Networks(network, described.hand, described.face), torch.device("cpu")).bodies([frame])[0]
    assert len(found) == len(ours) == 3
    for row in found[:, :18].astype(int):
        points = np.where(row[:, None] >= 0, candidates[row, :3] + (0.5, 0.5, 0), 0)
        nearest = min(ours, key=lambda person: np.abs(person[:, :2] - points[:, :2]).sum())
        assert ((nearest[:, 2] > 0) == (row >= 0)).all()
        assert np.abs(nearest[:, :2] - points[:, :2]).max() < 1.5  # pixels of the frame
        assert np.abs(nearest[:, 2] - points[:, 2]).max() < 0.05
