"""One error tree: each error says what happened and, as ``hint``, what to do next.

``cli/exit_codes.py`` turns a class into an exit code; no room prints or exits by itself.
"""


class MagicPoseError(Exception):
    """An expected failure, told to the user in one sentence.

    ``message`` says what is wrong (with file, line or frame); ``hint`` says what to type or do next.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(MagicPoseError):
    """The command's words are off: an unknown name, a value out of range."""


class PartialError(MagicPoseError):
    """Finished in part: what could be done was done and kept."""


class InputError(MagicPoseError):
    """An input file is missing, unreadable, corrupt or of the wrong kind."""


class LimitError(MagicPoseError):
    """An input is over a stated limit (pixels, frames, bytes)."""


class NoPersonError(MagicPoseError):
    """No person, or no usable pose, was found."""


class UnmarkedError(MagicPoseError):
    """No mark of magicpose was found in a file that was asked about."""


class OutputError(MagicPoseError):
    """The output exists, is busy, or cannot be written."""


class DiskFullError(OutputError):
    """The disk is full, or too small for what was asked."""


class DownloadError(MagicPoseError):
    """The network failed: try again later."""


class AccessError(DownloadError):
    """Access or a licence was not granted."""


class NotOnHubError(DownloadError):
    """The file or revision is not on the Hub."""


class IntegrityError(MagicPoseError):
    """A file's sha256 is wrong, or a checkpoint's content is not what it should be."""


class OfflineError(MagicPoseError):
    """Weights are not on disk and the network may not be used."""


class DeviceError(MagicPoseError):
    """No usable device for what was asked."""


class MemoryLimitError(MagicPoseError):
    """The device or the machine ran out of memory."""


class RefusedError(MagicPoseError):
    """Refused for consent or safety."""
