"""Which sound goes with a video: the driver's, none, or that of a file."""

from pathlib import Path

from magicpose_cli.core.clip import SoundSource
from magicpose_cli.core.errors import InputError
from magicpose_cli.video.audio import sound_of
from magicpose_cli.video.source import check_file


def choose_sound(audio: str, own: SoundSource | None) -> SoundSource | None:
    """``auto`` is ``own``, ``none`` is silence, all else a file. Raises InputError where that holds no sound."""
    if audio == "auto":
        return own
    if audio == "none":
        return None
    path = Path(audio).expanduser()
    check_file(path)
    sound = sound_of(path)
    if sound is None:
        raise InputError(f"{path} has no sound", "give an audio file or a video with sound, or --audio none")
    return sound
