"""Whether a path is a file that may be opened at all."""

import difflib
import os
import stat
from pathlib import Path

from magicpose_cli.core.errors import InputError


def check_file(path: Path, *, folder_allowed: bool = False) -> os.stat_result:
    """Raise InputError unless ``path`` is a regular file that is not empty (or a folder, where allowed)."""
    try:
        info = os.stat(path)
    except FileNotFoundError:
        raise InputError(f"no such file: {path}", _did_you_mean(path)) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"cannot open {path}: {reason}", "check the path and its permissions") from None
    if stat.S_ISDIR(info.st_mode):
        if folder_allowed:
            return info
        raise InputError(f"{path} is a folder, not a file", "name a file in it")
    if not stat.S_ISREG(info.st_mode):
        raise InputError(f"{path} is not a regular file", "save it to disk first, then give that file")
    if info.st_size == 0:
        raise InputError(f"{path} is empty (0 bytes)", "copy or download it again")
    if not os.access(path, os.R_OK):
        raise InputError(f"{path} may not be read by you", "change its permissions (chmod +r)")
    return info


def _did_you_mean(path: Path) -> str:
    try:
        near = difflib.get_close_matches(path.name, [p.name for p in path.parent.iterdir()], n=1, cutoff=0.75)
    except (OSError, ValueError):
        near = []
    return f"did you mean {path.with_name(near[0])}?" if near else "check the path"
