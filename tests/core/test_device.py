import pytest
import torch

from magicpose_cli.core.device import choose_device, parse_device
from magicpose_cli.core.errors import DeviceError, UsageError


def test_names_and_numbers() -> None:
    assert parse_device("auto") == ("auto", None)
    assert parse_device("cuda:12") == ("cuda", 12)
    assert choose_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize(
    "name", ["", "gpu", "cpu:x", "cpu:0", "auto:3", "mps:0", "cuda:", "cuda:-1", "cuda:x", "cuda:1:2"]
)
def test_what_is_no_device_is_told(name: str) -> None:
    with pytest.raises(UsageError, match="--device"):
        choose_device(name)


def test_a_gpu_that_is_not_there_is_told() -> None:
    with pytest.raises(DeviceError, match="cuda:4096"):
        choose_device("cuda:4096")
