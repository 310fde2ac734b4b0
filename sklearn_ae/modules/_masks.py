"""Random masks, and the dropout on the code that they make."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn


def random_mask(shape: Sequence[int], share: float, generator: torch.Generator) -> torch.Tensor:
    """Draw a mask, each entry True with probability ``share``, on the CPU rounded to 1 / 65,536."""
    if generator.device.type != "cpu":
        return torch.rand(shape, generator=generator, device=generator.device) < share
    # Four entries share one random integer of 64 bits: a fraction of the time of torch's own
    # `bernoulli_` on the CPU.
    n_entries = math.prod(shape)
    words = torch.empty(-(-n_entries // 4), dtype=torch.int64, device=generator.device)
    words.random_(-(2**63), None, generator=generator)
    bound = round(share * 2**16) - 2**15
    bits = words.view(torch.int16)[:n_entries].view(shape)
    return bits < bound if bound < 2**15 else torch.ones_like(bits, dtype=torch.bool)


class CodeDropout(nn.Module):
    """Drops codes with a probability and scales up those that are kept, in training only."""

    def __init__(self, rate: float = 0.0) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, codes: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        if not (self.training and self.rate):
            return codes
        keep = random_mask(codes.shape, 1 - self.rate, generator)
        return codes * keep.to(codes.dtype).mul_(1 / (1 - self.rate))
