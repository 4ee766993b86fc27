"""The stock classes of diffusers and transformers that this room builds on, imported behind the torchvision guard."""

import os

from magicpose_cli.core.torchvision_guard import guard_torchvision

os.environ["DIFFUSERS_DISABLE_REMOTE_CODE"] = "1"
guard_torchvision()

from diffusers import (  # noqa: E402
    AutoencoderKL,
    ControlNetModel,
    DDIMScheduler,
    DiffusionPipeline,
    DPMSolverMultistepScheduler,
    MotionAdapter,
    SchedulerMixin,
    UNet2DConditionModel,
    UNetMotionModel,
    UniPCMultistepScheduler,
)
from diffusers.models.unets.unet_motion_model import AnimateDiffTransformer3D  # noqa: E402
from diffusers.training_utils import EMAModel  # noqa: E402
from diffusers.utils import BaseOutput  # noqa: E402
from diffusers.utils import logging as diffusers_logging  # noqa: E402
from diffusers.utils.torch_utils import randn_tensor  # noqa: E402
from transformers import CLIPTextModel, CLIPTokenizer  # noqa: E402
from transformers.utils import logging as transformers_logging  # noqa: E402

__all__ = [
    "AnimateDiffTransformer3D",
    "AutoencoderKL",
    "BaseOutput",
    "CLIPTextModel",
    "CLIPTokenizer",
    "ControlNetModel",
    "DDIMScheduler",
    "DPMSolverMultistepScheduler",
    "DiffusionPipeline",
    "EMAModel",
    "MotionAdapter",
    "SchedulerMixin",
    "UNet2DConditionModel",
    "UNetMotionModel",
    "UniPCMultistepScheduler",
    "diffusers_logging",
    "randn_tensor",
    "transformers_logging",
]
