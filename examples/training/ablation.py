"""Trains the paper's ablations with a small model and prints their scores as a Markdown table.

    python examples/training/ablation.py > ablation.md

Run it at the top of a checkout, after examples/training/mini_vae.toml (it starts from that autoencoder). An interrupted
run goes on where it stopped. Progress goes to stderr.
"""

import json
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

RECIPES, RUNS = Path(__file__).parent / "ablation", Path("runs") / "ablation"
TRAINED = ("base", "appearance", "full", "motion", "one_stage", "no_appearance", "not_joint")
ROWS = (  # what the table calls it, the run, extra options of 'evaluate', the suffix of its scores
    ("full method", "motion", (), ""),
    ("without the motion module", "motion", (), "_frame_by_frame"),
    ("without image guidance", "motion", ("--guidance", "1"), ""),
    ("without the appearance model", "no_appearance", (), "_without_bank"),
    ("ControlNet not tuned jointly (stage 2 skipped)", "not_joint", (), ""),
    ("one stage, as many steps", "one_stage", (), ""),
)
COLUMNS = (
    ("identity top-1", "identity_top1", 100, " %"),
    ("pose top-1", "pose_top1", 100, " %"),
    ("PSNR", "psnr", 1, " dB"),
    ("flicker", "flicker", 1, ""),
)


def train(name: str) -> None:
    folder = RUNS / name
    resume = ["--resume"] if (folder / "state.safetensors").exists() else []
    recipe = RECIPES / f"{name}.toml"
    subprocess.run(["magicpose", "train", str(recipe), "--out", str(folder), *resume], check=True, stdout=sys.stderr)


@lru_cache
def scores(name: str, options: tuple[str, ...]) -> dict[str, float]:
    model = str(RUNS / name / "model")
    command = ["magicpose", "evaluate", "figures", "--model", model, "--json", *options]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def main() -> None:
    for name in TRAINED:
        train(name)
    print("| |", " | ".join(title for title, *_ in COLUMNS), "|")
    print("|---|", "---|" * len(COLUMNS), sep="")
    for title, name, options, suffix in ROWS:
        found = scores(name, options)
        cells = [
            f"{found[key + suffix] * factor:.1f}{unit}" if key + suffix in found else ""
            for _, key, factor, unit in COLUMNS
        ]
        print(f"| {title} |", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()
