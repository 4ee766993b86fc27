"""A clip to one person's ``PoseTrack``: decoding on one thread, detection on another."""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing

import numpy as np

from magicpose_cli.core.clip import Clip
from magicpose_cli.core.errors import InputError, NoPersonError, UsageError
from magicpose_cli.core.pose_track import PoseTrack
from magicpose_cli.core.progress import SILENT, Progress
from magicpose_cli.pose.detector import PARTS, PersonPose, PoseDetector

_AHEAD = 4  # decoded frames that may wait: 25 MB at 1080 × 1920

OnFrame = Callable[[int, np.ndarray, PersonPose | None], None]


def extract_track(
    clip: Clip,
    detector: PoseDetector,
    *,
    person: str = "largest",
    progress: Progress = SILENT,
    on_frame: OnFrame | None = None,
) -> PoseTrack:
    """One person's keypoints in each frame of ``clip``; a frame without the person has all points missing.

    ``person``: ``largest``, ``left`` or ``right`` of the picture, or a number counted from 0 at the picture's left;
    chosen anew in each frame. ``on_frame(index, frame, pose)`` is called in order, pose None where there is nobody.

    Raises UsageError for a person the detector cannot choose, InputError for a clip without frames, NoPersonError
    where no frame shows the person.
    """
    check_person(person, detector)
    detector.reset()
    poses: list[PersonPose | None] = []
    with progress.stage("finding poses", clip.frame_count) as advance, closing(decoded_ahead(clip.frames)) as frames:
        for batch in in_batches(frames, detector.batch_size):
            for frame, people in zip(batch, detector.detect_batch(batch), strict=True):
                pose = choose_person(people, person)
                if on_frame:
                    on_frame(len(poses), frame, pose)
                poses.append(pose)
                advance()
    if not poses:
        raise InputError(f"{clip.path}: the video holds no frame", "try another file")
    if not any(poses):
        who = "no person" if person in ("largest", "0") else f"no person '{person}'"
        where = "the picture" if len(poses) == 1 else f"any of its {len(poses)} frames"
        raise NoPersonError(
            f"{clip.path}: {who} was found in {where}",
            "use a picture or video in which the person is well lit and at least a quarter of the picture high",
        )
    nobody = PersonPose.empty()
    parts = {part: np.stack([getattr(pose or nobody, part) for pose in poses]) for part in PARTS}
    return PoseTrack(**parts, width=clip.width, height=clip.height, fps=clip.fps)


def check_person(person: str, detector: PoseDetector) -> None:
    """Raise UsageError where ``person`` is no choice, or none that this detector offers."""
    if person not in ("largest", "left", "right") and not (person.isascii() and person.isdecimal()):
        raise UsageError(
            f"unknown person '{person}'", "use largest, left, right, or a number counted from 0 at the picture's left"
        )
    if not detector.finds_many and person != "largest" and int(person if person.isdecimal() else 1) != 0:
        raise UsageError(
            f"the detector '{detector.name}' finds one person a frame, so it cannot choose the person '{person}'",
            "leave --person out, or crop the video to the person you want",
        )


def choose_person(people: list[PersonPose], person: str) -> PersonPose | None:
    """The one of ``people`` that ``person`` names (see ``extract_track``); None where that one is not there."""
    found = [pose for pose in people if pose.box is not None]
    if not found:
        return None
    if person == "largest":
        return max(found, key=lambda pose: pose.area)
    in_order = sorted(found, key=_middle)
    number = {"left": 0, "right": len(in_order) - 1}.get(person)
    number = int(person) if number is None else number
    return in_order[number] if number < len(in_order) else None


def _middle(pose: PersonPose) -> float:
    left, _, right, _ = pose.box or (0.0, 0.0, 0.0, 0.0)
    return (left + right) / 2


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
