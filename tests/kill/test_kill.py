"""A short share of ``python -m tests.kill``."""

from pathlib import Path

import pytest

from tests.kill.faults import can_inject, faults


def test_system_calls_that_fail_or_kill(tmp_path: Path) -> None:
    if not can_inject(tmp_path):
        pytest.skip("needs a strace that may trace")
    ends, bad = faults(range(6), tmp_path)
    assert not bad, "\n".join(bad)
    assert ends["exit 0"] < 6, "the faults reached the run"
