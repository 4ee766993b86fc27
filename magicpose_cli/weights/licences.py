"""Which licences were accepted on this machine: each is asked for once, also where a download is broken off."""

import json
from collections.abc import Iterable
from pathlib import Path

from magicpose_cli.core.temporaries import write_whole
from magicpose_cli.weights.registry import Weight

_FILE = "accepted-licences.json"


def not_accepted(weights: Iterable[Weight], root: Path) -> tuple[Weight, ...]:
    """Those of the weights whose licence, as weights.toml words it today, nobody accepted for this folder."""
    accepted = _read(root)
    return tuple(weight for weight in weights if accepted.get(weight.name) != weight.licence)


def note_accepted(weights: Iterable[Weight], root: Path) -> None:
    """Remember in the weights folder that these licences were accepted. Raises OSError."""
    root.mkdir(parents=True, exist_ok=True)
    accepted = _read(root) | {weight.name: weight.licence for weight in weights}
    write_whole(root / _FILE, (json.dumps(accepted, indent=1, sort_keys=True) + "\n").encode())


def _read(root: Path) -> dict[str, str]:
    try:
        found = json.loads((root / _FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # asked once more, at worst
    return found if isinstance(found, dict) else {}
