"""A clip to one person's ``PoseTrack``: decoding on one thread, detection on another."""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice

import numpy as np

from magicpose_cli.core.choices import check_person
from magicpose_cli.core.clip import Clip
from magicpose_cli.core.errors import InputError, NoPersonError
from magicpose_cli.core.pose_track import PoseTrack
from magicpose_cli.core.progress import SILENT, Progress
from magicpose_cli.core.seen import seen_parts, without_scraps
from magicpose_cli.pose.clean import as_they_are, clean, jitter
from magicpose_cli.pose.detector import PART_SLICES, PARTS, PersonPose, PoseDetector
from magicpose_cli.pose.follow import FollowedPerson, follow, number_there_at_once

METHOD_VERSION = 4
"""Of what becomes of a detector's people here (``follow``, ``clean``): raised with each change to the poses that come
out, so that poses kept by an earlier version are not taken for today's."""

STRETCH = 480  # frames: after so many a detector begins anew, so that what follows hangs on nothing before
_BETTER_PICTURE = "use a picture or video in which the person is well lit and at least a quarter of the picture high"
_AHEAD = 4  # decoded frames that may wait: 25 MB at 1080 × 1920


@dataclass(frozen=True)
class FollowedClip:
    """One person's track, and what is to be known about it.

    ``people`` are all the people of the clip by their numbers, as the detector saw them, ``chosen`` is the number of
    the one in ``track``, ``asked`` how the user named him. ``swapped`` (F,), ``filled`` (F,) for each part,
    ``doubtful_limbs`` and ``removed_limbs`` (F,) for each limb say in which frames left and right were changed, points
    filled in, a limb could not be as it was found (``pose.doubt``), and was taken away for that; ``jitter`` holds each
    part's before and after (``pose.clean.jitter``). ``raw``: nothing was changed. ``says_visibility`` is the
    detector's.
    """

    track: PoseTrack
    people: tuple[FollowedPerson, ...]
    chosen: int
    asked: str
    swapped: np.ndarray
    filled: dict[str, np.ndarray]
    doubtful_limbs: dict[str, np.ndarray]
    removed_limbs: dict[str, np.ndarray]
    jitter: dict[str, tuple[float, float] | None]
    raw: bool
    says_visibility: bool


def extract_track(
    clip: Clip,
    detector: PoseDetector,
    *,
    person: str = "largest",
    raw: bool = False,
    progress: Progress = SILENT,
    found: Sequence[list[PersonPose]] = (),
    on_stretch: Callable[[int, list[list[PersonPose]]], None] = lambda start, people: None,
) -> FollowedClip:
    """One person's keypoints in each frame of ``clip``: ``find_people``, then ``follow_person``.

    Raises UsageError for a person that is no choice, InputError for a clip without frames, NoPersonError
    where the clip does not show the person.
    """
    check_person(person)
    with progress.stage("finding poses", clip.frame_count, done=len(found)) as advance:
        people = find_people(clip, detector, advance, found=found, on_stretch=on_stretch)
    return follow_person(clip, people, person=person, raw=raw, says_visibility=detector.says_visibility)


def find_people(
    clip: Clip,
    detector: PoseDetector,
    advance: Callable[[], None],
    *,
    found: Sequence[list[PersonPose]] = (),
    on_stretch: Callable[[int, list[list[PersonPose]]], None] = lambda start, people: None,
) -> list[list[PersonPose]]:
    """Everyone in each frame of ``clip``; ``advance`` is called after each. Raises InputError for no frames.

    The detector begins anew every ``STRETCH`` frames, whoever is in them. ``found`` are the people of whole stretches
    that are known already; ``on_stretch`` is told the first frame and the people of each that is done.
    """
    everyone = list(found)
    with closing(decoded_ahead(clip.frames)) as frames:
        rest = islice(frames, len(everyone), None)
        while stretch := _people_of_stretch(rest, detector, advance):
            on_stretch(len(everyone), stretch)
            everyone += stretch
    if not everyone:
        raise InputError(f"{clip.path}: the video holds no frame", "try another file")
    return everyone


def _people_of_stretch(
    frames: Iterator[np.ndarray], detector: PoseDetector, advance: Callable[[], None]
) -> list[list[PersonPose]]:
    people: list[list[PersonPose]] = []
    for batch in in_batches(islice(frames, STRETCH), detector.batch_size):
        if not people:
            detector.reset()
        for each in detector.detect_batch(batch):
            people.append(each)
            advance()
    return people


def follow_person(
    clip: Clip,
    found: list[list[PersonPose]],
    *,
    person: str = "largest",
    raw: bool = False,
    says_visibility: bool = False,
) -> FollowedClip:
    """One of the people ``found`` in each frame of ``clip``; a frame without the person has all points missing.

    ``person`` is one person for the whole clip: ``largest`` by the area of all frames together, ``left`` or ``right``
    of those who are there at the beginning, or a number from 0: first those who are there within a second of the first
    one, from the picture's left, then who comes later. ``raw`` leaves the points as the detector gave them;
    ``says_visibility`` is the detector's. Raises NoPersonError where there is nobody, or not that one, or nothing of
    him counts as seen (``core.seen``).
    """
    fps = float(clip.fps)
    people = follow(found, fps)
    chosen = _chosen(people, person, fps, clip, len(found))
    points = np.zeros((len(found), sum(PARTS.values()), 3), np.float32)
    points[people[chosen].frames] = people[chosen].points
    cleaned = as_they_are(points, fps) if raw else clean(points, fps)
    inside = ((cleaned.points[..., :2] >= 0) & (cleaned.points[..., :2] <= (clip.width, clip.height))).all(axis=-1)
    shown = np.where(inside[..., None], cleaned.points, np.float32(0))
    parts = {part: shown[:, of] for part, of in PART_SLICES.items()}
    if not np.any(list(seen_parts(parts).values())):
        raise NoPersonError(
            f"{clip.path}: somebody was found, but no point of the body is sure enough to be drawn", _BETTER_PICTURE
        )
    parts = parts if raw else without_scraps(parts)  # the rest of a hand at the picture's edge
    return FollowedClip(
        track=PoseTrack(**parts, width=clip.width, height=clip.height, fps=clip.fps),
        people=tuple(people),
        chosen=chosen,
        asked=person,
        swapped=cleaned.swapped,
        filled=cleaned.filled,
        doubtful_limbs=cleaned.doubtful,
        removed_limbs=cleaned.removed,
        jitter=jitter(points, cleaned.points),
        raw=raw,
        says_visibility=says_visibility,
    )


def pose_at(track: PoseTrack, index: int) -> PersonPose | None:
    """The person in one frame of a track, or None where he is not there."""
    pose = PersonPose(**{part: getattr(track, part)[index] for part in PARTS})
    return None if pose.box is None else pose


def _chosen(people: list[FollowedPerson], person: str, fps: float, clip: Clip, frames: int) -> int:
    """The number of the person to follow. Raises NoPersonError."""
    if not people:
        where = "the picture" if frames == 1 else f"any of its {frames} frames"
        raise NoPersonError(
            f"{clip.path}: no person was found in {where}",
            _BETTER_PICTURE,
        )
    if person == "largest":
        return max(range(len(people)), key=lambda number: people[number].area)
    number = {"left": 0, "right": number_there_at_once(people, fps) - 1}.get(person)
    number = int(person) if number is None else number
    if number >= len(people):
        known = (
            "one person was found, number 0"
            if len(people) == 1
            else f"{len(people)} people were found, 0 to " + (f"{len(people) - 1} (from the left)")
        )
        raise NoPersonError(f"{clip.path}: there is no person '{person}': {known}", "choose one of these")
    return number


def choose_largest(people: list[PersonPose]) -> PersonPose | None:
    """The one of a picture's ``people`` whose box is largest; None where nobody is."""
    return max((pose for pose in people if pose.box is not None), key=lambda pose: pose.area, default=None)


def in_batches(frames: Iterable[np.ndarray], size: int) -> Iterator[list[np.ndarray]]:
    """``frames``, ``size`` at a time; the last batch may be smaller. An error comes after the frames before it."""
    batch: list[np.ndarray] = []
    try:
        for frame in frames:
            batch.append(frame)
            if len(batch) == size:
                yield batch
                batch = []
    except Exception:
        if batch:
            yield batch
        raise
    if batch:
        yield batch


def decoded_ahead(frames: Callable[[], Iterator[np.ndarray]], ahead: int = _AHEAD) -> Iterator[np.ndarray]:
    """The frames of ``frames()``, made on a thread of their own, at most ``ahead`` before they are asked for.

    An error there comes out here, after the frames before it. Closing the generator ends the thread.
    """
    ready: queue.Queue[tuple[np.ndarray | None, BaseException | None]] = queue.Queue(ahead)
    given_up = threading.Event()

    def decode() -> None:
        error: BaseException | None = None
        try:
            for frame in frames():
                if given_up.is_set():
                    break
                ready.put((frame, None))
        except BaseException as caught:
            error = caught
        ready.put((None, error))

    worker = threading.Thread(target=decode, name="decode", daemon=True)
    worker.start()
    ended = False
    try:
        while True:
            frame, error = ready.get()
            if frame is None:
                ended = True
                if error:
                    raise error
                return
            yield frame
    finally:
        given_up.set()
        while not ended:
            ended = ready.get()[0] is None
        worker.join()
