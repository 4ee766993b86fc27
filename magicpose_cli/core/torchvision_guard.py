"""A torchvision built for another torch must not take transformers and diffusers down with it.

A package index often pairs a CPU build of torch with a CUDA build of torchvision. The latter's C library then does
not load, and ``import torchvision`` stops at ``operator torchvision::nms does not exist``; transformers and diffusers
import torchvision wherever it is installed, so they stop too. magicpose needs none of its operators.
"""

import importlib.util
import sys
from pathlib import Path

# The two operators for which torchvision registers a shape function without asking whether its library loaded.
_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_kept: list[object] = []  # a torch library takes its schemas away again when it is collected


def guard_torchvision() -> bool:
    """Make ``import torchvision`` work where its C library cannot load; True where that was needed.

    Call it before the first import of diffusers or transformers. It loads torch, and does nothing where torchvision
    is missing, already imported, or whole. Afterwards torchvision's Python parts work; its operators (NMS, RoI
    pooling, …) raise when they are called, as they would with no library at all.
    """
    if _kept:
        return True
    if "torchvision" in sys.modules:
        return False
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return False
    import torch

    for library in sorted(Path(spec.origin).parent.glob("_C.*")):
        try:
            torch.ops.load_library(str(library))
        except OSError:
            continue
        return False
    schemas = torch.library.Library("torchvision", "DEF")
    for schema in _SCHEMAS:
        schemas.define(schema)
    _kept.append(schemas)
    return True
