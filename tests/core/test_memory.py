"""A lack of memory is one, whoever says so and however it is wrapped."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from magicpose_cli.core.memory import is_out_of_memory

_TOO_MUCH = 1 << 46  # numbers: beyond what a processor can address


def test_what_numpy_and_torch_say() -> None:
    for allocate in (np.empty, torch.empty):
        with pytest.raises((MemoryError, RuntimeError)) as caught:
            allocate(_TOO_MUCH)
        assert is_out_of_memory(caught.value)
        wrapped = OSError("a file cannot be loaded")
        wrapped.__cause__ = caught.value
        assert is_out_of_memory(wrapped)
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."))
    with pytest.raises(RuntimeError) as caught:
        torch.zeros(2, 3) @ torch.zeros(2, 3)
    assert not is_out_of_memory(caught.value)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the limit and /proc are Linux's")
def test_too_little_memory_for_a_model_is_no_damaged_model(tiny_model: Path) -> None:
    code = (
        "import resource, sys, torch\n"
        "from pathlib import Path\n"
        "from magicpose_cli.core.errors import MemoryLimitError\n"
        "from magicpose_cli.diffusion.load import load_pipeline\n"
        "load = lambda: load_pipeline(Path(sys.argv[1]), device=torch.device('cpu'), dtype=torch.float32)\n"
        "load()\n"  # all modules are there
        "used = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used, used))\n"
        "try:\n    kept = [load() for _ in range(10_000)]\n"
        "except (MemoryLimitError, MemoryError):\n    print('told')\n"
    )
    run = [sys.executable, "-c", code, str(tiny_model)]
    done = subprocess.run(run, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=120)
    assert done.stdout == "told\n", done.stderr[-2000:]
