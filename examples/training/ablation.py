"""Trains the paper's ablations with a small model and prints their scores as a Markdown table.

    python examples/training/ablation.py > ablation.md

Run it at the top of a checkout, after examples/training/mini_vae.toml (it starts from that autoencoder). An interrupted
run goes on where it stopped; scores are kept in runs/ablation, beside what was trained. Progress goes to stderr.
"""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

RECIPES, RUNS = Path(__file__).parent / "ablation", Path("runs") / "ablation"
STARTS = {  # each run, and the one that it starts from
    "appearance": "base",
    "full": "appearance",
    "motion": "full",
    "not_joint": "appearance",
    "one_stage": "base",
    "no_appearance": "base",
}
ROWS = (  # what the table calls it, the run, extra options of 'evaluate', the suffix of its scores
    ("full method", "motion", (), ""),
    ("without the motion module", "motion", (), "_frame_by_frame"),
    ("without image guidance", "motion", ("--guidance", "1"), ""),
    ("ControlNet not tuned jointly (stage 2 skipped)", "not_joint", (), ""),
    ("one stage, as many steps", "one_stage", (), ""),
    ("without the appearance model", "no_appearance", (), "_without_bank"),
)
MEASURED = ("--pairs", "64", "--clips", "4")
COLUMNS = (
    ("identity top-1", "identity_top1", 100, " %"),
    ("pose top-1", "pose_top1", 100, " %"),
    ("PSNR", "psnr", 1, " dB"),
    ("flicker", "flicker", 1, ""),
)


@cache
def train(name: str) -> None:
    """Train the run, after those it starts from."""
    if name in STARTS:
        train(STARTS[name])
    folder = RUNS / name
    resume = ["--resume"] if (folder / "state.safetensors").exists() else []
    recipe = RECIPES / f"{name}.toml"
    subprocess.run(["magicpose", "train", str(recipe), "--out", str(folder), *resume], check=True, stdout=sys.stderr)


def scores(name: str, options: tuple[str, ...]) -> dict[str, float]:
    kept = RUNS / name / f"scores{''.join(options)}.json"
    if not kept.exists():
        train(name)
        command = ["magicpose", "evaluate", "figures", "--model", str(RUNS / name / "model"), "--json"]
        told = subprocess.run([*command, *MEASURED, *options], check=True, stdout=subprocess.PIPE, text=True).stdout
        kept.write_text(told, encoding="utf-8")
    return json.loads(kept.read_text(encoding="utf-8"))


def main() -> None:
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
