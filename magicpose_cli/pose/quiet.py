"""Keeps MediaPipe's chatter off the terminal, and nothing else.

Its C++ side writes information and warnings straight to file descriptor 2, before any switch for that exists.
"""

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

# Information and warnings of absl and TensorFlow Lite. Errors (E…, F…) and all other words go through.
_NOISE = re.compile(
    rb"[IW]\d{4} \d\d:\d\d:\d+[^\n]*\.cc:\d+\][^\n]*\n"
    rb"|INFO: Created TensorFlow Lite [^\n]*\n"
    rb"|WARNING: All log messages before absl::InitializeLog\(\)[^\n]*\n"
    rb"|Matplotlib is building the font cache[^\n]*\n"
)


@contextmanager
def without_native_noise() -> Iterator[None]:
    """Hold back file descriptor 2 for the block, then pass on what was written there, less the known noise.

    Short blocks only: what a progress bar on another thread writes meanwhile comes after the block.
    """
    try:
        terminal = os.dup(2)
    except OSError:  # standard error is closed: there is nobody to spare
        yield
        return
    with tempfile.TemporaryFile(buffering=0) as held:
        _flush()
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            _flush()
            os.dup2(terminal, 2)
            os.close(terminal)
            held.seek(0)
            if rest := _NOISE.sub(b"", held.read()):
                with os.fdopen(os.dup(2), "wb") as out:
                    out.write(rest)


def _flush() -> None:
    if sys.stderr is not None:
        sys.stderr.flush()
