"""matplotlib's pyplot, imported when it is used: mediapipe imports it at once for a drawing that nobody here asks for.

That is more than half of the time in which mediapipe loads.
"""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

_PARENT, _PYPLOT = "matplotlib", "matplotlib.pyplot"


@contextmanager
def pyplot_when_used() -> Iterator[None]:
    """Whatever imports pyplot within gets a stand-in, which imports the real one at its first use afterwards."""
    if _PARENT in sys.modules:
        yield
        return
    stand_in = ModuleType(_PYPLOT)

    def of_the_real_one(name: str) -> Any:
        return getattr(importlib.import_module(_PYPLOT), name)

    stand_in.__getattr__ = of_the_real_one  # type: ignore[method-assign]
    sys.modules[_PARENT], sys.modules[_PYPLOT] = ModuleType(_PARENT), stand_in
    try:
        yield
    finally:
        del sys.modules[_PARENT], sys.modules[_PYPLOT]
