"""The person in the reference photo: whose proportions the poses are fitted to."""

from pathlib import Path

import numpy as np

from magicpose_cli.core.errors import InputError, NoPersonError
from magicpose_cli.core.progress import SILENT, Progress
from magicpose_cli.pose.detector import PersonPose
from magicpose_cli.pose.openpose_json import read_poses
from magicpose_cli.pose.registry import make_detector
from magicpose_cli.pose.track import choose_largest
from magicpose_cli.weights.verify import intact_files


def person_in(
    reference: np.ndarray,
    detector: str,
    poses: Path | None = None,
    device: str = "auto",
    progress: Progress = SILENT,
) -> PersonPose | None:
    """Keypoints of the person in a photo, in its pixels: from the first frame of ``poses``, or found in the photo.

    Of several people the largest; that, and which detector ``auto`` takes, is told. None where nobody is found. Raises
    InputError where ``poses`` belong to a picture of another shape, NoPersonError where they show nobody.
    """
    if poses is not None:
        return _read_person(poses, reference.shape[1], reference.shape[0])
    finder = make_detector(detector, still=True, device=device, find_weights=intact_files, progress=progress)
    try:
        people = finder.detect(reference)
    finally:
        finder.close()
    if len(people) > 1:
        progress.note(
            f"{len(people)} people were found in the reference photo: the poses are fitted to the largest; crop the "
            "photo to the one you want, or give --reference-poses"
        )
    return choose_largest(people)


def _read_person(poses: Path, width: int, height: int) -> PersonPose:
    track = read_poses(poses).track
    scale = width / track.width
    if abs(track.height * scale - height) > 2:
        raise InputError(
            f"{poses} is of a picture of {track.width}x{track.height}, the reference photo has {width}x{height}",
            "give the keypoints of this photo: magicpose extract PHOTO -o FOLDER",
        )
    first = track[0:1].map_points(scale, 0, 0, width, height)
    person = PersonPose(first.body[0], first.left_hand[0], first.right_hand[0], first.face[0])
    if person.box is None:
        raise NoPersonError(f"{poses} shows no person in its first frame", "give other keypoints, or --fit none")
    return person
