"""What a finished training set holds, in sentences for the user."""

from magicpose_cli.pose.report import ranges_text
from magicpose_cli.training.data.parts import VideoRow
from magicpose_cli.training.data.table import DatasetTable

_POOR = 0.5  # a share below this deserves a word
_SLOW = 20  # frames a second


def sentences(table: DatasetTable) -> list[str]:
    """The whole set, then each video whose frames were dropped, then advice where something is poor."""
    whole = table.summary
    kept = f"{whole['frames_kept']:,} of {whole['frames_seen']:,} frames kept"
    said = [
        f"{whole['videos']} videos, {whole['validation_videos']} of them for validation; {kept}",
        f"{whole['shards']} shards, {whole['bytes'] / 1e6:,.1f} MB",
    ]
    if whole["face"] is not None:
        said.append(f"face seen in {whole['face']:.0%} of the kept frames, a hand in {whole['hands']:.0%}")
    for row in table.videos:
        if row.dropped or not row.segments:
            said.append(_dropped(row))
    return said + _advice(table)


def _dropped(row: VideoRow) -> str:
    reasons = "; ".join(f"{reason}: {ranges_text(ends)}" for reason, ends in row.dropped.items())
    if not row.segments:
        return f"{row.name} is left out: {reasons or 'it has one frame'}"
    return f"{row.name}: {row.kept:,} of {row.frames:,} frames kept; {reasons}"


def _advice(table: DatasetTable) -> list[str]:
    used = [row for row in table.videos if row.segments]
    said = []
    for what, names, meaning in (
        ("face", [r.name for r in used if r.face is not None and r.face < _POOR], "little of faces is learnt from"),
        ("hands", [r.name for r in used if r.hands is not None and r.hands < _POOR], "little of hands is learnt from"),
        (f"fewer than {_SLOW} frames a second", [r.name for r in used if r.own_fps and r.own_fps < _SLOW], ""),
    ):
        if not names:
            continue
        if meaning:
            said.append(f"{what} seen in less than half of the frames: {meaning} {', '.join(names)}")
        else:
            said.append(f"{what}, repeated to reach 30: clips of them stutter: {', '.join(names)}")
    if not any(row.split == "validation" for row in used):
        said.append("no video is held out: training will show its pictures of people that it learns from")
    return said
