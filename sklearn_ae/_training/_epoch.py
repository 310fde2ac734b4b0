"""The one loop over the batches of an epoch, of training and of validation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from sklearn_ae._compute._rows import Batches


def run_epoch(
    net: Any,
    batches: Batches,
    step_fn: Callable[[Any], dict[str, Any]],
    training: bool,
    prefix: str,
) -> None:
    """Take a step for each batch; the losses are read from the device once, at the end."""
    net._set_training(training)
    losses, penalties, sizes = [], [], []
    active: Any = 0
    for batch in batches:
        if net.hears_batches_:
            net.notify("on_batch_begin", batch=batch, training=training)
        step = step_fn(batch)
        sizes.append(batch[0].shape[0])
        losses.append(step["loss"].detach())
        if training and step["penalty"] is not None:
            penalties.append(step["penalty"].detach())
        if training and net.counts_codes:
            active = active + step["y_pred"][1].count_nonzero(dim=0)
        if net.hears_batches_:
            net.history.record_batch(f"{prefix}_loss", step["loss"].item())
            net.history.record_batch(f"{prefix}_batch_size", sizes[-1])
            net.notify("on_batch_end", batch=batch, training=training, **step)
    if training:
        net.active_counts_, net.n_rows_ = active, sum(sizes)
    if not net.hears_batches_:
        # Checkpoints of skorch look at the last batch of an epoch.
        net.history.new_batch()
    net.record_loss(prefix, mean_loss(losses, sizes))
    if penalties:
        net.history.record("train_penalty", net.criterion_.alpha * mean_loss(penalties, sizes))


def mean_loss(values: Sequence[torch.Tensor], sizes: Sequence[int]) -> float:
    """Average over batches, read from the device at once."""
    numbers = torch.stack(list(values)).tolist()
    total = sum(value * size for value, size in zip(numbers, sizes, strict=True))
    return float(total / sum(sizes))
