"""Parts become shards: the videos are split, their segments mixed, and written in tars of about one size."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from magicpose_cli.core.disk import file_sha256
from magicpose_cli.core.progress import Progress
from magicpose_cli.training.data.segment import META_FILE, info_of, meta_bytes
from magicpose_cli.training.data.table import SPLITS, ShardRow, VideoRow
from magicpose_cli.training.data.tar_files import TarSample, tar_samples, tar_writer


def split_by_video(rows: Sequence[VideoRow], validation: float) -> list[VideoRow]:
    """The rows with their split: by content, whatever the order and the names.

    The share is rounded, but one video at least is held out where there are two or more and the share is above 0.
    """
    used = sorted((row for row in rows if row.segments), key=lambda row: hashlib.sha256(row.sha256.encode()).digest())
    count = round(validation * len(used))
    if validation > 0 and len(used) > 1:
        count = min(max(count, 1), len(used) - 1)
    held_out = {row.sha256 for row in used[:count]}
    return [replace(row, split=SPLITS[row.sha256 in held_out]) if row.segments else row for row in rows]


def write_shards(
    folder: Path, rows: Sequence[VideoRow], parts: Sequence[Path], megabytes: float, progress: Progress
) -> list[ShardRow]:
    """Mix the segments of all videos, so that a stream that reads shard after shard sees them side by side."""
    shards = []
    with progress.stage("writing shards", sum(row.segments for row in rows), "segment") as advance:
        for split in SPLITS:
            chosen = [part for row, part in zip(rows, parts, strict=True) if row.split == split]
            samples = [sample for part in sorted(chosen) for sample in tar_samples(part)]
            order = [samples[n] for n in np.random.default_rng(0).permutation(len(samples))]
            for number, shard in enumerate(_by_size(order, megabytes * 1_000_000)):
                path = folder / f"{split}-{number:06d}.tar"
                longest = []
                with path.open("wb") as file, tar_writer(file) as writer:
                    for sample in shard:
                        files = {name: sample.read(name) for name in sample.places}
                        info = info_of(files[META_FILE])
                        files[META_FILE] = meta_bytes(replace(info, split=split))
                        writer.write({"__key__": sample.key, **files})
                        longest.append(info.longest)
                        advance()
                shards.append(ShardRow(path.name, split, path.stat().st_size, file_sha256(path), tuple(longest)))
    return shards


def _by_size(samples: list[TarSample], most: float) -> list[list[TarSample]]:
    """Samples in a row of about ``most`` bytes together."""
    shards: list[list[TarSample]] = []
    size = most  # so that the first sample opens a shard
    for sample in samples:
        if size >= most:
            shards.append([])
            size = 0
        shards[-1].append(sample)
        size += sum(count for _, count in sample.places.values())
    return shards
