"""Where magicpose keeps things on this machine. Reads the environment; makes no folder."""

import os
from pathlib import Path


def cache_root() -> Path:
    """``MAGICPOSE_HOME``, else ``$XDG_CACHE_HOME/magicpose``, else ``~/.cache/magicpose``."""
    if home := os.environ.get("MAGICPOSE_HOME"):
        return Path(home).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "magicpose"


def weights_root() -> Path:
    """The folder of downloaded and converted weights."""
    return cache_root() / "weights"


def poses_root() -> Path:
    """The folder of poses extracted on the way of ``animate``."""
    return cache_root() / "poses"
