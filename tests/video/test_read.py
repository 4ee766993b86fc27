from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from magicpose_cli.core.errors import InputError, UsageError
from magicpose_cli.core.image_files import natural_key
from magicpose_cli.video.probe import probe
from magicpose_cli.video.read import open_clip, read_image

MS = Fraction(1, 1000)


def levels(frames: Iterator[np.ndarray]) -> list[int]:
    """Which frame of ``drawn`` each one is, by its grey."""
    return [round(float(frame[-8:, -8:].mean()) / 8) for frame in frames]


@pytest.mark.parametrize(
    ("name", "codec", "pixels", "container_format"),
    [
        ("a.mp4", "libx264", "yuv420p", None),
        ("a.mov", "prores_ks", "yuv422p10le", None),
        ("a.mkv", "libx265", "yuv420p10le", None),
        ("a.webm", "libvpx-vp9", "yuv420p", None),
        ("a.avi", "mpeg4", "yuv420p", None),
        ("a.ts", "libx264", "yuv420p", None),
        ("a.flv", "libx264", "yuv420p", None),
        ("a.mpg", "mpeg2video", "yuv420p", None),
        ("raw.h264", "libx264", "yuv420p", "h264"),
        ("grey.mkv", "ffv1", "gray16le", None),
        ("rgb.mkv", "ffv1", "bgr0", None),
        ("jpegs.avi", "mjpeg", "yuvj422p", None),
    ],
)
def test_every_frame_of_common_containers_and_codecs_comes_in_order(
    name: str,
    codec: str,
    pixels: str,
    container_format: str | None,
    tmp_path: Path,
    write_media: Callable,
    drawn: Callable,
) -> None:
    options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    path = write_media(
        tmp_path / name, drawn(12), codec=codec, pixels=pixels, container_format=container_format, options=options
    )
    clip = open_clip(path)
    assert (clip.width, clip.height, clip.fps, clip.frame_count) == (64, 48, 25, 12)
    frames = list(clip.frames())
    assert all(f.shape == (48, 64, 3) and f.dtype == np.uint8 for f in frames)
    assert levels(iter(frames)) == list(range(12))
    assert levels(clip.frames()) == list(range(12))  # a second pass starts anew


def test_alpha_is_laid_on_white(tmp_path: Path, write_media: Callable) -> None:
    faded = [np.dstack([np.full((48, 64, 3), (255, 0, 0), np.uint8), np.full((48, 64), a, np.uint8)]) for a in (255, 0)]
    clip = open_clip(write_media(tmp_path / "a.mov", faded, codec="qtrle", pixels="argb"))
    first, second = clip.frames()
    assert first[5, 5].tolist() == [255, 0, 0]
    assert second[5, 5].tolist() == [255, 255, 255]


@pytest.mark.parametrize(("width", "height"), [(33, 21), (1, 1), (8000, 8), (2, 1000)])
def test_odd_and_extreme_sizes(width: int, height: int, tmp_path: Path, write_media: Callable, drawn: Callable) -> None:
    path = write_media(tmp_path / "odd.mkv", drawn(3, width, height), codec="ffv1", pixels="yuv444p")
    clip = open_clip(path)
    assert [f.shape for f in clip.frames()] == [(height, width, 3)] * 3


def test_variable_rate_becomes_constant_by_time_stamps(tmp_path: Path, write_media: Callable, drawn: Callable) -> None:
    stamps = [0, 40, 80, 120, 400, 440, 480]
    path = write_media(tmp_path / "vfr.mp4", drawn(7), stamps=stamps, time_base=MS)
    clip = open_clip(path)
    assert clip.fps == 25
    assert levels(clip.frames()) == [0, 1, 2, 3, 3, 3, 3, 3, 3, 3, 4, 5, 6]
    assert probe(path).variable_rate
    assert len(clip.notes) == 1


def test_the_exact_ntsc_rate_survives_a_clock_of_milliseconds(
    tmp_path: Path, write_media: Callable, drawn: Callable
) -> None:
    clip = open_clip(write_media(tmp_path / "ntsc.mkv", drawn(20), Fraction(30000, 1001)))
    assert clip.fps == Fraction(30000, 1001)
    assert clip.frame_count == 20
    assert not clip.notes


def test_a_late_first_frame_is_the_clip_s_beginning(tmp_path: Path, write_media: Callable, drawn: Callable) -> None:
    stamps = [1075 + 40 * i for i in range(10)]
    path = write_media(tmp_path / "late.mkv", drawn(10), stamps=stamps, time_base=MS)
    clip = open_clip(path)
    assert probe(path).start == Fraction(1075, 1000)
    assert levels(clip.frames()) == list(range(10))


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (None, 0.4, range(10)),
        (0.2, None, range(5, 25)),
        (0.2, 0.48, range(5, 12)),
        (0.0, 99.0, range(25)),
        (0.99, 1.0, [25]),
    ],
)
def test_a_range_of_seconds(
    start: float | None, end: float | None, expected: range, tmp_path: Path, write_media: Callable, drawn: Callable
) -> None:
    clip = open_clip(write_media(tmp_path / "a.mp4", drawn(25)), start=start, end=end)
    found = levels(clip.frames())
    assert clip.frame_count == len(found)
    assert found == list(expected) or (start == 0.99 and len(found) == 1)


def test_a_range_far_into_a_long_clip_is_exact(tmp_path: Path, write_media: Callable) -> None:
    shades = [np.full((32, 32, 3), index % 25 * 10, np.uint8) for index in range(300)]
    path = write_media(tmp_path / "long.mp4", shades, options={"g": "60", "crf": "1"})
    clip = open_clip(path, start=7.48, end=8.0)
    assert [round(float(f.mean()) / 10) for f in clip.frames()] == [index % 25 for index in range(187, 200)]


def test_ranges_outside_the_clip_are_refused(tmp_path: Path, write_media: Callable, drawn: Callable) -> None:
    path = write_media(tmp_path / "a.mp4", drawn(10))
    for start, end in ((5.0, None), (-1.0, None), (0.3, 0.2), (0.0, 0.0)):
        with pytest.raises(UsageError) as caught:
            open_clip(path, start=start, end=end)
        assert caught.value.hint


def test_another_rate_keeps_the_duration(tmp_path: Path, write_media: Callable, drawn: Callable) -> None:
    path = write_media(tmp_path / "a.mp4", drawn(25), Fraction(25))
    for fps in (Fraction(5), Fraction(24), Fraction(50), Fraction(30000, 1001)):
        clip = open_clip(path, fps=fps)
        assert abs(clip.duration - 1) <= 1 / (2 * fps)
        assert len(list(clip.frames())) == clip.frame_count
    assert levels(open_clip(path, fps=Fraction(5)).frames()) == [0, 5, 10, 15, 20]


def test_frames_are_decoded_as_they_are_asked_for(tmp_path: Path, write_media: Callable) -> None:
    """Damage far behind the first frames does not disturb whoever reads only those."""
    noise = np.random.default_rng(0)
    frames = [noise.integers(0, 255, (64, 64, 3), dtype=np.uint8) for _ in range(60)]
    path = write_media(tmp_path / "a.mkv", frames, codec="mjpeg", pixels="yuvj420p")
    data = bytearray(path.read_bytes())
    data[len(data) * 2 // 3 : len(data) * 2 // 3 + 9000] = bytes(9000)
    path.write_bytes(data)
    assert len(list(islice(open_clip(path).frames(), 5))) == 5


def test_reading_a_part_closes_the_file(tmp_path: Path, write_media: Callable, drawn: Callable) -> None:
    path = write_media(tmp_path / "a.mp4", drawn(30))
    frames = open_clip(path).frames()
    next(frames)
    frames.close()
    assert not any(str(path) == str(Path(f).resolve()) for f in Path("/proc/self/fd").glob("*") if f.exists())


def test_fields_of_interlaced_video_are_joined(tmp_path: Path, write_media: Callable) -> None:
    def moving() -> Iterator[np.ndarray]:
        for index in range(12):
            frame = np.zeros((96, 128, 3), np.uint8)
            frame[0::2, 4 * index : 4 * index + 20] = 255
            frame[1::2, 4 * index + 2 : 4 * index + 22] = 255
            yield frame

    path = write_media(tmp_path / "tv.mp4", moving(), options={"x264-params": "tff=1", "crf": "5"})
    clip = open_clip(path)
    frames = list(clip.frames())
    assert len(frames) == 12
    comb = np.abs(np.diff(frames[6][..., 0].astype(int), axis=0)).mean()
    assert comb < 1  # 3.9 before
    assert any("interlaced" in note for note in clip.notes)


def test_the_default_stream_is_read_of_several(tmp_path: Path, drawn: Callable) -> None:
    path = tmp_path / "two.mkv"
    with av.open(str(path), "w") as container:
        streams = []
        for width in (32, 64):
            stream = container.add_stream("libx264", rate=25)
            stream.width = stream.height = width
            stream.pix_fmt = "yuv420p"
            streams.append(stream)
        streams[0].disposition, streams[1].disposition = 0, av.stream.Disposition.default
        for stream in streams:
            for frame in drawn(5, stream.width, stream.width):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            container.mux(stream.encode(None))
    assert open_clip(path).width == 64


# --- images, GIF, WebP, folders -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_animations_keep_their_times(kind: str, tmp_path: Path, drawn: Callable) -> None:
    pictures = [Image.fromarray(f) for f in drawn(6)]
    path = tmp_path / f"a.{kind}"
    options = {"lossless": True} if kind == "webp" else {}
    pictures[0].save(
        path, save_all=True, append_images=pictures[1:], duration=[100, 100, 100, 300, 100, 200], **options
    )
    clip = open_clip(path)
    assert clip.fps == 10
    assert levels(clip.frames()) == [0, 1, 2, 3, 3, 3, 4, 5, 5]


def test_a_gif_with_transparency_lies_on_white(tmp_path: Path) -> None:
    path = tmp_path / "a.gif"
    clear = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    clear.save(path, save_all=True, append_images=[Image.new("RGBA", (8, 8), (255, 0, 0, 255))], duration=100)
    first, second = open_clip(path).frames()
    assert first.min() == 255
    assert second[0, 0].tolist() == [255, 0, 0]


def test_a_folder_is_read_in_natural_order(tmp_path: Path, drawn: Callable) -> None:
    for index, frame in enumerate(drawn(12)):
        Image.fromarray(frame).save(tmp_path / f"frame {index}.png")
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / ".hidden.png").write_bytes(b"junk")
    clip = open_clip(tmp_path)
    assert (clip.fps, clip.frame_count) == (25, 12)
    assert levels(clip.frames()) == list(range(12))
    slow = open_clip(tmp_path, fps=Fraction(10), start=0.5)
    assert slow.fps == 10
    assert levels(slow.frames()) == list(range(5, 12))


def test_natural_order() -> None:
    names = ["b1", "a10", "a2", "a2b", "2", "10", "01", "a"]
    assert sorted(names, key=natural_key) == ["01", "2", "10", "a", "a2", "a2b", "a10", "b1"]


def test_images_of_several_sizes_in_a_folder_are_refused(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    Image.new("RGB", (8, 9)).save(tmp_path / "b.png")
    with pytest.raises(InputError, match=r"b\.png is 8x9"):
        open_clip(tmp_path)


def test_an_image_is_a_clip_of_one_frame(tmp_path: Path) -> None:
    Image.new("RGB", (9, 7), (1, 2, 3)).save(tmp_path / "a.png")
    clip = open_clip(tmp_path / "a.png")
    (frame,) = clip.frames()
    assert frame.shape == (7, 9, 3)
    assert frame[0, 0].tolist() == [1, 2, 3]
    assert clip.sound is None


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F"])
def test_every_kind_of_pixel_becomes_rgb(mode: str, tmp_path: Path) -> None:
    kind = "tiff" if mode in ("CMYK", "I", "F") else "png"
    if mode == "I;16":
        image = Image.fromarray(np.full((5, 6), 65535, np.uint16))
    elif mode == "F":
        image = Image.fromarray(np.full((5, 6), 255, np.float32))
    elif mode == "I":
        image = Image.fromarray(np.full((5, 6), 65535, np.int32))
    else:
        image = Image.new("RGB", (6, 5), "white").convert(mode)
    path = tmp_path / f"a.{kind}"
    image.save(path)
    rgb = read_image(path)
    assert rgb.shape == (5, 6, 3)
    assert rgb.dtype == np.uint8
    assert rgb.min() == 255


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    upright = np.zeros((4, 6, 3), np.uint8)
    upright[0, 0] = 255
    for orientation, coded in (
        (1, upright),
        (3, np.rot90(upright, 2)),
        (6, np.rot90(upright)),
        (8, np.rot90(upright, 3)),
    ):
        exif = Image.Exif()
        exif[0x0112] = orientation
        path = tmp_path / f"{orientation}.png"
        Image.fromarray(np.ascontiguousarray(coded)).save(path, exif=exif)
        assert (read_image(path) == upright).all()
        assert (probe(path).width, probe(path).height) == (6, 4)


def test_a_palette_with_transparency_lies_on_white(tmp_path: Path) -> None:
    image = Image.new("P", (4, 4))
    image.putpalette([10, 20, 30, 255, 0, 0])
    image.save(tmp_path / "a.png", transparency=0)
    assert read_image(tmp_path / "a.png").min() == 255


def test_a_wide_colour_profile_is_brought_to_srgb(tmp_path: Path) -> None:
    from PIL import ImageCms

    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.new("RGB", (4, 4), (200, 100, 50)).save(tmp_path / "a.png", icc_profile=lab)
    assert np.abs(read_image(tmp_path / "a.png")[0, 0].astype(int) - (200, 100, 50)).max() <= 1
    Image.new("RGB", (4, 4), (200, 100, 50)).save(tmp_path / "b.png", icc_profile=b"broken")
    assert read_image(tmp_path / "b.png")[0, 0].tolist() == [200, 100, 50]


def test_a_size_that_changes_on_the_way_is_scaled_to_the_first(tmp_path: Path) -> None:
    """VP8 says its size with each whole picture, and calls may change it."""
    path = tmp_path / "call.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libvpx", rate=10, width=64, height=48)
        stream.pix_fmt = "yuv420p"
        for index, (width, height) in enumerate([(64, 48), (128, 96)]):
            encoder = av.CodecContext.create("libvpx", "w")
            encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
            encoder.time_base, encoder.framerate = Fraction(1, 10), Fraction(10)
            picture = np.full((height, width, 3), 200, np.uint8)
            for packet in [*encoder.encode(av.VideoFrame.from_ndarray(picture)), *encoder.encode()]:
                packet.stream, packet.pts, packet.dts = stream, index * 100, index * 100
                packet.time_base = Fraction(1, 1000)
                container.mux(packet)
    frames = list(open_clip(path).frames())
    assert [frame.shape for frame in frames] == [(48, 64, 3)] * 2
    assert all(abs(int(frame.mean()) - 200) < 4 for frame in frames)
