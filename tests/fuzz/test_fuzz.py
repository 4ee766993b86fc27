"""A short seeded share of ``python -m tests.fuzz``."""

from pathlib import Path

import pytest

from tests.fuzz.fuzz import fuzz


@pytest.mark.parametrize(("kind", "count"), [("videos", 52), ("poses", 300), ("images", 120), ("tomls", 120)])
def test_damaged_files_end_in_success_or_in_our_errors(kind: str, count: int, tmp_path: Path) -> None:
    ends, bad = fuzz(kind, range(count), tmp_path)
    assert not bad, "\n".join(bad)
    assert sum(ends.values()) == count
    assert 0 < ends["read"] < count  # the damage is neither nothing nor everything
