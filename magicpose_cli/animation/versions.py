"""Which versions of what made a video."""

import platform
from importlib import metadata

from magicpose_cli import __version__

_PACKAGES = ("torch", "diffusers", "transformers", "av", "mediapipe", "numpy", "opencv-python-headless")


def package_version(name: str) -> str | None:
    """A distribution's version without importing it; None where it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def versions() -> dict[str, str | None]:
    """magicpose, Python and what its numbers depend on."""
    return {
        "magicpose": __version__,
        "python": platform.python_version(),
        **{name: package_version(name) for name in _PACKAGES},
    }
