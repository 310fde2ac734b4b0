"""Which codes are active in an epoch, and what ``verbose=1`` prints."""

from __future__ import annotations

import sys
from collections.abc import Callable
from numbers import Number
from typing import Any

import torch
from skorch.callbacks import PrintLog

__all__ = ["ActiveCodes", "EpochLine", "write_line"]


class ActiveCodes:
    """A training step that counts the codes that are not zero, notes which ones, and the penalty.

    Parameters
    ----------
    net : ReconstructionNet
        Whose step it is.

    step : callable
        The step itself.
    """

    def __init__(self, net: Any, step: Callable[..., dict[str, Any]]) -> None:
        self.net = net
        self.step = step
        self.penalty: Any = 0
        self.counts: Any = 0
        self.n_rows = 0

    def __call__(self, batch: Any, **fit_params: Any) -> dict[str, Any]:
        """Take the step."""
        result = self.step(batch, **fit_params)
        codes = result["y_pred"][1].detach()
        self.counts = self.counts + codes.count_nonzero(dim=0)
        self.n_rows += len(codes)
        if self.net.has_penalty:
            self.penalty = self.penalty + self.net.penalty_.detach() * len(codes)
        return result

    @property
    def mean_penalty(self) -> float:
        """The penalty, averaged over rows."""
        return float(self.penalty) / self.n_rows

    @property
    def dead(self) -> torch.Tensor:
        """The components that were zero for every row."""
        return torch.nonzero(self.counts == 0).squeeze(1)

    @property
    def share(self) -> float:
        """Share of the codes that were not zero."""
        return float(self.counts.sum()) / (self.n_rows * len(self.counts))


def write_line(line: str) -> None:
    """Print in one piece, so that the lines of several workers stay whole.

    Parameters
    ----------
    line : str
        The line.
    """
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class EpochLine(PrintLog):
    """Print a line an epoch that needs no header; also what callbacks of the user record."""

    _KNOWN = ("epoch", "train_loss", "valid_loss", "train_penalty", "active", "dur")

    def __init__(self) -> None:
        super().__init__(sink=write_line)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Print the line."""
        row = net.history[-1]
        parts = [f"epoch {row['epoch']}/{net.max_epochs}", f"loss {row['train_loss']:.6g}"]
        if "valid_loss" in row:
            parts.append(f"validation loss {row['valid_loss']:.6g}")
        if "train_penalty" in row:
            parts.append(f"penalty {row['train_penalty']:.6g}")
        parts.append(f"{100 * row['active']:.1f} % of codes active")
        parts += [
            f"{name} {value:.6g}"
            for name, value in row.items()
            if isinstance(value, Number) and not isinstance(value, bool)
            if name not in self._KNOWN and not name.endswith(("_best", "_batch_count"))
        ]
        self._sink(", ".join([*parts, f"{row['dur']:.2f} s"]), net.verbose)
