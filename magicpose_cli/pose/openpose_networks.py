"""OpenPose's three networks with their published weights, in controlnet_aux's definitions.

The checkpoints name a layer (``conv1_1.weight``); controlnet_aux's body and hand networks put the block it is in before
that (``model0.conv1_1.weight``).
"""

import importlib
import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import torch
from torch import nn

from magicpose_cli.core.errors import IntegrityError, UsageError
from magicpose_cli.core.opencv_guard import explain_opencv
from magicpose_cli.core.safe_load import load_tensors
from magicpose_cli.core.torchvision_guard import guard_torchvision

_PACKAGE = "_magicpose_open_pose"  # the name under which controlnet_aux/open_pose is imported here


@dataclass(frozen=True)
class Networks:
    """Pictures (N, 3, H, W), BGR in [-0.5, 0.5) → maps of an eighth of their size.

    ``body`` gives two: part affinity fields (N, 38, h, w) and 18 body points + background (N, 19, h, w). ``hand``
    gives 21 points + background, ``face`` a list whose last is 70 points + background.
    """

    body: nn.Module
    hand: nn.Module
    face: nn.Module


def import_definitions() -> tuple[ModuleType, ModuleType]:
    """controlnet_aux's modules of body and hand, and of the face. Raises UsageError where it does not load."""
    return controlnet_aux_module("model"), controlnet_aux_module("face")


def empty_networks() -> Networks:
    """The networks without weights. Raises UsageError where controlnet_aux is not installed or does not load."""
    model, face = import_definitions()
    return Networks(model.bodypose_model(), model.handpose_model(), face.FaceNet())


def load_networks(files: Mapping[str, Path], device: torch.device) -> Networks:
    """The networks with the weights of ``openpose-body``, ``openpose-hand`` and ``openpose-face``, on the device.

    Raises UsageError as ``empty_networks``, InputError where a file cannot be read, IntegrityError where one is
    damaged, wants to run code, or is not the checkpoint of that network: every tensor there, none else, of its shape.
    """
    networks = empty_networks()
    for part in ("body", "hand", "face"):
        network: nn.Module = getattr(networks, part)
        fill(network, files[f"openpose-{part}"])
        network.eval().requires_grad_(False).to(device)
    return networks


def fill(network: nn.Module, path: Path) -> None:
    """Load a checkpoint into one of the networks, strictly (see ``load_networks``)."""
    tensors = load_tensors(path)
    wanted = {key: ".".join(key.split(".")[-2:]) for key in network.state_dict()}  # the network's name → the file's
    missing, unknown = sorted(set(wanted.values()) - tensors.keys()), sorted(tensors.keys() - set(wanted.values()))
    odd = [name for key, name in wanted.items() if name in tensors and _differ(tensors[name], network, key)]
    for problem, names in (("does not hold", missing), ("also holds", unknown), ("has another shape of", odd)):
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise IntegrityError(
                f"{path} is not this OpenPose network's checkpoint: it {problem} {names[0]}{more}",
                "fetch it again: magicpose download openpose",
            )
    network.load_state_dict({key: tensors[name] for key, name in wanted.items()})


def _differ(tensor: torch.Tensor, network: nn.Module, key: str) -> bool:
    return tensor.shape != network.get_parameter(key).shape


def controlnet_aux_module(name: str) -> ModuleType:
    """A module of controlnet_aux/open_pose, without the dozen other annotators that the package itself imports."""
    spec = importlib.util.find_spec("controlnet_aux")
    if spec is None or spec.origin is None:
        raise UsageError(
            "the detector 'openpose' needs controlnet_aux, which is not installed",
            "run: pip install 'magicpose-cli[openpose]'",
        )
    if _PACKAGE not in sys.modules:
        guard_torchvision()
        package = ModuleType(_PACKAGE)
        package.__path__ = [str(Path(spec.origin).parent / "open_pose")]
        sys.modules[_PACKAGE] = package
    try:
        return importlib.import_module(f"{_PACKAGE}.{name}")
    except ImportError as error:
        raise explain_opencv(error) or UsageError(
            f"the detector 'openpose' does not load on this machine: {error}",
            "run: pip install 'magicpose-cli[openpose]'",
        ) from error
