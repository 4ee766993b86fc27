"""The detectors that exist, which one ``auto`` takes, and loading one."""

import difflib
import importlib
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from magicpose_cli.core.device import has_nvidia_driver, parse_device
from magicpose_cli.core.errors import DeviceError, OfflineError, UsageError
from magicpose_cli.core.names import DETECTORS
from magicpose_cli.core.progress import SILENT, Progress
from magicpose_cli.pose.detector import PoseDetector

# A group of weights.toml → name → path, of those of its files that are on disk: ``weights.verify.intact_files``
FindWeights = Callable[[str], Mapping[str, Path]]


@dataclass(frozen=True)
class DetectorKind:
    """A detector of ``core.names.DETECTORS``: what it needs, and what is said of it.

    ``name`` is also that of its module beside this one, of its extra and of its group in weights.toml. A module of a
    detector with weights has ``load`` and ``check_package``.
    """

    name: str
    package: str  # what must import
    weights: tuple[str, ...]  # names in weights.toml
    about: str  # for the user, in a few words
    on_cpu: str  # what to know or do where it runs on the CPU and should not


KINDS = {
    kind.name: kind
    for kind in (
        DetectorKind(
            "dwpose",
            package="onnxruntime",
            weights=("dwpose-person", "dwpose-points"),
            about="DWPose on ONNX, 351 MB",
            on_cpu="its onnxruntime has no working CUDA; try: pip uninstall onnxruntime; pip install onnxruntime-gpu",
        ),
        DetectorKind(
            "openpose",
            package="controlnet_aux",
            weights=("openpose-body", "openpose-hand", "openpose-face"),
            about="OpenPose, 510 MB, for non-commercial use only",
            on_cpu="this torch cannot use it; 'magicpose doctor' says what to do",
        ),
        DetectorKind(
            "mediapipe",
            package="mediapipe",
            weights=(),
            about="embedded",
            on_cpu="it knows nothing else; dwpose and openpose do",
        ),
    )
}
assert tuple(KINDS) == DETECTORS


@dataclass(frozen=True)
class DetectorChoice:
    """A detector whose package and weights are here. ``sentence`` says why this one, where the user left it open."""

    kind: DetectorKind
    files: Mapping[str, Path]
    sentence: str = ""


def detector_names() -> tuple[str, ...]:
    """What ``make_detector`` takes, in the order to show."""
    return ("auto", *DETECTORS)


def no_weights(group: str) -> Mapping[str, Path]:
    """A ``FindWeights`` that finds none: the embedded detector alone is left."""
    return {}


def choose_detector(name: str = "auto", find_weights: FindWeights = no_weights) -> DetectorChoice:
    """The detector of this name; ``auto``: the first of ``DETECTORS`` whose package and weights are here, and load.

    What ``auto`` passed over because its package does not load is in the choice's sentence.
    Raises UsageError for an unknown name and where the package is missing, OfflineError where the weights are.
    """
    if name == "auto":
        passed = ""
        for kind in KINDS.values():
            if kind.weights and importlib.util.find_spec(kind.package) is None:
                continue
            files = find_weights(kind.name) if kind.weights else {}
            if files.keys() >= set(kind.weights):
                if problem := _load_problem(kind):
                    passed += f"; {problem}"
                    continue
                why = "" if kind.weights else "; 'magicpose doctor' says what dwpose and openpose want"
                return DetectorChoice(kind, files, f"detector {kind.name} ({kind.about}){why}{passed}")
    if name not in KINDS:
        near = difflib.get_close_matches(name.lower(), detector_names(), n=1)
        question = f"did you mean '{near[0]}'? " if near else ""
        raise UsageError(f"unknown detector '{name}'", f"{question}use one of {', '.join(detector_names())}")
    kind = KINDS[name]
    if not kind.weights:
        return DetectorChoice(kind, {})
    files = find_weights(name)
    lacks_weights = not files.keys() >= set(kind.weights)
    if importlib.util.find_spec(kind.package) is None:
        then = f", then: magicpose download {name}" if lacks_weights else ""
        raise UsageError(
            f"the detector '{name}' needs the package {kind.package}, which is not installed",
            f"run: {install_command(kind)}{then}; or use --detector auto",
        )
    if lacks_weights:
        raise OfflineError(
            f"the weights of the detector '{name}' are not on this machine ({kind.about})",
            f"run: magicpose download {name}; or use --detector auto",
        )
    return DetectorChoice(kind, files)


def make_detector(
    name: str = "auto",
    *,
    still: bool = False,
    device: str = "auto",
    find_weights: FindWeights = no_weights,
    progress: Progress = SILENT,
) -> PoseDetector:
    """Load the detector that ``choose_detector`` chooses, on the device where it can run there.

    ``still`` is for single photos: each frame is searched afresh and nothing is smoothed over time. ``progress`` is
    told which one ``auto`` took, and where a detector runs on the CPU though it was asked elsewhere or a GPU is there.
    Raises as ``choose_detector``; DeviceError where the device or a system library is missing; IntegrityError for
    weights that are not what they should be.
    """
    parse_device(device)
    choice = choose_detector(name, find_weights)
    if choice.sentence:
        progress.note(choice.sentence)
    module = importlib.import_module(f"magicpose_cli.pose.{choice.kind.name}")
    detector: PoseDetector
    if choice.kind.weights:
        detector = module.load(choice.files, device)
    else:
        detector = module.MediaPipeDetector(still=still)
    if warning := _cpu_warning(detector, device):
        progress.note(warning)
    return detector


def detector_version(kind: DetectorKind) -> str | None:
    """What may change its poses: the package's version for the embedded one; the others' weights are pinned."""
    try:
        return None if kind.weights else metadata.version(kind.package)
    except metadata.PackageNotFoundError:
        return None


def install_command(kind: DetectorKind) -> str:
    return f"pip install 'magicpose-cli[{kind.name}]'"


def _load_problem(kind: DetectorKind) -> str:
    """Why the package of a detector with weights does not load here; empty where it does."""
    if not kind.weights:
        return ""
    try:
        importlib.import_module(f"magicpose_cli.pose.{kind.name}").check_package()
    except (UsageError, DeviceError) as error:
        return error.message
    return ""


def _cpu_warning(detector: PoseDetector, device: str) -> str | None:
    if detector.device != "cpu" or device == "cpu":
        return None
    if device == "auto" and not has_nvidia_driver():
        return None
    though = "though there is a GPU" if device == "auto" else f"not on {device}"
    return f"warning: the detector {detector.name} runs on the CPU, {though}: {KINDS[detector.name].on_cpu}"
