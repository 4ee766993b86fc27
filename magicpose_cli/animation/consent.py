"""Whether the user has said, once, that the people in their photos agreed to be animated."""

import json
import os
import time
from pathlib import Path

from magicpose_cli.core.errors import RefusedError
from magicpose_cli.core.paths import config_root
from magicpose_cli.core.temporaries import write_whole

QUESTION = "Did the people in your photos agree to be animated, and to what you will do with it?"
VARIABLE = "MAGICPOSE_CONSENT"


def has_consent() -> bool:
    """True where it was said before, or the environment says it (``MAGICPOSE_CONSENT=yes``)."""
    if os.environ.get(VARIABLE, "").lower() in ("yes", "1", "true"):
        return True
    try:
        kept = json.loads(_place().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(kept, dict) and kept.get("answer") == "yes"


def remember_consent() -> bool:
    """Keep the answer for this user on this machine; False where it cannot be kept."""
    place = _place()
    answer = {"question": QUESTION, "answer": "yes", "on": time.strftime("%Y-%m-%d")}
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        write_whole(place, (json.dumps(answer) + "\n").encode())
    except OSError:
        return False
    return True


def refusal(asked: bool) -> RefusedError:
    """The error where the answer was no, or (not ``asked``) where there is nobody to ask."""
    if asked:
        return RefusedError("a photo of people who did not agree is not animated", "use a photo of yourself")
    return RefusedError(
        "say first that the people in your photos agreed to be animated; there is nobody here to ask",
        f"add --i-have-consent once, or set {VARIABLE}=yes",
    )


def _place() -> Path:
    return config_root() / "consent.json"
