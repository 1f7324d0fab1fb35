"""Training in several processes that `torchrun` starts: each takes its rows of every batch.

All ranks draw the same windows from the same seed, and start from the same weights. So nothing is
exchanged but sums of gradients, after which all take the same step (data parallelism; Li et al.,
2020, "PyTorch Distributed", section 3). A process that was not started so is the only rank.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence

import torch
import torch.distributed as dist
from torch import Tensor


@contextlib.contextmanager
def joined(device: torch.device) -> Iterator[None]:
    """Join the ranks that `torchrun` started beside this one, and leave them in the end."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or dist.is_initialized():
        yield
        return
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


def count() -> int:
    """Return how many ranks there are."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """Return which of them this process is: the first one, 0, judges, speaks and saves."""
    return dist.get_rank() if dist.is_initialized() else 0


def is_first() -> bool:
    """Tell whether a process was started as the first rank, or alone; outside training too."""
    return os.environ.get("RANK", "0") == "0"


def own_rows(n: int) -> slice:
    """Return the rows of a batch of n that this rank takes.

    Raises
    ------
    ValueError
        If there are fewer rows than ranks.

    Examples
    --------
    >>> own_rows(64)
    slice(0, 64, None)
    """
    if n < count():
        raise ValueError(
            f"`batch_size` must be at least the number of processes, {count()}, got {n}. Start "
            "fewer."
        )
    return slice(rank() * n // count(), (rank() + 1) * n // count())


def add_up(tensors: Sequence[Tensor]) -> None:
    """Replace tensors of one type by their sums over all ranks, in one exchange."""
    if count() == 1:
        return
    flat = torch.cat([one.reshape(-1) for one in tensors])
    dist.all_reduce(flat)
    parts = flat.split([one.numel() for one in tensors])
    for one, part in zip(tensors, parts, strict=True):
        one.copy_(part.view_as(one))


def agreed(value: float) -> float:
    """Return what the first rank says."""
    if count() == 1:
        return value
    told = [value]
    dist.broadcast_object_list(told)
    return told[0]
