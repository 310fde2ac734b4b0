"""Early stopping that ends with the best weights, however small the last improvements were."""

from __future__ import annotations

import copy
import math
from typing import Any

from skorch.callbacks import EarlyStopping

__all__ = ["BestWeights"]


class BestWeights(EarlyStopping):
    """skorch's early stopping on the validation loss, which restores the epoch of its minimum.

    An improvement smaller than ``threshold`` counts as none for stopping, but its weights are kept
    all the same.
    """

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Forget earlier epochs."""
        super().on_train_begin(net, **kwargs)
        self.best_loss_ = math.inf
        self.best_weights_ = copy.deepcopy(net.module_.state_dict())

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Keep the weights of the best epoch, and stop when none improves by the threshold."""
        loss = net.history[-1, "valid_loss"]
        if loss < self.best_loss_:
            self.best_loss_ = loss
            self.best_weights_ = copy.deepcopy(net.module_.state_dict())
        super().on_epoch_end(net, **kwargs)

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Restore the best weights."""
        net.module_.load_state_dict(self.best_weights_)
        del self.best_weights_
