"""Batches from the shards that ``magicpose dataset`` makes: from a folder at random places, or from a stream.

From a folder a batch is a function of (seed, step, share) alone, so that a resumed run goes on with the same ones: the
segments come in a random order in which each has its turn before any comes again, and workers and processes share that
order without overlap. From a stream the order hangs on (seed, first step, share, workers): the same start gives the
same batches, and a resumed run goes on in a fresh order, since reading again what was read would take as long.
Letters: R groups, K targets each.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import count, islice
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import IterableDataset, get_worker_info

from magicpose_cli.core.errors import DownloadError, InputError, MagicPoseError, UsageError
from magicpose_cli.training.config import DataOptions
from magicpose_cli.training.data.batch import GroupBatch, as_pixels
from magicpose_cli.training.data.groups import Group, least_run, read_group
from magicpose_cli.training.data.plan import BatchPlan, Encode
from magicpose_cli.training.data.segment import Segment, damaged, open_segment
from magicpose_cli.training.data.table import read_table
from magicpose_cli.training.data.tar_files import TarSample, tar_samples, webdataset

_HELD = 32  # segments of a stream at hand in each worker: some 5 MB each


class FolderGroups(IterableDataset):
    """Batches by step number from a folder of shards.

    Raises InputError, IntegrityError (a shard that is cut off, by name), UsageError where no segment is long enough.
    """

    def __init__(self, options: DataOptions, split: str, plan: BatchPlan) -> None:
        self.options, self.plan = options, plan
        folder = Path(options.shards)
        self._shards = [row for row in read_table(folder).shards if row.split == split]
        self._paths = [folder / row.name for row in self._shards]
        for path, row in zip(self._paths, self._shards, strict=True):
            if not path.is_file():
                raise InputError(f"{folder} lacks {path.name}, which its dataset.json names", "copy it there")
            if path.stat().st_size != row.bytes:
                raise damaged(str(path), f"it has {path.stat().st_size} bytes and should have {row.bytes}")
        # (shard, sample of it) of each segment that is long enough
        least = least_run(options)
        self._places = [
            (shard, sample)
            for shard, row in enumerate(self._shards)
            for sample, longest in enumerate(row.longest)
            if longest >= least
        ]
        if not self._places:
            raise _no_segments(f"the split '{split}' of {folder}", least)
        self._samples: dict[int, list[TarSample]] = {}  # of the shards touched so far

    def __iter__(self) -> Iterator[GroupBatch | MagicPoseError]:
        worker = get_worker_info()
        first, stride = (worker.id, worker.num_workers) if worker else (0, 1)
        return _or_error(self.batch(step) for step in count(self.plan.first_step + first, stride))

    def batch(self, step: int) -> GroupBatch:
        """The batch of one step: a function of (seed, step, share) alone."""
        index, processes = self.plan.share
        groups = []
        for place, number in enumerate(self.segments(step)):
            rng = np.random.default_rng([self.plan.seed, step * processes + index, place])
            groups.append(read_group(self._segment(number), self.options, rng))
        return _batch(groups, self.plan.encode)

    def segments(self, step: int) -> list[int]:
        """Which segments the groups of a step are of, by number among those that are long enough."""
        index, processes = self.plan.share
        first = (step * processes + index) * self.plan.groups
        rounds = (divmod(first + n, len(self._places)) for n in range(self.plan.groups))
        return [int(_order(self.plan.seed, turn, len(self._places))[n]) for turn, n in rounds]

    def _segment(self, number: int) -> Segment:
        shard, sample = self._places[number]
        path, row = self._paths[shard], self._shards[shard]
        if shard not in self._samples:
            samples = tar_samples(path)
            if len(samples) != len(row.longest):
                raise damaged(str(path), f"it holds {len(samples)} samples and should hold {len(row.longest)}")
            self._samples[shard] = samples
        return open_segment(self._samples[shard][sample].read, str(path))


class StreamGroups(IterableDataset):
    """Batches from a stream of shards: ``urls``, opened one after another by webdataset.

    Each worker of each process has shards of its own, and draws from the ``_HELD`` segments that it holds; one that
    was drawn gives way to the next of the stream with chance 1 / ``reuse``. Raises UsageError where there are fewer
    shards than workers; while it runs IntegrityError, DownloadError, InputError.
    """

    def __init__(self, options: DataOptions, urls: Sequence[str], plan: BatchPlan) -> None:
        self.options, self.plan = options, plan
        self._urls = list(urls)
        self._least = least_run(options)
        lanes = max(1, options.workers) * plan.share[1]
        if len(self._urls) < lanes:
            raise UsageError(
                f"{len(self._urls)} shards cannot feed {lanes} workers, each with shards of its own",
                f"lower 'workers' in [data]; {plan.share[1]} processes train",
            )

    def __iter__(self) -> Iterator[GroupBatch | MagicPoseError]:
        return _or_error(self._batches())

    def _batches(self) -> Iterator[GroupBatch]:
        worker = get_worker_info()
        index, workers = (worker.id, worker.num_workers) if worker else (0, 1)
        lane, lanes = self.plan.share[0] * workers + index, self.plan.share[1] * workers
        rng = np.random.default_rng([self.plan.seed, self.plan.first_step, lane])
        stream = self._stream(self._urls[lane::lanes], rng)
        held = list(islice(stream, _HELD))
        while True:
            groups = []
            for _ in range(self.plan.groups):
                n = int(rng.integers(len(held)))
                groups.append(read_group(held[n], self.options, rng))
                if rng.random() * self.options.reuse < 1:
                    held[n] = next(stream)
            yield _batch(groups, self.plan.encode)

    def _stream(self, urls: Sequence[str], rng: np.random.Generator) -> Iterator[Segment]:
        """The segments of these shards without end, the shards in another order each time."""
        library = webdataset()
        while True:
            found = False
            for n in rng.permutation(len(urls)):
                with _streaming(urls[n]):
                    shard = library.DataPipeline(library.SimpleShardList([urls[n]]), library.tarfile_to_samples())
                    for sample in shard:
                        segment = open_segment(sample.__getitem__, urls[n])
                        if segment.info.longest >= self._least:
                            found = True
                            yield segment
            if not found:
                raise _no_segments(urls[0] if len(urls) == 1 else f"{urls[0]} …", self._least)


@contextmanager
def _streaming(url: str) -> Iterator[None]:
    """What webdataset and the programs that it calls raise, in words of ours."""
    try:
        yield
    except (tarfile.TarError, OSError) as error:
        # webdataset adds where it was to the exception's arguments
        what = str(error.args[0]) if isinstance(error, tarfile.TarError) else error.strerror or str(error)
        if isinstance(error, tarfile.TarError) and what != "empty file":  # nothing at all: curl found nothing there
            raise damaged(url, what) from error
        if isinstance(error, FileNotFoundError):
            raise InputError(f"{url} cannot be read: {what}", "correct 'shards' in the recipe") from error
        raise DownloadError(f"{url} cannot be streamed: {what}", "check the address, or try again later") from error


@lru_cache(maxsize=4)
def _order(seed: int, turn: int, count: int) -> np.ndarray:
    return np.random.default_rng([seed, turn]).permutation(count)


def _batch(groups: Sequence[Group], encode: Encode | None) -> GroupBatch:
    images = torch.from_numpy(np.stack([group.images for group in groups]))  # (R, 1 + K, S, S, 3)
    images = as_pixels(images.movedim(-1, 2))
    if encode is not None:
        images = encode(images.flatten(0, 1)).unflatten(0, images.shape[:2])
    maps = torch.from_numpy(np.stack([group.pose_maps for group in groups]))
    return GroupBatch(images, maps, torch.from_numpy(np.stack([group.person for group in groups])))


def _or_error(batches: Iterator[GroupBatch]) -> Iterator[GroupBatch | MagicPoseError]:
    """An error of ours comes as the last item: raised in a worker, torch would bury it in a traceback."""
    try:
        yield from batches
    except MagicPoseError as error:
        yield error


def _no_segments(where: str, least: int) -> UsageError:
    if least == 1:
        return UsageError(f"{where} holds no segments")
    return UsageError(
        f"{where} holds no stretch of {least} frames at 30 a second without a gap",
        "lower targets_per_reference, or raise clip_fps",
    )
