"""The learning rate of each step of the optimizer."""

from __future__ import annotations

import torch


class LinearSchedule:
    """Lets the rate fall to 0 by the same amount at each step, from each group's own start."""

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        learning_rate: float,
        n_steps: int,
        n_taken: int = 0,
    ) -> None:
        self.groups = [(g, g.get("initial_lr", learning_rate)) for g in optimizer.param_groups]
        self.n_steps = n_steps
        self.n_taken = n_taken

    def next_step(self) -> None:
        """Set the rate of the next step."""
        remaining = 1 - self.n_taken / self.n_steps
        self.n_taken += 1
        for group, start in self.groups:
            group["lr"] = remaining * start
