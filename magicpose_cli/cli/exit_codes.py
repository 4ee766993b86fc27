"""The table that turns an error's class into the exit code of the process."""

from magicpose_cli.core import errors

DONE = 0
BUG = 1

EXIT_CODES: dict[type[errors.MagicPoseError], int] = {
    errors.UsageError: 2,
    errors.PartialError: 3,
    errors.InputError: 10,
    errors.LimitError: 11,
    errors.NoPersonError: 12,
    errors.UnmarkedError: 13,
    errors.OutputError: 20,
    errors.DiskFullError: 21,
    errors.DownloadError: 30,
    errors.AccessError: 31,
    errors.NotOnHubError: 32,
    errors.IntegrityError: 33,
    errors.OfflineError: 34,
    errors.DeviceError: 40,
    errors.MemoryLimitError: 41,
    errors.RefusedError: 50,
}


def exit_code(error: BaseException) -> int:
    """The code of the nearest listed ancestor of the error's class; 1 (a bug of ours) where there is none."""
    for ancestor in type(error).__mro__:
        if ancestor in EXIT_CODES:
            return EXIT_CODES[ancestor]
    return BUG
