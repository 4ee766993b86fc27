"""What a finished training set holds, in sentences for the user."""

from magicpose_cli.pose.ranges import percent, ranges_text
from magicpose_cli.training.data.table import DatasetTable, VideoRow

_POOR = 0.5  # a share below this deserves a word
_SLOW = 20  # frames a second
_MOST_NAMES = 8


def sentences(table: DatasetTable) -> list[str]:
    """The whole set, then each video whose frames were dropped, then advice where something is poor."""
    whole = table.summary
    kept = f"{whole['frames_kept']:,} of {whole['frames_seen']:,} frames kept"
    held_out = f"{whole['validation_videos']} of {whole['videos']} videos held out for validation"
    said = [f"{kept}; {held_out}; {whole['bytes'] / 1e6:,.1f} MB of shards"]
    if whole["face"] is not None:
        said.append(f"face seen in {percent(whole['face'])} of the kept frames, a hand in {percent(whole['hands'])}")
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
    if names := [row.name for row in used if row.face is not None and row.face < _POOR]:
        said.append(f"little of faces is learnt from {_listed(names)}: seen in less than half of the frames")
        said.append("look at videos without a face: what the detector found may be no person")
    if names := [row.name for row in used if row.hands is not None and row.hands < _POOR]:
        said.append(f"little of hands is learnt from {_listed(names)}: seen in less than half of the frames")
    if names := [row.name for row in used if row.own_fps is not None and row.own_fps < _SLOW]:
        said.append(f"clips of {_listed(names)} stutter: fewer than {_SLOW} frames a second, repeated to reach 30")
    if not any(row.split == "validation" for row in used):
        said.append(
            "no video is held out: recipes for this set need validate_steps = 0, and show people whom they learn from"
        )
    return said


def _listed(names: list[str]) -> str:
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
