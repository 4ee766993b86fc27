"""Opening a media file safely: regular files and known formats only, and each failure in one sentence."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import av.error
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from magicpose_cli.core.errors import InputError, LimitError
from magicpose_cli.core.files import check_file
from magicpose_cli.core.image_files import MAX_PIXELS

# Demuxers of real containers. Playlists, concat scripts, image patterns and devices stay out: they open other files.
_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,mpeg,mpegts,mpegvideo,m4v,h264,hevc,ivf,obu,asf,ogg,nut,gif,apng,"
    "mxf,dv,rm,swf,yuv4mpegpipe,mp3,wav,flac,aac,ac3,eac3,aiff,caf,w64,au,wv,tta,ape,amr"
)
_MP4_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot")
_READABLE = "give a video (MP4, MOV, MKV, WebM, AVI), a GIF or WebP, an image, or a folder of images"


@contextmanager
def open_media(path: Path, *, max_pixels: int = MAX_PIXELS) -> Iterator[InputContainer]:
    """An open PyAV container of a regular, local file. FFmpeg's errors inside the block become InputErrors."""
    check_file(path)
    options = {"format_whitelist": _FORMATS, "protocol_whitelist": "file", "max_pixels": str(max_pixels)}
    try:
        # "file:" keeps a name such as "http:x.mp4" or "concat:a" a plain name.
        with av.open(f"file:{os.path.abspath(path)}", options=options, metadata_errors="replace") as container:
            yield container
    except av.error.FFmpegError as error:
        if isinstance(error, av.error.DecoderNotFoundError):
            raise InputError(f"{path} is coded in a way that cannot be decoded here", _convert_hint(path)) from error
        raise _unreadable(path) from error


def _unreadable(path: Path) -> InputError:
    """What is wrong with a file that FFmpeg makes nothing of, by its first bytes."""
    with open(path, "rb") as file:
        head = file.read(512)
    if head[4:8] in _MP4_BOXES:
        if not _has_moov(path):
            return InputError(
                f"{path} is cut off: its index (moov) is missing",
                "copy or download it again; a recorder that was stopped hard can often repair its own file",
            )
        return InputError(f"{path} is damaged and cannot be read", "copy or download it again")
    if head.lstrip()[:1] in (b"<", b"#", b"{", b"[") or _is_text(head):
        return InputError(f"{path} is a text file, not a video", _READABLE)
    return InputError(f"{path} is not a video that can be read, or it is damaged", _READABLE)


def _is_text(head: bytes) -> bool:
    try:
        return head.decode().isprintable() or all(c.isprintable() or c in "\r\n\t" for c in head.decode())
    except UnicodeDecodeError:
        return False


def _has_moov(path: Path) -> bool:
    """Walk the top-level MP4 boxes (ISO/IEC 14496-12, 4.2)."""
    end = path.stat().st_size
    with open(path, "rb") as file:
        position = 0
        while position + 8 <= end:
            file.seek(position)
            header = file.read(16)
            size, name = int.from_bytes(header[:4]), header[4:8]
            if size == 1:
                size = int.from_bytes(header[8:16])
            if name == b"moov":
                return position + size <= end
            if size < 8:
                return False
            position += size
    return False


def _convert_hint(path: Path) -> str:
    return f"convert it first: ffmpeg -i {path.name} -c:v libx264 -c:a aac converted.mp4"


def video_stream(container: InputContainer, path: Path, *, max_pixels: int = MAX_PIXELS) -> VideoStream:
    """The first video stream marked default, else the first one; cover art does not count.

    Raises InputError where there is none or its codec is unknown, LimitError where its frames are too large.
    """
    pictures = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not pictures:
        if container.streams.audio:
            raise InputError(f"{path} has sound only, no picture", "give a video; sound alone goes in with --audio")
        raise _unreadable(path)
    chosen = next((s for s in pictures if s.disposition & Disposition.default), pictures[0])
    if chosen.codec_context is None:
        raise InputError(f"{path} is coded in a way that cannot be decoded here", _convert_hint(path))
    context = chosen.codec_context
    if context.width * context.height == 0:  # the decoder refused to open at this size
        raise LimitError(
            f"{path} does not tell its frame size, or it is over the limit of {max_pixels / 1e6:.0f} million pixels",
            "convert it first: ffmpeg -i IN -vf scale=1920:-2 OUT.mp4",
        )
    if context.width * context.height > max_pixels:
        raise LimitError(
            f"{path} has frames of {context.width}x{context.height} = {context.width * context.height / 1e6:.0f} "
            f"million pixels; the limit is {max_pixels / 1e6:.0f} million",
            "scale it down first: ffmpeg -i IN -vf scale=1920:-2 OUT.mp4",
        )
    context.options = {"max_pixels": str(max_pixels)}
    context.thread_type = "AUTO"
    return chosen


def audio_stream(container: InputContainer) -> AudioStream | None:
    """The first sound stream marked default, else the first one; None where there is no sound that can be decoded."""
    sounds = [s for s in container.streams.audio if s.codec_context is not None]
    return next((s for s in sounds if s.disposition & Disposition.default), sounds[0] if sounds else None)


def stream_start(stream: Stream) -> Fraction:
    """Seconds on the file's own clock at which the stream begins."""
    return (stream.start_time or 0) * stream.time_base
