"""Each file that cannot be read ends in one sentence with a hint, before anything is decoded or contacted."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from magicpose_cli.core.errors import InputError, LimitError, MagicPoseError
from magicpose_cli.video.audio import sound_of
from magicpose_cli.video.images import write_image
from magicpose_cli.video.probe import probe
from magicpose_cli.video.read import open_clip, read_image
from magicpose_cli.video.write import write_video


def refusal(path: Path, kind: type[MagicPoseError] = InputError) -> str:
    with pytest.raises(kind) as caught:
        list(open_clip(path).frames())
    assert type(caught.value) is kind
    assert caught.value.hint
    assert "\n" not in caught.value.message
    return caught.value.message


@pytest.fixture
def video(tmp_path: Path, write_media: Callable) -> Path:
    """Noisy enough that each frame takes some bytes, with the index first as a streaming service writes it."""
    noise = np.random.default_rng(0)
    frames = [noise.integers(0, 255, (64, 64, 3), dtype=np.uint8) for _ in range(40)]
    made = write_media(tmp_path / "made.mp4", frames)
    path = tmp_path / "video.mp4"
    with av.open(str(made)) as source, av.open(str(path), "w", options={"movflags": "+faststart"}) as result:
        stream = result.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                result.mux(packet)
    return path


def test_missing_file_suggests_the_near_one(video: Path) -> None:
    with pytest.raises(InputError, match="no such file") as caught:
        open_clip(video.with_name("vidoe.mp4"))
    assert "video.mp4" in caught.value.hint


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html><body>404", "text file"),
        (b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:9,\nvideo.mp4\n#EXT-X-ENDLIST\n", "text file"),
        (b"ffconcat version 1.0\nfile 'video.mp4'\n", "text file"),
        (b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\nm=video 5004 RTP/AVP 96\r\n", "text file"),
        (bytes(range(256)) * 20, "not a video"),
        (b"\x89PNG\r\n\x1a\n" + b"junk" * 50, "damaged"),
        (b"GIF89a" + b"junk" * 50, "damaged"),
        (b"8BPS" + b"\0\1" * 50, "not an image"),
        (b"\0\0\0\x18ftypheic" + b"\0" * 100, "HEIC"),
    ],
)
def test_what_is_no_video(content: bytes, said: str, video: Path) -> None:
    path = video.with_name("bad.mp4")  # beside a real video that a playlist could reach
    path.write_bytes(content)
    assert said in refusal(path)


def test_folder_without_images(tmp_path: Path) -> None:
    (tmp_path / "000000_keypoints.json").write_text("{}")
    assert "no images" in refusal(tmp_path)


@pytest.mark.skipif(os.name != "posix", reason="POSIX files")
def test_what_is_no_regular_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert "not a regular file" in refusal(tmp_path / "fifo")
    assert "not a regular file" in refusal(Path("/dev/zero"))
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    refusal(tmp_path / "loop")


@pytest.mark.parametrize("name", ["http://127.0.0.1:9/x.mp4", "concat:a.mp4|b.mp4", "a\0b", "x" * 5000])
def test_addresses_and_impossible_names_are_only_names(name: str) -> None:
    refusal(Path(name))


@pytest.mark.skipif(os.name != "posix", reason="names that only POSIX allows")
@pytest.mark.parametrize(
    "name", [b"bad\xff.mp4", b"new\nline.mp4", b"%d.mp4", b"-x.mp4", b"http:x.mp4", b"a [b] #?.mp4", b"file:b.mp4"]
)
def test_any_name_is_readable(name: bytes, video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(video.parent)
    path = Path(os.fsdecode(name))
    shutil.copy(video, path)
    assert open_clip(path).frame_count == 40


def test_index_missing(video: Path) -> None:
    whole = video.read_bytes()
    cut = video.with_name("cut.mp4")
    cut.write_bytes(whole[:200])
    assert "cut off" in refusal(cut)


def test_pictures_missing_are_noticed_before_decoding_and_the_rest_can_be_used(video: Path) -> None:
    whole = video.read_bytes()
    cut = video.with_name("cut.mp4")
    cut.write_bytes(whole[: len(whole) * 9 // 10])
    assert 0 < probe(cut).missing_frames < 40
    with pytest.raises(InputError, match=r"promises 40 frames and holds \d+"):
        open_clip(cut)
    assert len(list(open_clip(cut, end=0.4).frames())) == 10


def test_a_matroska_file_cut_in_half_is_noticed(video: Path) -> None:
    whole = video.with_name("whole.mkv")
    clip = open_clip(video)
    write_video(whole, clip.frames(), clip.fps, width=clip.width, height=clip.height)
    assert probe(whole).missing_frames == 0
    cut = video.with_name("cut.mkv")
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    there = probe(cut)
    assert there.coded_frames + there.missing_frames == 40 and there.missing_frames > 5
    assert "promises 40 frames" in refusal(cut)


def test_damage_in_the_middle_is_told_with_its_place(video: Path) -> None:
    data = bytearray(video.read_bytes())
    third = len(data) // 3
    data[third : 2 * third] = np.random.default_rng(0).bytes(third)
    bad = video.with_name("bad.mp4")
    bad.write_bytes(data)
    assert "damaged" in refusal(bad)


def test_any_damage_ends_in_our_errors_only(video: Path) -> None:
    whole = video.read_bytes()
    random = np.random.default_rng(7)
    bad = video.with_name("bad.mp4")
    for _ in range(60):
        data = bytearray(whole)
        for _ in range(int(random.integers(1, 30))):
            data[int(random.integers(0, len(data)))] = int(random.integers(0, 256))
        bad.write_bytes(data)
        try:
            clip = open_clip(bad)
            assert len(list(clip.frames())) == clip.frame_count
        except MagicPoseError as error:
            assert error.hint


def test_sound_alone(tmp_path: Path, write_media: Callable, bursts: Callable) -> None:
    path = write_media(tmp_path / "a.mp3", sound=bursts(1, [0.5]), sound_codec="libmp3lame")
    assert "sound only" in refusal(path)
    assert sound_of(path) is not None


def test_cover_art_is_no_video(tmp_path: Path, drawn: Callable, bursts: Callable) -> None:
    path = tmp_path / "song.m4a"
    with av.open(str(path), "w", format="mp4") as container:
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        track = container.add_stream("aac", rate=48000, layout="stereo")
        frame = av.AudioFrame.from_ndarray(bursts(1, [0.2]), format="fltp", layout="stereo")
        frame.sample_rate = 48000
        container.mux(cover.encode(av.VideoFrame.from_ndarray(drawn(1)[0], format="rgb24")))
        container.mux(cover.encode(None))
        container.mux(track.encode(frame))
        container.mux(track.encode(None))
    assert "sound only" in refusal(path)


def test_too_many_pixels(tmp_path: Path, write_media: Callable, drawn: Callable) -> None:
    path = write_media(tmp_path / "a.mp4", drawn(2, 320, 200))
    with pytest.raises(LimitError, match="320x200"):
        open_clip(path, max_pixels=320 * 200 - 1)
    assert open_clip(path, max_pixels=320 * 200).width == 320
    path = write_media(tmp_path / "a.mkv", drawn(2, 320, 200), codec="ffv1", pixels="yuv444p")
    with pytest.raises(LimitError):
        open_clip(path, max_pixels=320 * 200 - 1)


def test_image_bombs(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    Image.new("1", (30000, 30000)).save(path)  # about 100 kB
    with pytest.raises(LimitError, match="pixels"):
        read_image(path)
    assert "pixels" in refusal(path, LimitError)


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp", "gif", "bmp", "tiff"])
def test_images_cut_off(kind: str, tmp_path: Path) -> None:
    whole = tmp_path / f"whole.{kind}"
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(whole)
    cut = tmp_path / f"cut.{kind}"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    refusal(cut)
    with pytest.raises(InputError):
        read_image(cut)


def test_a_lenient_reader_keeps_the_good_part(video: Path) -> None:
    whole = video.read_bytes()
    assert open_clip(video, lenient=True).partial == ""
    cut = video.with_name("cut.mp4")
    cut.write_bytes(whole[: len(whole) * 6 // 10])
    damaged = video.with_name("damaged.mp4")
    third = len(whole) // 3
    damaged.write_bytes(whole[:third] + np.random.default_rng(0).bytes(third) + whole[2 * third :])
    for path in (cut, damaged):
        clip = open_clip(path, lenient=True)
        assert "of 40 frames could be decoded" in clip.partial
        good, found = list(open_clip(video).frames()), list(clip.frames())
        assert len(found) == clip.frame_count
        assert path == damaged or 10 < len(found) < 40
        assert all(np.array_equal(a, b) for a, b in zip(good[:8], found[:8], strict=True))
    cut.write_bytes(whole[:200])
    with pytest.raises(InputError, match="cut off"):
        open_clip(cut, lenient=True)


def test_too_many_frames(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("magicpose_cli.video.read.MAX_FRAMES", 39)
    with pytest.raises(LimitError, match="40 frames"):
        open_clip(video)
    assert open_clip(video, end=1.0).frame_count == 25


def test_a_file_that_grows_while_it_is_read_is_refused(video: Path) -> None:
    frames = open_clip(video).frames()
    next(frames)
    with open(video, "ab") as file:
        file.write(bytes(1000))
    with pytest.raises(InputError, match="changed while it was read"):
        list(frames)


def test_nothing_of_a_photo_s_exif_reaches_what_is_written(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010E], exif[0x0112] = "secret words", 6
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 30.0, 0.0), 3: "E", 4: (13.0, 22.0, 0.0)})
    Image.new("RGB", (60, 40), "red").save(tmp_path / "photo.jpg", exif=exif, comment=b"secret words")
    picture = read_image(tmp_path / "photo.jpg")
    assert picture.shape == (60, 40, 3)
    for name in ("copy.png", "copy.jpg", "copy.webp"):
        write_image(tmp_path / name, picture)
        assert b"secret" not in (tmp_path / name).read_bytes()
        with Image.open(tmp_path / name) as image:
            assert not image.getexif()


@pytest.mark.parametrize(("side", "kind"), [(0xFFFF, LimitError), (0x0020, InputError)])
def test_a_later_picture_of_an_animation_may_not_grow(side: int, kind: type[MagicPoseError], tmp_path: Path) -> None:
    path = tmp_path / "grows.gif"
    noise = np.random.default_rng(0).integers(0, 255, (2, 16, 16, 3), dtype=np.uint8)
    first, second = (Image.fromarray(picture).quantize(16) for picture in noise)
    first.save(path, save_all=True, append_images=[second], duration=100)
    data = bytearray(path.read_bytes())
    place = data.rfind(b"\x2c\0\0\0\0\x10\0\x10\0")
    data[place + 5 : place + 9] = side.to_bytes(2, "little") * 2
    path.write_bytes(data)
    with pytest.raises(kind) as caught:
        list(open_clip(path).frames())
    assert type(caught.value) is kind
