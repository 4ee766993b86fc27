"""How good a pose track is, in figures, in sentences, and in advice."""

from dataclasses import asdict, dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from magicpose_cli.core.keypoints import BODY_THRESHOLD, LEFT_WRIST, RIGHT_WRIST
from magicpose_cli.core.pose_track import PoseTrack
from magicpose_cli.core.seen import seen_parts
from magicpose_cli.pose.clean import size_of
from magicpose_cli.pose.detector import PARTS
from magicpose_cli.pose.doubt import LIMBS
from magicpose_cli.pose.follow import may_be_nobody, number_there_at_once
from magicpose_cli.pose.gaps import LONGEST_GAP
from magicpose_cli.pose.ranges import Ranges, amount, count_frames, percent, ranges_of, ranges_text
from magicpose_cli.pose.track import FollowedClip

_CLOSE_CALL = 0.75  # the second largest person's area as a share of the largest one's
_OUTER = {"arm": "forearm", "leg": "lower leg"}
_PREVIEW = "('magicpose extract VIDEO --preview' writes it)"
_PART_NAMES = {"body": "body", "left_hand": "left hand", "right_hand": "right hand", "face": "face"}


@dataclass(frozen=True)
class PoseReport:
    """Which frames lack the person, in what share of all frames each part is seen, and what was done about it.

    Seen is a body of which a point is sure enough to be drawn (``BODY_THRESHOLD``), and a hand or face of which enough
    points are (``core.seen``).
    Ranges hold (first, last) frame numbers from 0, both inclusive; ``start`` is the second of the file at which frame 0
    lies. ``raw``: no gap was filled, so each one counts. ``people`` is how many were found, ``person`` the
    number of the one followed, ``right`` the one that ``--person right`` means (``left`` is 0), ``runner_up`` that of
    another one about as large, where the largest was asked for.
    ``uncertain``: numbers of people who may be none (``pose.follow.may_be_nobody``). ``missing_limbs``: where an arm, a
    leg, or its outer half alone, is not seen though the person is, for longer than a gap that is filled; limbs that are
    never seen are ``unseen_limbs``. ``doubtful_limbs``: where one could not be as the detector gave it
    (``pose.doubt``); ``removed_limbs``: where it was taken away for that, and so is not missing. ``doubtful``: frames
    in which the person may have been taken for another. ``swapped``: left and right were changed. ``filled``: points of
    that part were filled in. ``jitter``: how much points tremble, before and after, in pixels (``pose.clean.jitter``).
    ``height``: the person's size as a share of the picture's shorter side.
    """

    frames: int
    fps: Fraction
    without_person: Ranges
    share_body: float
    share_face: float
    share_left_hand: float
    share_right_hand: float
    share_wrists: float
    height: float
    start: float = 0.0
    raw: bool = False
    people: int = 1
    person: int = 0
    right: int = 0
    runner_up: int | None = None
    uncertain: tuple[int, ...] = ()
    missing_limbs: dict[str, Ranges] = field(default_factory=dict)
    unseen_limbs: tuple[str, ...] = ()
    doubtful_limbs: dict[str, Ranges] = field(default_factory=dict)
    removed_limbs: dict[str, Ranges] = field(default_factory=dict)
    doubtful: Ranges = ()
    swapped: Ranges = ()
    filled: dict[str, Ranges] = field(default_factory=dict)
    jitter: dict[str, tuple[float, float] | None] = field(default_factory=dict)

    @property
    def frames_with_person(self) -> int:
        return self.frames - count_frames(self.without_person)

    def sentences(self) -> list[str]:
        """For people: who is followed and where, how often each part was seen, what was mended, and what to do."""
        said = [self._who(), self._parts()]
        if self.unseen_limbs:
            said.append(f"Never seen: {', '.join(self.unseen_limbs)}.")
        if self.missing_limbs:
            gap = "" if self.raw else f" for longer than {LONGEST_GAP} s"
            said.append(f"Not seen{gap}: {self._where(self.missing_limbs)}.")
        if self.doubtful_limbs:
            said.append(f"Doubtful, however sure the detector was: {self._where(self.doubtful_limbs)}.")
        if self.removed_limbs:
            said.append(f"Taken away where it was too long to be one: {self._where(self.removed_limbs)}.")
        if self.people > 1:
            said.append(
                f"{self.people} people were found; number {self.person} is followed; left is 0, right is {self.right}. "
                "people.png numbers them, in the frame with most people."
            )
        if self.doubtful:
            said.append(f"In doubt who is who: {ranges_text(self.doubtful, self._seconds)}.")
        if self.swapped:
            said.append(f"Left and right were mixed up, and mended, in {ranges_text(self.swapped)}.")
        if filled := {part: ranges for part, ranges in self.filled.items() if ranges}:
            parts = ", ".join(
                f"{_PART_NAMES[part]} in {amount(count_frames(ranges))}" for part, ranges in filled.items()
            )
            said.append(f"Gaps of up to {LONGEST_GAP} s were filled: {parts}.")
        calmed = [
            f"{_PART_NAMES[part]} {pair[0]:.1f} → {pair[1]:.1f}"
            for part, pair in self.jitter.items()
            if pair and f"{pair[0]:.1f}" != f"{pair[1]:.1f}"
        ]
        if calmed:
            said.append(f"Trembling from frame to frame, in pixels, before → after smoothing: {', '.join(calmed)}.")
        return said + self.advice()

    def advice(self) -> list[str]:
        """What the user can do about what went wrong; nothing where all is well."""
        said = []
        if self.runner_up is not None:
            said.append(
                f"A close call: person {self.runner_up} is about as large as person {self.person}. "
                f"If it is the wrong one: --person {self.runner_up}."
            )
        for number in self.uncertain:
            said.append(
                f"Person {number} may be no person but a thing taken for one: it keeps quite still and the detector "
                f"is not sure, or it quivers as nobody does. Look at the preview {_PREVIEW}."
            )
        if self.doubtful:
            said.append(
                f"Look there at the preview {_PREVIEW}: where the skeleton changes to another person, cut with "
                "--start/--end."
            )
        if self.missing_limbs:
            said.append(
                "The model guesses a limb that is not seen. Where it is hidden or out of the picture, take another "
                "part of the video with --start/--end; else more light or another --detector may find it."
            )
        if self.doubtful_limbs:
            said.append(
                f"Look at those limbs in the preview {_PREVIEW}: where they are wrong, cut with --start/--end, or try "
                "another --detector."
            )
        said += self._cut()
        if 0 < self.height < 0.25:
            said.append(
                f"The person is small ({percent(self.height)} of the picture's shorter side): crop the video to him "
                "for better hands and face."
            )
        if min(self.share_left_hand, self.share_right_hand) < 0.5 <= self.share_wrists:
            said.append(
                "Hands are missed often though the arms are seen: more light, a larger person or another --detector "
                "may find them."
            )
        if self.share_face < 0.5 < self.share_body:
            said.append(
                "The face is seen in few frames: elsewhere the model will guess one. Choose a part in "
                "which the person faces the camera."
            )
        if count_frames(self.swapped) > 0.1 * self.frames:
            said.append(
                f"Left and right were mixed up often: look at the preview {_PREVIEW}, and try another --detector."
            )
        return said

    def to_json(self) -> dict[str, Any]:
        """Plain values; ranges as lists of two."""
        lists = {name: _lists(getattr(self, name)) for name in ("without_person", "doubtful", "swapped")}
        parts: dict[str, dict[str, Any]] = {
            name: {each: _lists(ranges) for each, ranges in getattr(self, name).items()}
            for name in ("filled", "missing_limbs", "doubtful_limbs", "removed_limbs")
        }
        parts["jitter"] = {part: pair and [round(pixels, 3) for pixels in pair] for part, pair in self.jitter.items()}
        return asdict(self) | lists | parts | {"fps": str(self.fps), "advice": self.advice()}

    def _who(self) -> str:
        found = self.frames_with_person
        if not self.without_person:
            return "A person in the only frame." if self.frames == 1 else f"A person in all {self.frames:,} frames."
        share = percent(found / self.frames)
        without = ranges_text(self.without_person)
        return f"A person in {found:,} of {self.frames:,} frames ({share}); none in {without}."

    def _parts(self) -> str:
        parts = f"Body seen in {percent(self.share_body)} of the frames, face in {percent(self.share_face)}"
        hands = f"left hand in {percent(self.share_left_hand)}, right hand in {percent(self.share_right_hand)}"
        return f"{parts}, {hands}."

    def _cut(self) -> list[str]:
        """Which --start and --end leave out the frames without the person, where those lie at an end."""
        if not self.frames_with_person:
            return []
        options = []
        if self.without_person and self.without_person[0][0] == 0:
            options.append(f"--start {self._seconds(self.without_person[0][1] + 1):.2f}")
        if self.without_person and self.without_person[-1][1] == self.frames - 1:
            options.append(f"--end {self._seconds(self.without_person[-1][0]):.2f}")
        inside = [r for r in self.without_person if r[0] > 0 and r[1] < self.frames - 1]
        said = (
            [f"{' '.join(options)} leaves out the empty frames at the end{'s' * (len(options) > 1)}."]
            if options
            else []
        )
        if inside:
            first, last = max(inside, key=lambda r: r[1] - r[0])
            said.append(
                f"The person is missing for up to {float((last - first + 1) / self.fps):.1f} s in the middle "
                f"({self._seconds(first):.2f}-{self._seconds(last + 1):.2f} s): the result will be empty there. Take "
                "the part before or after with --start/--end."
            )
        return said

    def _seconds(self, frame: int) -> float:
        """When a frame begins, counted from the beginning of the file, as --start and --end are."""
        return self.start + float(frame / self.fps)

    def _where(self, ranges: dict[str, Ranges]) -> str:
        """``left arm in frames 3-20 (0.12-0.84 s); right leg in frame 30 (1.20-1.24 s)``."""
        return "; ".join(f"{name} in {ranges_text(each, self._seconds)}" for name, each in ranges.items())


def report(track: PoseTrack, followed: FollowedClip | None = None, *, start: float = 0) -> PoseReport:
    """Look through a track of at least one frame; ``followed`` is how it came about, where that is known.

    ``start``: the second of the file at which the track begins.
    """
    seen = seen_parts(track.parts)
    person = np.any(list(seen.values()), axis=0)
    missing = _missing_limbs(track, person, {} if followed is None else followed.removed_limbs)
    unseen = tuple(limb for limb, frames in missing.items() if person.any() and (frames == person).all())
    raw = followed is not None and followed.raw
    longest = 0 if raw else max(1, int(LONGEST_GAP * track.fps))
    points = np.concatenate([getattr(track, part) for part in PARTS], axis=1)
    more: dict[str, Any] = {}
    if followed is not None:
        chosen = followed.people[followed.chosen]
        more = {
            "people": len(followed.people),
            "person": followed.chosen,
            "right": number_there_at_once(followed.people, float(track.fps)) - 1,
            "runner_up": _runner_up([p.area for p in followed.people]) if followed.asked == "largest" else None,
            "uncertain": tuple(
                number
                for number, each in enumerate(followed.people)
                if may_be_nobody(each, float(track.fps), says_visibility=followed.says_visibility)
            ),
            "doubtful_limbs": _ranges_where_any(followed.doubtful_limbs),
            "removed_limbs": _ranges_where_any(followed.removed_limbs),
            "doubtful": ranges_of(np.array(chosen.doubtful)),
            "swapped": ranges_of(np.flatnonzero(followed.swapped)),
            "filled": {part: ranges_of(np.flatnonzero(frames)) for part, frames in followed.filled.items()},
            "jitter": followed.jitter,
        }
    return PoseReport(
        frames=len(track),
        fps=track.fps,
        start=start,
        raw=raw,
        without_person=ranges_of(np.flatnonzero(~person)),
        share_wrists=float((track.body[:, [LEFT_WRIST, RIGHT_WRIST], 2] >= BODY_THRESHOLD).all(axis=1).mean()),
        missing_limbs={
            limb: long
            for limb, frames in missing.items()
            if limb not in unseen and (long := _longer(ranges_of(np.flatnonzero(frames)), longest))
        },
        unseen_limbs=unseen,
        height=size_of(points) / min(track.width, track.height) if person.any() else 0.0,
        **{f"share_{part}": float(frames.mean()) for part, frames in seen.items()},
        **more,
    )


def _missing_limbs(track: PoseTrack, person: np.ndarray, removed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """For each arm and leg, and then for its outer half alone, (F,) True where the person is there and it is not.

    Where a limb was ``removed`` (F,), the detector gave one.
    """
    there = track.body[..., 2] >= BODY_THRESHOLD
    missing = {}
    for limb, (root, middle, end) in LIMBS.items():
        side, kind = limb.split()
        inner = there[:, [root, middle]].all(axis=1)
        looked_for = person & ~removed.get(limb, False)
        missing[limb] = looked_for & ~inner
        missing[f"{side} {_OUTER[kind]}"] = looked_for & inner & ~there[:, end]
    return missing


def _ranges_where_any(limbs: dict[str, np.ndarray]) -> dict[str, Ranges]:
    """(F,) of bool for each limb → the stretches that are True, without limbs that have none."""
    return {limb: ranges_of(np.flatnonzero(frames)) for limb, frames in limbs.items() if frames.any()}


def _longer(ranges: Ranges, frames: int) -> Ranges:
    """The stretches of more than so many frames."""
    return tuple((first, last) for first, last in ranges if last - first + 1 > frames)


def _runner_up(areas: list[float]) -> int | None:
    """The number of the second largest person, where he is about as large as the largest."""
    order = sorted(range(len(areas)), key=lambda number: -areas[number])
    return order[1] if len(order) > 1 and areas[order[1]] >= _CLOSE_CALL * areas[order[0]] else None


def _lists(ranges: Ranges) -> list[list[int]]:
    return [list(ends) for ends in ranges]
