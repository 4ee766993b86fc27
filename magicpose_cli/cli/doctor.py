"""``magicpose doctor``: what works on this machine."""

from dataclasses import asdict
from typing import Any

from magicpose_cli.cli.console import Console
from magicpose_cli.core.errors import PartialError

EXAMPLES = ("magicpose doctor", "magicpose doctor --json")
_MARKS = {"ok": "ok  ", "note": "note", "broken": "FAIL"}


def doctor(console: Console) -> dict[str, Any]:
    """Check what works on this machine, and say what to mend."""
    console.note("checking this machine")
    from magicpose_cli.animation.doctor import examine

    checks = examine()
    for check in checks:
        console.say(f"{_MARKS[check.state]}  {check.name}: {check.detail}")
        if check.fix and check.state != "ok":
            console.say(f"      {check.fix}")
    broken = [check.name for check in checks if check.state == "broken"]
    result = {"ok": not broken, "checks": [{**asdict(check), "ok": check.ok} for check in checks]}
    if broken:
        console.emit(result)
        raise PartialError(f"{len(broken)} of {len(checks)} checks failed: {', '.join(broken)}")
    console.say("all that magicpose needs works here")
    return result
