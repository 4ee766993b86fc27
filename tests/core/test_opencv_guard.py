"""A library that the system lacks is named with its cure; every other ImportError stays what it is."""

from magicpose_cli.core.errors import DeviceError
from magicpose_cli.core.opencv_guard import explain_opencv


def test_a_missing_system_library_has_a_cure() -> None:
    error = ImportError("libGL.so.1: cannot open shared object file: No such file or directory")
    told = explain_opencv(error)
    assert isinstance(told, DeviceError)
    assert "libGL.so.1" in told.message
    assert "pip install --force-reinstall --no-deps opencv-python-headless" in told.hint


def test_other_import_errors_are_left_alone() -> None:
    assert explain_opencv(ModuleNotFoundError("No module named 'cv2'")) is None
    assert explain_opencv(ImportError("cannot import name 'imread' from 'cv2' (cv2.abi3.so)")) is None
