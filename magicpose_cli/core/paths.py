"""Where magicpose keeps things on this machine. Reads the environment; makes no folder."""

import os
from pathlib import Path


def cache_root() -> Path:
    """``MAGICPOSE_HOME``, else ``$XDG_CACHE_HOME/magicpose``, else ``~/.cache/magicpose``."""
    if home := os.environ.get("MAGICPOSE_HOME"):
        return Path(home).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "magicpose"


def config_root() -> Path:
    """What a user would miss: ``$MAGICPOSE_HOME/config``, else ``$XDG_CONFIG_HOME/magicpose``, else ``~/.config``'s."""
    if os.environ.get("MAGICPOSE_HOME"):
        return cache_root() / "config"
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "magicpose"


def signing_root() -> Path:
    """The folder of the key and certificates that sign outputs: ``MAGICPOSE_SIGNING``, else one of our own making."""
    own = os.environ.get("MAGICPOSE_SIGNING")
    return Path(own).expanduser() if own else config_root() / "signing"


def weights_root() -> Path:
    """The folder of downloaded and converted weights."""
    return cache_root() / "weights"


def poses_root() -> Path:
    """The folder of poses extracted on the way of ``animate``."""
    return cache_root() / "poses"
