"""Media of synthetic figures: a photo, a driving video with sound, its exact poses and its pose maps."""

import wave
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

FPS, FRAMES, SIDE = 10, 12, 256


@dataclass(frozen=True)
class Media:
    """Paths of one figure's photo, and of another's dance: 12 frames at 10 a second, with sound."""

    photo: Path
    driver: Path
    poses: Path
    maps: Path


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> Media:
    from magicpose_cli.conditions.draw import draw_track
    from magicpose_cli.figures.motion import make_motion, random_pose
    from magicpose_cli.figures.render import render, track_of
    from magicpose_cli.figures.scene import random_identity
    from magicpose_cli.figures.sound import made_sound
    from magicpose_cli.pose.openpose_json import ClipInfo, write_poses
    from magicpose_cli.video.audio import sound_of
    from magicpose_cli.video.images import write_image
    from magicpose_cli.video.read import open_clip
    from magicpose_cli.video.write import write_video

    folder = tmp_path_factory.mktemp("media")
    found = Media(folder / "photo.png", folder / "driver.mp4", folder / "poses", folder / "maps")
    person, dancer = random_identity(7), random_identity(9)
    dance = make_motion(9, FRAMES, fps=FPS, kind="dance")
    write_image(found.photo, render(person, random_pose(3), SIDE).image[:, 40:-40])
    with wave.open(str(folder / "tune.wav"), "wb") as file:
        file.setparams((1, 2, 44100, 0, "NONE", ""))
        file.writeframes(made_sound(FRAMES / FPS).astype("<i2").tobytes())
    frames = (render(dancer, pose, SIDE).image for pose in dance)
    sound = sound_of(folder / "tune.wav")
    write_video(found.driver, frames, Fraction(FPS), width=SIDE, height=SIDE, sound=sound)
    track = track_of(dancer, dance, SIDE, FPS)
    sound = open_clip(found.driver).sound
    info = ClipInfo(track.fps, SIDE, SIDE, FRAMES, "driver.mp4", None, "figures", "exact", sound)
    write_poses(found.poses, track, info)
    large = replace(track, width=512, height=512).map_points(2, 0, 0, 512, 512)
    for index, pose_map in enumerate(draw_track(large)):
        write_image(found.maps / f"{index}.png", np.ascontiguousarray(pose_map))
    return found
