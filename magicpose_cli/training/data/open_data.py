"""What a recipe's ``[data]`` names → batches: figures, shards of a folder, or a stream of shards."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from magicpose_cli.core.errors import MagicPoseError
from magicpose_cli.training.config import DataOptions, is_stream
from magicpose_cli.training.data.batch import GroupBatch, batch_loader
from magicpose_cli.training.data.figures import FigureGroups
from magicpose_cli.training.data.plan import BatchPlan
from magicpose_cli.training.data.shards import FolderGroups, StreamGroups
from magicpose_cli.training.data.table import SPLITS, read_table
from magicpose_cli.training.data.tar_files import webdataset

_VALIDATION_SEED = 1000  # added to a run's: people that its training never sees


def open_data(options: DataOptions, plan: BatchPlan, *, split: str = "train") -> Generator[GroupBatch]:
    """The planned batches, without end; to be closed. ``split``: ``train`` or ``validation``.

    Raises InputError, IntegrityError, UsageError; while it runs DownloadError too.
    """
    if split not in SPLITS:
        raise ValueError(f"split {split!r} is none of {SPLITS}")
    if not options.shards:
        if split == "validation":
            plan = replace(plan, seed=plan.seed + _VALIDATION_SEED)
        return batch_loader(FigureGroups(options, plan))
    if is_stream(options.shards):
        pattern = options.shards if split == "train" else options.validation_shards
        urls = webdataset().shardlists.expand_urls(pattern)
        data = StreamGroups(options, urls, plan)
    else:
        data = FolderGroups(options, split, plan)
    return _raising(batch_loader(data))


def holds_validation(options: DataOptions) -> bool:
    """Whether anything is held out: not of one video, and of a stream only what ``validation_shards`` names."""
    if not options.shards:
        return True
    if is_stream(options.shards):
        return bool(options.validation_shards)
    return any(row.split == "validation" for row in read_table(Path(options.shards)).shards)


def _raising(batches: Generator[GroupBatch | MagicPoseError]) -> Generator[GroupBatch]:
    with closing(batches):
        for batch in batches:
            if isinstance(batch, MagicPoseError):
                raise batch
            yield batch
