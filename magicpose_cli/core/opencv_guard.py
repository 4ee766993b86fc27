"""An OpenCV that does not load for want of a system library, told in a sentence.

mediapipe brings ``opencv-contrib-python``, which links the system's libGL; a slim machine has none. The headless build,
installed over it, needs no such library and serves mediapipe as well.
"""

from magicpose_cli.core.errors import DeviceError


def explain_opencv(error: ImportError) -> DeviceError | None:
    """The sentence and the cure for an ImportError of ``cv2`` over a system library; None for any other error."""
    message = str(error)
    if ".so" not in message or not any(name in message for name in ("libGL", "libEGL", "libglib", "libgthread")):
        return None
    from importlib import metadata  # costs the start-up of every command otherwise

    try:
        version = f"=={metadata.version('opencv-python-headless')}"
    except metadata.PackageNotFoundError:
        version = ""
    return DeviceError(
        f"OpenCV cannot load: {message}",
        f"run: python -m pip install --force-reinstall --no-deps opencv-python-headless{version}",
    )
