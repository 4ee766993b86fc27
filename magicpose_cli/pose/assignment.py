"""Which of one list goes with which of another, so that the sum of costs is least."""

import numpy as np


def assign(costs: np.ndarray) -> list[tuple[int, int]]:
    """Pairs (row, column) of least total cost in a (rows, columns) array; infinite costs are never paired.

    As many pairs as finite costs allow. Source: Kuhn, "The Hungarian method" (1955), in the form with shortest
    augmenting paths; O(n³), for the tens of people of a picture.
    """
    rows, columns = costs.shape
    if not rows or not columns:
        return []
    finite = np.isfinite(costs)
    # A forbidden pair costs more than all allowed ones together, so that none is taken where another will do.
    forbidden = 1.0 + 2.0 * float(np.abs(costs[finite]).sum())
    size = max(rows, columns)
    square = np.full((size, size), forbidden)
    square[:rows, :columns] = np.where(finite, costs, forbidden)
    return [
        (row, column)
        for row, column in enumerate(_assigned_columns(square))
        if row < rows and column < columns and finite[row, column]
    ]


def _assigned_columns(costs: np.ndarray) -> list[int]:
    """The column of each row of a square array of finite costs."""
    size = len(costs)
    row_price, column_price = np.zeros(size), np.zeros(size + 1)
    row_of = np.full(size + 1, -1)  # of each column; the last column is where a new row starts from
    for new in range(size):
        row_of[size] = new
        column = size
        distance, came_from = np.full(size, np.inf), np.full(size, size)
        done = np.zeros(size, bool)
        while row_of[column] >= 0:
            row = row_of[column]
            if column < size:
                done[column] = True
            step = costs[row] - row_price[row] - column_price[:size]
            base = 0.0 if column == size else distance[column]
            nearer = ~done & (base + step < distance)
            distance[nearer] = base + step[nearer]
            came_from[nearer] = column
            column = int(np.argmin(np.where(done, np.inf, distance)))
        reached = distance[column]
        row_price[new] += reached
        for other in np.flatnonzero(done):
            row_price[row_of[other]] += reached - distance[other]
            column_price[other] -= reached - distance[other]
        while column != size:
            row_of[column] = row_of[came_from[column]]
            column = int(came_from[column])
    columns = np.empty(size, int)
    columns[row_of[:size]] = np.arange(size)
    return columns.tolist()
