"""How many rows go through a network together: fewer, once the device's memory has not held more."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import torch

Result = TypeVar("Result")


@dataclass
class BatchSize:
    """At ``most`` so many rows at a time (None: all), as far as is known; halved where they do not fit."""

    most: int | None = None

    def run(self, work: Callable[[int, int], Result], count: int) -> Iterator[Result]:
        """Yield ``work(start, stop)`` of ``count`` rows, part by part. No row's result may depend on another row.

        Raises torch.OutOfMemoryError where even one row does not fit.
        """
        start = 0
        while start < count:
            stop = min(count, start + (self.most or count))
            result = None
            try:
                result = work(start, stop)
            except torch.OutOfMemoryError:
                if stop - start == 1:
                    raise
                self.most = (stop - start) // 2
            if result is None:
                # Only here are the tensors of the failed pass let go: the error's traceback held them.
                torch.cuda.empty_cache()
                continue
            yield result
            start = stop
