import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magicpose_cli.pose.assignment import assign


@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 10_000))
def test_no_other_pairing_costs_less(rows, columns, seed):
    costs = np.random.default_rng(seed).random((rows, columns)) * 10
    pairs = assign(costs)
    assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == len(pairs) == min(rows, columns)
    tall = costs if rows <= columns else costs.T
    best = min(
        sum(tall[n, c] for n, c in enumerate(p)) for p in itertools.permutations(range(max(rows, columns)), len(tall))
    )
    assert sum(costs[row, column] for row, column in pairs) == pytest.approx(best)


def test_a_greedy_choice_is_not_made():
    assert assign(np.array([[1.0, 2.0], [1.5, 9.0]])) == [(0, 1), (1, 0)]


def test_infinite_costs_are_never_paired():
    inf = np.inf
    assert assign(np.array([[1.0, inf], [inf, inf]])) == [(0, 0)]
    assert assign(np.array([[1.0, 5.0], [1.0, inf]])) == [(0, 1), (1, 0)]
    assert assign(np.full((2, 3), inf)) == []
    assert assign(np.zeros((0, 3))) == assign(np.zeros((3, 0))) == []
