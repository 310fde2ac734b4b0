"""Estimators as trees of JSON, their numbers aside as tensors."""

from __future__ import annotations

import inspect
import math
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from torch import nn

from sklearn_ae import augmentations, corruptions, modules, penalties
from sklearn_ae._autoencoder import Autoencoder
from sklearn_ae._denoising import DenoisingAutoencoder
from sklearn_ae._dropout import DropoutAutoencoder
from sklearn_ae._engine._batches import as_tensor
from sklearn_ae._finetune import AutoencoderClassifier, AutoencoderRegressor
from sklearn_ae._patches import PatchFeatures
from sklearn_ae._sparse import SparseAutoencoder

__all__ = ["ATTRIBUTES", "ESTIMATORS", "PARTS", "Writer"]

ESTIMATORS = {
    cls.__name__: cls
    for cls in (
        Autoencoder,
        SparseAutoencoder,
        DropoutAutoencoder,
        DenoisingAutoencoder,
        PatchFeatures,
        AutoencoderClassifier,
        AutoencoderRegressor,
    )
}

PARTS = {
    f"{module.__name__.split('.')[-1]}.{name}": getattr(module, name)
    for module in (augmentations, corruptions, modules, penalties)
    for name in module.__all__
    if inspect.isclass(getattr(module, name)) and issubclass(getattr(module, name), BaseEstimator)
}

# What is learned beside the network.
ATTRIBUTES = (
    "_encoding",
    "_n_widest",
    "_shapes",
    "_target_mean",
    "_target_ndim",
    "_target_scale",
    "autoencoder_",
    "classes_",
    "dead_components_",
    "feature_names_in_",
    "loss_curve_",
    "mean_",
    "n_features_in_",
    "n_iter_",
    "penalty_curve_",
    "validation_loss_curve_",
    "whitening_",
)


class Writer:
    """Encodes estimators.

    Attributes
    ----------
    tensors : dict of str to torch.Tensor
        The numbers of all that was encoded.
    """

    def __init__(self):
        self.tensors = {}
        self._keys = {}

    def estimator(self, estimator):
        """Encode an estimator, fitted or not.

        Parameters
        ----------
        estimator : estimator
            One of ``ESTIMATORS``, frozen or in a pipeline of them.

        Returns
        -------
        node : dict
            The tree.
        """
        if isinstance(estimator, FrozenEstimator):
            return {"type": "frozen", "estimator": self.estimator(estimator.estimator)}
        if isinstance(estimator, Pipeline):
            steps = [[name, self.estimator(step)] for name, step in estimator.steps]
            return {"type": "pipeline", "steps": steps}
        name = type(estimator).__name__
        if ESTIMATORS.get(name) is not type(estimator):
            raise TypeError(
                f"sklearn_ae.save takes {', '.join(ESTIMATORS)} and pipelines of nothing else, got "
                f"{estimator!r}. Save the step by itself, or the whole by skops or joblib."
            )
        owner = f"{name}."
        params = {
            key: self.value(value, owner + key)
            for key, value in estimator.get_params(deep=False).items()
        }
        node = {"type": "estimator", "name": name, "params": params}
        learned = {
            key: self.value(vars(estimator)[key], owner + key)
            for key in ATTRIBUTES
            if key in vars(estimator)
        }
        if hasattr(estimator, "net_"):
            learned["net_"] = self._net(estimator)
        return node | ({"fitted": learned} if learned else {})

    def value(self, value, owner):
        """Encode a parameter or an attribute.

        Parameters
        ----------
        value : object
            The value.

        owner : str
            Whose it is, for messages.

        Returns
        -------
        node : object
            Of JSON.
        """
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or isinstance(value, bool | str | Integral):
            return value if value is None or isinstance(value, bool | str) else int(value)
        if isinstance(value, Real):
            return float(value) if math.isfinite(value) else {"type": "float", "value": str(value)}
        if isinstance(value, dict):
            items = [[self.value(k, owner), self.value(v, owner)] for k, v in value.items()]
            return {"type": "dict", "items": items}
        if isinstance(value, tuple | list | range):
            items = [self.value(item, owner) for item in value]
            return items if isinstance(value, list) else {"type": "tuple", "items": items}
        if isinstance(value, np.ndarray):
            return self._array(value, owner)
        if isinstance(value, torch.device):
            return str(value)
        if type(value).__name__ == "NAType":
            return {"type": "NA"}
        if isinstance(value, BaseEstimator):
            return self._estimator_or_part(value, owner)
        return self._custom(value, owner)

    def _estimator_or_part(self, value, owner):
        for name, cls in PARTS.items():
            if type(value) is cls:
                params = {k: self.value(v, owner) for k, v in value.get_params(deep=False).items()}
                return {"type": "part", "name": name, "params": params}
        if isinstance(value, FrozenEstimator | Pipeline) or type(value).__name__ in ESTIMATORS:
            return self.estimator(value)
        params = {k: self.value(v, owner) for k, v in value.get_params(deep=False).items()}
        return {"type": "custom part", "name": type(value).__name__, "params": params}

    def _array(self, value, owner):
        if value.dtype.kind in "biuf":
            return {"type": "array", "tensor": self._tensor(as_tensor(value))}
        items = [self.value(item, owner) for item in value.tolist()]
        return {"type": "labels", "dtype": value.dtype.kind, "items": items}

    def _custom(self, value, owner):
        if isinstance(value, nn.Module):
            weights = self._state(value)
            return {"type": "module", "name": type(value).__name__, "weights": weights}
        if inspect.isfunction(value) and value.__name__ != "<lambda>":
            return {"type": "custom", "name": value.__name__}
        raise TypeError(
            f"{owner}={value!r} can't be saved: a file holds numbers, text, the parts of "
            "sklearn_ae, and names of functions, classes and modules of your own. Set it to "
            "something else, random_state to an integer and callbacks to None, before you save."
        )

    def _net(self, estimator):
        net = estimator.net_
        node = {"weights": self._state(net.module_)}
        learned = (
            {
                name: self._tensor(value)
                for name, value in vars(net.corruption).items()
                if isinstance(value, torch.Tensor)
            }
            if hasattr(net.corruption, "__dict__")
            else {}
        )
        node["corruption"] = learned
        if hasattr(estimator, "_structure"):
            node["structure"] = {
                name: self.value(_as_part(value), f"{type(estimator).__name__}.{name}")
                for name, value in estimator._structure.items()
            }
        return node

    def _state(self, module):
        return {name: self._tensor(value) for name, value in module.state_dict().items()}

    def _tensor(self, tensor):
        """Keep a tensor, once however many names it has, and return its key."""
        same = (tensor.data_ptr(), tuple(tensor.shape), tensor.stride(), tensor.dtype)
        if tensor.numel() == 0 or same not in self._keys:
            key = str(len(self.tensors))
            # The original is kept too, so that its address is not given away again.
            self._keys[same] = (key, tensor)
            self.tensors[key] = tensor.detach().cpu().clone().contiguous()
            return key
        return self._keys[same][0]


def _as_part(value):
    is_part = isinstance(value, tuple) and len(value) == 2 and inspect.isclass(value[0])
    return value[0](**value[1]) if is_part else value
