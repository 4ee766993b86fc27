"""What is damaged (small files that the project makes itself), and how each is read: by the functions users reach."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
from PIL import Image

from magicpose_cli.core.pose_track import PoseTrack
from magicpose_cli.pose.clip_info import ClipInfo
from magicpose_cli.pose.openpose_json import read_poses, write_poses
from magicpose_cli.training.config import read_recipe
from magicpose_cli.video.audio import sound_of
from magicpose_cli.video.images import check_image, read_image
from magicpose_cli.video.read import open_clip
from magicpose_cli.video.write import write_video
from magicpose_cli.weights.registry import load_registry

_TOP = Path(__file__).parents[2]
_FRAMES, _WIDTH, _HEIGHT = 8, 48, 32
_MOST_PIXELS = 20_000_000  # read of one clip: damage can make frames huge, and many


@dataclass(frozen=True)
class Kind:
    """``seeds(folder)`` makes whole files (name, bytes); ``read(path, number)`` reads a damaged one, in some way."""

    seeds: Callable[[Path], list[tuple[str, bytes]]]
    read: Callable[[Path, int], None]
    text: bool = False


def _pictures() -> Iterator[np.ndarray]:
    """RGB uint8: a bright square wanders over noise, so that each frame takes some bytes."""
    random = np.random.default_rng(0)
    for index in range(_FRAMES):
        picture = random.integers(0, 120, (_HEIGHT, _WIDTH, 3), dtype=np.uint8)
        picture[8:20, 3 * index : 3 * index + 12] = (240, 200, 60)
        yield picture


def _sound(path: Path) -> None:
    with av.open(str(path), "w") as container:
        track = container.add_stream("pcm_s16le", rate=16000, layout="mono")
        wave = (np.sin(np.arange(8000) / 6) * 9000).astype(np.int16)[None]
        frame = av.AudioFrame.from_ndarray(wave, format="s16", layout="mono")
        frame.sample_rate = 16000
        container.mux(track.encode(frame))
        container.mux(track.encode(None))


def _coded(path: Path, codec: str, pixels: str) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = _WIDTH, _HEIGHT, pixels
        for picture in _pictures():
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))


def _videos(folder: Path) -> list[tuple[str, bytes]]:
    _sound(folder / "sound.wav")
    sound = sound_of(folder / "sound.wav")
    names = ["a.mp4", "b.mov", "c.mkv", "d.gif", "e.webp"]
    for name in names:
        write_video(folder / name, _pictures(), Fraction(25), width=_WIDTH, height=_HEIGHT, sound=sound)
    for name, codec, pixels in (
        ("f.avi", "mpeg4", "yuv420p"),
        ("g.webm", "libvpx", "yuv420p"),
        ("h.ts", "mpeg2video", "yuv420p"),
        ("i.mkv", "ffv1", "yuv444p"),
        ("j.flv", "flv", "yuv420p"),
        ("k.avi", "mjpeg", "yuvj420p"),
        ("l.mov", "prores_ks", "yuv422p10le"),
        ("m.webm", "libvpx-vp9", "yuv420p"),
    ):
        _coded(folder / name, codec, pixels)
        names.append(name)
    return [(name, (folder / name).read_bytes()) for name in ("sound.wav", *names)]


def _read_video(path: Path, number: int) -> None:
    clip = open_clip(path, lenient=number % 4 == 3)
    most = max(2, _MOST_PIXELS // (clip.width * clip.height))
    shapes = [frame.shape for frame in islice(clip.frames(), most)]
    assert len(shapes) == min(most, clip.frame_count)
    assert set(shapes) == {(clip.height, clip.width, 3)}
    if number % 8 == 0:
        output = path.with_name("joined.mp4")
        write_video(
            output, _pictures(), Fraction(25), width=_WIDTH, height=_HEIGHT, sound=sound_of(path), overwrite=True
        )


def _poses(folder: Path) -> list[tuple[str, bytes]]:
    random = np.random.default_rng(0)
    parts = {
        name: random.uniform(0, 99, (3, count, 3)).astype(np.float32)
        for name, count in (("body", 18), ("left_hand", 21), ("right_hand", 21), ("face", 70))
    }
    for points in parts.values():
        points[..., 2] = 0.9
    track = PoseTrack(**parts, width=100, height=100, fps=Fraction(25))
    info = ClipInfo(Fraction(25), 100, 100, 3, "driver.mp4", None, "mediapipe", "0", source_path=folder / "driver.mp4")
    write_poses(folder / "poses", track, info)
    frames = [(folder / "poses" / f"{index:06d}_keypoints.json").read_bytes() for index in range(3)]
    small = b'{"version":1.3,"people":[{"pose_keypoints_2d":[' + b",".join([b"1,2,1"] * 25) + b"]}]}"
    clip = (folder / "poses" / "clip.json").read_bytes()
    return [
        ("frame.json", frames[0]),
        ("list.json", b"[" + b",".join(frames) + b"]"),
        ("s.json", small),
        ("clip", clip),
    ]


def _read_poses(path: Path, number: int) -> None:
    if path.suffix == ".json":
        assert np.isfinite(read_poses(path).track.body).all()
        return
    folder = path.parent / "poses"  # its clip.json is the damaged file; the frames are whole
    (folder / "clip.json").write_bytes(path.read_bytes())
    assert len(read_poses(folder).track) >= 3


def _images(folder: Path) -> list[tuple[str, bytes]]:
    picture = Image.fromarray(next(_pictures()))
    turned = Image.Exif()
    turned[0x0112], turned[0x8825] = 6, {1: "N", 2: (52.0, 30.0, 0.0)}
    found = []
    for kind, image, options in (
        ("png", picture, {}),
        ("png", picture.convert("RGBA"), {}),
        ("png", picture.convert("P"), {"transparency": 3}),
        ("png", Image.fromarray(np.arange(600, dtype=np.uint16).reshape(20, 30) * 99), {}),
        ("jpeg", picture, {"exif": turned}),
        ("jpeg", picture.convert("CMYK"), {"progressive": True}),
        ("webp", picture, {"lossless": True, "exif": turned}),
        ("webp", picture, {}),
        ("gif", picture.convert("P"), {}),
        ("bmp", picture, {}),
        ("tiff", picture, {"compression": "tiff_lzw"}),
        ("tiff", picture, {"compression": "jpeg"}),
    ):
        data = io.BytesIO()
        image.save(data, format=kind.upper(), **options)
        found.append((f"{len(found)}.{kind}", data.getvalue()))
    return found


def _read_image(path: Path, number: int) -> None:
    width, height = check_image(path)
    assert read_image(path).shape == (height, width, 3)


def _tomls(folder: Path) -> list[tuple[str, bytes]]:
    files = [*sorted((_TOP / "examples" / "training").glob("*.toml")), _TOP / "weights.toml"]
    return [(file.name, file.read_bytes()) for file in files]


def _read_toml(path: Path, number: int) -> None:
    load_registry(path) if path.name == "weights.toml" else read_recipe(path)


KINDS = {
    "videos": Kind(_videos, _read_video),
    "poses": Kind(_poses, _read_poses, text=True),
    "images": Kind(_images, _read_image),
    "tomls": Kind(_tomls, _read_toml, text=True),
}
