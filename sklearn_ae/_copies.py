"""Clones, copies and pickles of an estimator that is given modules and holds a trained net."""

import copy
import warnings

from sklearn.exceptions import InconsistentVersionWarning
from torch import nn

from sklearn_ae._engine._portable import portable, refill
from sklearn_ae._validation import clone_parametrized
from sklearn_ae._version import __version__

__all__ = ["CopiesMixin"]


class CopiesMixin:
    """What clone, copy and pickle do with weights, and with what modules share."""

    def __sklearn_clone__(self):
        copied = clone_parametrized(self)
        if isinstance(self.encoder, nn.Module) and isinstance(
            getattr(self, "decoder", None), nn.Module
        ):
            # Copied together, so that a layer or a weight that they share stays shared.
            copied.encoder, copied.decoder = copy.deepcopy((self.encoder, self.decoder))
        return copied

    def __copy__(self):
        # What __getstate__ gives is for pickles and deep copies only.
        copied = type(self).__new__(type(self))
        copied.__dict__.update(self.__dict__)
        return copied

    def __getstate__(self):
        state = dict(super().__getstate__())
        structure = state.get("_structure", {})
        # Together, so that what a parameter and the fitted structure share stays one object.
        modules = {("state", k): v for k, v in state.items() if isinstance(v, nn.Module)}
        modules |= {("structure", k): v for k, v in structure.items() if isinstance(v, nn.Module)}
        copies = portable(modules)
        state |= {k: copies["state", k] for owner, k in modules if owner == "state"}
        if structure:
            own = {k: copies["structure", k] for owner, k in modules if owner == "structure"}
            state["_structure"] = structure | own
        return state | {"_sklearn_ae_version": __version__}

    def __setstate__(self, state):
        saved = state.pop("_sklearn_ae_version", "unknown")
        if saved != __version__:
            warnings.warn(
                InconsistentVersionWarning(
                    estimator_name=type(self).__name__,
                    current_sklearn_version=__version__,
                    original_sklearn_version=saved,
                ),
                stacklevel=2,
            )
        super().__setstate__(state)
        held = [*vars(self).values(), *vars(self).get("_structure", {}).values()]
        refill([value for value in held if isinstance(value, nn.Module)])
