"""What all tests share: thread counts set before torch loads, no network, and nobody's cache touched."""

import os
from collections.abc import Iterator

import pytest

# Two processes with two torch threads each are many times slower on two cores than one thread each.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Point magicpose's and the Hub's caches at a fresh folder, here and in every subprocess."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("MAGICPOSE_HOME", str(home / "magicpose"))
        environment.setenv("HF_HOME", str(home / "huggingface"))
        environment.delenv("HF_TOKEN", raising=False)
        yield
