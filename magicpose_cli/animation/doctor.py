"""``doctor``: what works on this machine, and a fix in a line for what does not."""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from magicpose_cli.animation.models import FULL_MODEL
from magicpose_cli.animation.versions import package_version, versions
from magicpose_cli.core.errors import MagicPoseError
from magicpose_cli.core.opencv_guard import explain_opencv
from magicpose_cli.core.paths import cache_root, weights_root
from magicpose_cli.weights import store

State = Literal["ok", "note", "broken"]
_FULL_MODEL_BYTES = 18_000_000_000  # download and conversion
_COMFORTABLE_MEMORY = 4_000_000_000


@dataclass(frozen=True)
class Check:
    """One finding. ``note`` is something that is not there but need not be; ``broken`` must be mended."""

    name: str
    state: State
    detail: str
    fix: str = ""

    @property
    def ok(self) -> bool:
        return self.state != "broken"


def examine() -> list[Check]:
    """All checks, in the order to show them. A check that fails by itself is a finding, never an error."""
    checks: tuple[tuple[str, Callable[[], Check]], ...] = (
        ("versions", _versions),
        ("torch", _torch),
        ("GPU", _gpu),
        ("memory", _memory),
        ("disk", _disk),
        ("embedded model", _mini),
        ("full model", _full),
        ("pose detector", _detector),
        ("detector dwpose", lambda: _further_detector("dwpose")),
        ("detector openpose", lambda: _further_detector("openpose")),
        ("video codecs", _codecs),
        ("diffusers", _diffusers),
    )
    return [_guarded(name, check) for name, check in checks]


def _guarded(name: str, check: Callable[[], Check]) -> Check:
    try:
        return check()
    except MagicPoseError as error:
        return Check(name, "broken", error.message, error.hint)
    except Exception as error:
        if isinstance(error, ImportError) and (told := explain_opencv(error)):
            return Check(name, "broken", told.message, told.hint)
        text = (str(error).splitlines() or [""])[0]
        return Check(
            name, "broken", f"{type(error).__name__}: {text}", "install magicpose again in a fresh environment"
        )


def _versions() -> Check:
    shown = ", ".join(f"{name} {version}" for name, version in versions().items() if version)
    missing = [name for name, version in versions().items() if version is None and name != "mediapipe"]
    if missing:
        return Check("versions", "broken", f"not installed: {', '.join(missing)}", "run: pip install magicpose-cli")
    return Check("versions", "ok", f"{shown}, {platform.system()} {platform.machine()}")


def _torch() -> Check:
    import torch

    built = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "built for the CPU"
    torch.ones(2, 2) @ torch.ones(2, 2)
    threads = torch.get_num_threads()
    return Check("torch", "ok", f"{torch.__version__}, {built}, {threads} thread{'s' * (threads != 1)}")


def _gpu() -> Check:
    import torch

    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        torch.ones(8, device="cuda").sum().item()
        name = torch.cuda.get_device_name()
        detail = f"{name}, {free / 1e9:.1f} of {total / 1e9:.1f} GB free, driver {_driver() or 'unknown'}"
        if total < 7e9:
            return Check("GPU", "note", detail, "the full model at 512 pixels wants 8 GB: use --offload")
        return Check("GPU", "ok", detail)
    if torch.backends.mps.is_available():
        return Check("GPU", "ok", "Apple GPU (mps)")
    driver = _driver()
    if driver:
        fix = (
            "this torch is built for the CPU: install one built for CUDA, see https://pytorch.org/get-started"
            if not torch.version.cuda
            else f"this torch wants a newer driver for CUDA {torch.version.cuda}: update the driver"
        )
        return Check("GPU", "note", f"there is one (driver {driver}), but torch cannot use it", fix)
    return Check("GPU", "note", "none found: the CPU works, the full model is very slow on it", "use --model mini here")


def _driver() -> str | None:
    """The NVIDIA driver's version, None where there is none."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    command = [program, "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.split()
    except (OSError, subprocess.SubprocessError):
        return None
    return found[0] if found else None


def _memory() -> Check:
    try:
        available = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):
        return Check("memory", "note", "cannot be measured on this system")
    detail = f"{total / 1e9:.1f} GB, {os.cpu_count()} processors"
    if min(total, max(available, total // 2)) < _COMFORTABLE_MEMORY:
        return Check("memory", "note", detail, "the full model wants 8 GB or more")
    return Check("memory", "ok", detail)


def _disk() -> Check:
    root = cache_root()
    folder = next(path for path in (root, *root.absolute().parents) if path.is_dir())
    free = shutil.disk_usage(folder).free
    if not os.access(folder, os.W_OK):
        return Check("disk", "note", f"{folder} is not writable", "set MAGICPOSE_HOME to a folder of yours")
    detail = f"{free / 1e9:.1f} GB free for {root}"
    if free < _FULL_MODEL_BYTES and not store.has_model(store.model_folder(FULL_MODEL)):
        return Check("disk", "note", detail, "the full model takes 18 GB: set MAGICPOSE_HOME to a larger disk")
    return Check("disk", "ok", detail)


def _mini() -> Check:
    folder = store.mini_folder()
    if not store.has_model(folder):
        return Check("embedded model", "broken", f"missing from {folder}", "install magicpose again")
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return Check("embedded model", "ok", f"mini, {size / 1e6:.0f} MB")


def _full() -> Check:
    names = store.list_models()
    if FULL_MODEL in names:
        return Check("full model", "ok", f"{store.model_folder(FULL_MODEL)}")
    detail = f"not in {weights_root()}"
    return Check("full model", "note", detail, "run 'magicpose download' (11 GB, non-commercial licence)")


def _detector() -> Check:
    if package_version("mediapipe") is None:
        fix = (
            "use Python 3.11 or 3.12"
            if sys.version_info >= (3, 13)
            else "run: pip install mediapipe==0.10.21, or give pose folders made elsewhere"
        )
        return Check("pose detector", "broken", "mediapipe is not installed", fix)
    import numpy as np

    from magicpose_cli.pose.registry import make_detector

    detector = make_detector("mediapipe", still=True, device="cpu")
    try:
        detector.detect(np.zeros((128, 128, 3), np.uint8))
    finally:
        detector.close()
    return Check("pose detector", "ok", f"{detector.name} {detector.version}, embedded")


def _further_detector(name: str) -> Check:
    """A detector that wants an extra and a download. It is not loaded: its networks take seconds and gigabytes."""
    import importlib.util

    from magicpose_cli.pose.registry import KINDS, install_command
    from magicpose_cli.weights.verify import intact_files

    kind = KINDS[name]
    commands = []
    if importlib.util.find_spec(kind.package) is None:
        commands.append(install_command(kind))
    if not intact_files(name).keys() >= set(kind.weights):
        commands.append(f"magicpose download {name}")
    title = f"detector {name}"
    if commands:
        return Check(title, "note", f"not here ({kind.about})", f"run: {'; '.join(commands)}")
    return Check(title, "ok", f"{kind.about}: its package and weights are here")


def _codecs() -> Check:
    import av

    writes = [name for name in ("libx264", "aac") if _has(name, "w")]
    reads = [name for name in ("h264", "hevc", "vp9", "libdav1d", "mpeg4") if _has(name, "r")]
    if len(writes) < 2:
        return Check(
            "video codecs", "broken", "this PyAV cannot write H.264 with AAC", "run: pip install --force-reinstall av"
        )
    return Check("video codecs", "ok", f"PyAV {av.__version__} writes H.264 and AAC, reads {', '.join(reads)}")


def _has(codec: str, mode: Literal["r", "w"]) -> bool:
    import av

    try:
        av.Codec(codec, mode)
    except ValueError:
        return False
    return True


def _diffusers() -> Check:
    from magicpose_cli.core.torchvision_guard import guard_torchvision

    guarded = guard_torchvision()
    from diffusers import AutoencoderKL, ControlNetModel, UNet2DConditionModel  # noqa: F401
    from transformers import CLIPTextModel  # noqa: F401

    detail = f"diffusers {package_version('diffusers')} and transformers {package_version('transformers')} load"
    if guarded:
        return Check("diffusers", "note", f"{detail}; torchvision does not fit this torch and is kept out of the way")
    return Check("diffusers", "ok", detail)
