"""Chance by seed: the same numbers on every machine."""

import numpy as np


def chance_of(*seeds: int) -> np.random.Generator:
    """A generator of its own for each tuple of whole numbers: a seed, and the number of what is drawn from it."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seeds)))
