"""Real processes: interrupted, killed, and several that train as one."""

import csv
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from magicpose_cli.core.errors import UsageError


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("number", ("SIGINT", "SIGTERM"))
def test_a_signal_keeps_the_last_whole_step(number: str, tiny, stages: Path, tmp_path: Path):
    """It reaches the rendering process too, as a terminal or a batch system sends it."""
    (tmp_path / "vae").symlink_to(stages / "vae")
    recipe = tmp_path / "base.toml"
    recipe.write_text(tiny.BASE.replace("workers = 0", "workers = 1").replace("steps = 4", "steps = 100000", 1))
    command = [sys.executable, "-m", "magicpose_cli", "train", str(recipe), "--out", str(tmp_path / "base")]
    with subprocess.Popen(
        [*command, "--device", "cpu"], stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        said = []
        for line in process.stderr:
            said.append(line)
            if "of 100,000" in line:  # the first line that tells of steps done
                os.killpg(process.pid, getattr(signal, number))
                break
        said.append(process.stderr.read())
    assert process.returncode == -getattr(signal, number), "".join(said)
    assert "Traceback" not in "".join(said) and "is kept; --resume goes on from there" in "".join(said)
    result = tiny.train(tmp_path, "base", tiny.BASE.replace("steps = 4", "steps = 1", 1), resume=True)
    assert result.steps > 1


def _curve(folder: Path) -> list[list[str]]:
    """The log but for its times."""
    return [row[:-1] for row in csv.reader((folder / "log.csv").open())]


# Python keeps an error's frames, and with them the loader, until it has ended the processes that are left over.
FAILS = """
import sys
from pathlib import Path
from magicpose_cli.training.batches import training_batches
from magicpose_cli.training.config import read_recipe
recipe = read_recipe(Path(sys.argv[1]))
batches = training_batches(recipe, None, 0, (0, 1), latents=False)
next(batches)
raise SystemExit("failed")
"""


@pytest.mark.slow  # a minute: SIGTERM is given that long to be one that came to the whole group
def test_a_process_that_fails_is_left_by_its_workers(tiny, tmp_path: Path):
    (tmp_path / "vae.toml").write_text(tiny.VAE.replace("workers = 0", "workers = 1"), encoding="utf-8")
    command = [sys.executable, "-c", FAILS, str(tmp_path / "vae.toml")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=180)
    assert result.returncode == 1 and "failed" in result.stderr


# Trains like the command, and tells of each step at once.
TELLS = """
import sys
from contextlib import contextmanager
from pathlib import Path
from magicpose_cli.core.progress import SILENT
from magicpose_cli.training.loop import run_recipe
class Tells(type(SILENT)):
    @contextmanager
    def stage(self, name, total, unit="frame", done=0):
        yield lambda steps=1, detail="": print("step", flush=True)
run_recipe(Path(sys.argv[1]), Path(sys.argv[2]), progress=Tells())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize(("save_minutes", "steps"), [(0.002, range(10, 45)), (60, [1])], ids=["at random", "at once"])
def test_a_killed_run_goes_on_as_if_nothing_had_been(
    tiny, stages: Path, tmp_path: Path, save_minutes: float, steps: Sequence[int]
):
    """SIGKILL at a random moment, or before anything was kept: curve, best model and state are an unbroken run's."""
    (tmp_path / "vae").symlink_to(stages / "vae")
    text = f"accumulation = 2\nsave_minutes = {save_minutes}\nvalidate_steps = 15\npicture_steps = 25\nema = 0.9\n"
    text += tiny.BASE.replace("steps = 4", "steps = 45", 1).replace("[data]", "[data]\nreuse = 50")
    whole = tiny.train(tmp_path, "whole", text)
    (tmp_path / "killed.toml").write_text(text, encoding="utf-8")
    folder = tmp_path / "killed"
    command = [sys.executable, "-c", TELLS, str(tmp_path / "killed.toml"), str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        for _ in range(random.choice(steps)):
            process.stdout.readline()
        process.kill()
    assert process.returncode == -signal.SIGKILL, "the run was over before it was killed"
    assert (folder / "state.safetensors").exists() == (save_minutes < 1)
    again = tiny.train(tmp_path, "killed", text, resume=True)
    assert (again.loss, again.validation, again.best_step) == (whole.loss, whole.validation, whole.best_step)
    assert _curve(folder) == _curve(tmp_path / "whole")
    mine, theirs = (tiny.weights(tmp_path / name, "unet") for name in ("killed", "whole"))
    assert all(torch.equal(mine[key], theirs[key]) for key in theirs)


SHARED = """
import sys
import torch
from accelerate import Accelerator
from magicpose_cli.training.loop import share_gradients
team = Accelerator(cpu=True)
n = team.process_index
weights = [torch.nn.Parameter(torch.zeros(3)), torch.nn.Parameter(torch.zeros(2, 2))]
weights[0].grad = torch.full((3,), float(n + 1))
if n == 0:
    weights[1].grad = torch.full((2, 2), 8.0)
loss = share_gradients(weights, torch.tensor(10.0 * n), team)
assert loss == 5, loss
assert torch.equal(weights[0].grad, torch.full((3,), 1.5))
assert torch.equal(weights[1].grad, torch.full((2, 2), 4.0))
"""


LAUNCHERS = {
    "torchrun": ["torch.distributed.run", "--standalone", "--nproc-per-node", "2"],
    "accelerate": ["accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--main_process_port", "0"],
}


def _in_two_processes(launcher: str, *arguments: str) -> subprocess.CompletedProcess:
    """``--multi_gpu`` is accelerate's word for several processes, on CPUs too."""
    command = [sys.executable, "-m", *LAUNCHERS[launcher], *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.slow
def test_processes_share_the_mean_gradient(tmp_path: Path):
    """A process that dropped the conditions has no gradient for some weights, and takes part all the same."""
    script = tmp_path / "shared.py"
    script.write_text(SHARED, encoding="utf-8")
    _in_two_processes("torchrun", str(script))


@pytest.mark.slow
def test_two_processes_train_and_resume(tiny, stages: Path, tmp_path: Path):
    (tmp_path / "vae").symlink_to(stages / "vae")

    def train(name: str, launcher: str, steps: int, *more: str) -> dict[str, object]:
        recipe = tmp_path / f"{name}.toml"
        text = f"accumulation = 2\n{tiny.BASE}".replace("steps = 4", f"steps = {steps}", 1)
        recipe.write_text(text.replace("validate_batches = 1", "validate_batches = 3"), encoding="utf-8")
        options = [str(recipe), "--out", str(tmp_path / name), "--device", "cpu", "--json", *more]
        return json.loads(_in_two_processes(launcher, "-m", "magicpose_cli", "train", *options).stdout)

    first = train("whole", "accelerate", 20)
    assert first["steps"] == first["best_step"] == 20 and first["validation"] > 0
    again = train("broken", "torchrun", 10)
    assert again["validation"] > first["validation"]
    again = train("broken", "accelerate", 20, "--resume")
    assert again["validation"] == first["validation"]
    whole, broken = (tiny.weights(tmp_path / name, "unet") for name in ("whole", "broken"))
    assert all(torch.equal(whole[key], broken[key]) for key in whole)
    with pytest.raises(UsageError, match="its processes differs"):
        tiny.train(tmp_path, "broken", tiny.BASE, resume=True)
