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
    # Small tensors kept between large ones would let memory grow with the number of batches.
    losses = penalties = torch.empty(0)
    sizes: list[int] = []
    active: Any = 0
    for number, batch in enumerate(batches):
        if net.hears_batches_:
            net.notify("on_batch_begin", batch=batch, training=training)
        step = step_fn(batch)
        sizes.append(batch[0].shape[0])
        loss, penalty = step["loss"].detach(), step["penalty"] if training else None
        penalty = None if penalty is None else penalty.detach()
        if not number:
            losses = loss.new_empty(len(batches))
            penalties = losses[:0] if penalty is None else penalty.new_empty(len(batches))
        losses[number] = loss
        if penalty is not None:
            penalties[number] = penalty
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
    if len(penalties):
        net.history.record("train_penalty", net.criterion_.alpha * mean_loss(penalties, sizes))


def mean_loss(values: torch.Tensor | Sequence[torch.Tensor], sizes: Sequence[int]) -> float:
    """Average over batches, read from the device at once."""
    numbers = (values if isinstance(values, torch.Tensor) else torch.stack(list(values))).tolist()
    total = sum(value * size for value, size in zip(numbers, sizes, strict=True))
    return float(total / sum(sizes))
