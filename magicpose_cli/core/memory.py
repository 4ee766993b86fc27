"""Is it a lack of memory, whichever library says so? torch need not be loaded to ask."""

import errno

_WORDS = ("out of memory", "can't allocate memory", "Cannot allocate memory")  # a GPU's, torch's on a CPU, the system's


def is_out_of_memory(error: BaseException | None) -> bool:
    """True where memory of the machine or of a device was short: by the error itself, or by what caused it."""
    while error is not None:
        if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
            return True
        if getattr(error, "errno", None) == errno.ENOMEM:
            return True
        if isinstance(error, (RuntimeError, OSError)) and any(word in str(error) for word in _WORDS):
            return True
        error = error.__cause__ or error.__context__
    return False
