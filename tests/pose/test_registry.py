"""Which detector is taken, and what is said where one cannot be."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

from magicpose_cli.core.errors import OfflineError, UsageError
from magicpose_cli.core.names import DETECTORS
from magicpose_cli.core.progress import SILENT
from magicpose_cli.pose.registry import KINDS, choose_detector, make_detector
from magicpose_cli.weights.registry import load_registry


def on_disk(*groups: str):
    """A finder of weights that has these groups whole."""
    return lambda group: {name: Path(name) for name in KINDS[group].weights} if group in groups else {}


@pytest.fixture
def installed(monkeypatch):
    """Make packages findable (as empty modules) or not, whatever is installed here; ``broken`` do not import."""

    def only(*packages: str, broken: str = "") -> None:
        find = importlib.util.find_spec
        here = {name: importlib.util.spec_from_loader(name, loader=None, origin="here") for name in packages}
        known = {
            "onnxruntime": ("onnxruntime",),
            "controlnet_aux": ("_magicpose_open_pose", "_magicpose_open_pose.model", "_magicpose_open_pose.face"),
        }
        for name, modules in known.items():
            for module in modules:
                monkeypatch.setitem(sys.modules, module, None if name == broken else ModuleType(module))
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: here.get(name) if name in known else find(name))

    return only


@pytest.mark.parametrize(
    ("packages", "groups", "taken"),
    [
        ((), (), "mediapipe"),
        (("onnxruntime", "controlnet_aux"), (), "mediapipe"),
        ((), ("dwpose", "openpose"), "mediapipe"),
        (("controlnet_aux",), ("dwpose", "openpose"), "openpose"),
        (("onnxruntime", "controlnet_aux"), ("openpose",), "openpose"),
        (("onnxruntime", "controlnet_aux"), ("dwpose", "openpose"), "dwpose"),
    ],
)
def test_auto_takes_the_first_whose_package_and_weights_are_here(installed, packages, groups, taken):
    installed(*packages)
    choice = choose_detector("auto", on_disk(*groups))
    assert choice.kind.name == taken
    assert choice.files.keys() == set(KINDS[taken].weights)
    assert f"detector {taken}" in choice.sentence
    assert ("non-commercial" in choice.sentence) == (taken == "openpose")


@pytest.mark.parametrize(
    ("broken", "taken"), [("onnxruntime", "openpose"), ("controlnet_aux", "dwpose")], ids=["onnxruntime", "other"]
)
def test_auto_passes_over_a_package_that_does_not_import_and_says_so(installed, broken, taken):
    installed("onnxruntime", "controlnet_aux", broken=broken)
    choice = choose_detector("auto", on_disk("dwpose", "openpose"))
    assert choice.kind.name == taken
    assert ("'dwpose' does not load" in choice.sentence) == (broken == "onnxruntime")
    installed("controlnet_aux", broken="controlnet_aux")
    choice = choose_detector("auto", on_disk("openpose"))
    assert choice.kind.name == "mediapipe" and "'openpose' does not load" in choice.sentence


def test_weights_in_part_are_not_enough(installed):
    installed("onnxruntime")
    assert choose_detector("auto", lambda group: {"dwpose-person": Path("x")}).kind.name == "mediapipe"


@pytest.mark.parametrize(("name", "package"), [("openpose", "controlnet_aux"), ("dwpose", "onnxruntime")])
def test_what_is_missing_is_said_with_what_to_type(installed, name, package):
    installed()
    with pytest.raises(UsageError, match=f"needs the package {package}") as caught:
        choose_detector(name)
    assert f"pip install 'magicpose-cli[{name}]'" in caught.value.hint
    assert f"magicpose download {name}" in caught.value.hint
    with pytest.raises(UsageError) as caught:
        choose_detector(name, on_disk(name))
    assert "download" not in caught.value.hint
    installed(package)
    with pytest.raises(OfflineError, match=f"weights of the detector '{name}'") as caught:
        make_detector(name)
    assert f"magicpose download {name}" in caught.value.hint
    assert choose_detector(name, on_disk(name)).sentence == ""  # the user said it


@pytest.mark.parametrize(
    ("typed", "meant"), [("mediapip", "mediapipe"), ("MediaPipe", "mediapipe"), ("DWpos", "dwpose"), ("Auto", "auto")]
)
def test_a_mistyped_detector_gets_a_suggestion(typed, meant):
    with pytest.raises(UsageError) as caught:
        make_detector(typed)
    assert typed in caught.value.message
    assert f"did you mean '{meant}'?" in caught.value.hint


def test_an_unknown_detector_lists_those_that_exist():
    with pytest.raises(UsageError) as caught:
        make_detector("zzz")
    assert "did you mean" not in caught.value.hint
    assert "auto, dwpose, openpose, mediapipe" in caught.value.hint


def test_an_unknown_device_is_refused_whatever_the_detector():
    with pytest.raises(UsageError, match="--device"):
        make_detector("mediapipe", device="gpu")


def test_a_detector_that_is_not_installed_says_how_to_get_it(tmp_path: Path):
    Image.new("RGB", (64, 64)).save(tmp_path / "photo.png")
    without = "import sys; sys.modules['mediapipe'] = None; from magicpose_cli.cli.app import main; main()"
    words = [sys.executable, "-c", without, "extract", "photo.png", "--detector", "mediapipe"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "does not load" in done.stderr and "pip install mediapipe" in done.stderr


def test_what_a_detector_needs_is_in_the_list_of_weights():
    registry = load_registry()
    for kind in KINDS.values():
        listed = tuple(weight.name for weight in registry.weights if kind.name in weight.used_for)
        assert listed == kind.weights
    for weight in registry.select(["openpose"]):
        assert "non-commercial" in weight.licence
    assert DETECTORS[-1] == "mediapipe"


def test_a_detector_on_the_cpu_beside_a_gpu_says_so(monkeypatch, tmp_path):
    pytest.importorskip("mediapipe", reason="mediapipe comes for Python 3.11 and 3.12", exc_type=ImportError)

    class Heard(type(SILENT)):
        def __init__(self):
            self.notes = []

        def note(self, message):
            self.notes.append(message)

    driver = tmp_path / "nvidia-smi"
    driver.write_text("#!/bin/sh\n")
    driver.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    for device, warned in (("auto", True), ("cuda:1", True), ("cpu", False)):
        heard = Heard()
        make_detector("mediapipe", device=device, progress=heard).close()
        assert [note for note in heard.notes if "runs on the CPU" in note] == heard.notes
        assert bool(heard.notes) == warned
