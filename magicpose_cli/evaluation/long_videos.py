"""Does a long video stay what it was: its background, its colours, and its windows' seams.

Distances are means over pixels and channels, in levels of 255. The truth of synthetic figures says where the background
is seen, and how much of a change between frames is the motion's own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from magicpose_cli.figures.render import Rendered


@dataclass(frozen=True)
class BackgroundScores:
    """How far frames are from the reference where both show the background; ``by_frame``: of frames round this one.

    ``late_to_early`` is the last of them against the first. ``colour_shift`` is how far the mean colour of the
    background moved between the two.
    """

    by_frame: dict[int, float]
    late_to_early: float
    colour_shift: float

    def to_json(self) -> dict[str, object]:
        return {
            "background_by_frame": {str(frame): round(value, 3) for frame, value in self.by_frame.items()},
            "background_late_to_early": round(self.late_to_early, 4),
            "background_colour_shift": round(self.colour_shift, 3),
        }


@dataclass(frozen=True)
class SeamScores:
    """Mean change between neighbouring frames at the seams of the worst step, and elsewhere.

    ``seam_ratio`` is one against the other, divided by the same ratio of the true renders.
    """

    seams: int
    change_at_seams: float
    change_elsewhere: float
    seam_ratio: float

    def to_json(self) -> dict[str, float]:
        return {name: round(value, 4) for name, value in asdict(self).items()}


def score_background(
    reference: Rendered,
    truth: Mapping[int, Sequence[Rendered]],
    frames: Mapping[int, Sequence[np.ndarray]],
) -> BackgroundScores:
    """Score ``frames``, RGB uint8 (S, S, 3): a few round each of some numbers; their renders are ``truth``."""
    distances, colours = {}, []
    for number, shown in frames.items():
        seen = [~(true.person_mask | reference.person_mask) for true in truth[number]]
        differences = [
            frame[mask].astype(np.float64) - reference.image[mask] for frame, mask in zip(shown, seen, strict=True)
        ]
        distances[number] = float(np.mean([np.abs(difference).mean() for difference in differences]))
        colours.append(np.mean([difference.mean(axis=0) for difference in differences], axis=0))
    values = list(distances.values())
    return BackgroundScores(
        distances, values[-1] / max(values[0], 1e-9), float(np.abs(colours[-1] - colours[0]).mean())
    )


def change(before: np.ndarray, after: np.ndarray) -> float:
    """The mean change from one picture to the next."""
    return float(np.abs(after.astype(np.int16) - before).mean())


def score_seams(
    changes: Sequence[float], true_changes: Sequence[float], seams_by_step: Sequence[Sequence[int]]
) -> SeamScores:
    """Score the changes from frame n to n + 1 of a clip and of its true renders.

    ``seams_by_step`` are, for each sampling step, the frames at which its windows begin or end, 0 and the end left out.
    """
    made, true = np.array(changes), np.array(true_changes)
    scores = []
    for seams in seams_by_step:
        at_seam = np.zeros(len(made), bool)
        at_seam[np.array(seams) - 1] = True
        at, elsewhere = made[at_seam].mean(), made[~at_seam].mean()
        ratio = at / elsewhere / (true[at_seam].mean() / true[~at_seam].mean())
        scores.append(SeamScores(int(at_seam.sum()), float(at), float(elsewhere), float(ratio)))
    return max(scores, key=lambda score: abs(np.log(score.seam_ratio)))
