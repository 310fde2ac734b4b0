"""Trees of JSON and tensors as estimators again; no name in them is imported."""

from __future__ import annotations

import json

import numpy as np
import torch
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from sklearn_ae._autoencoder import Autoencoder
from sklearn_ae._encoding import ATTRIBUTES, ESTIMATORS, PARTS
from sklearn_ae._engine._runtime import resolve_device
from sklearn_ae._network import network_of_encoder, network_of_fitted

__all__ = ["Reader"]


class Reader:
    """Decodes what a Writer encoded.

    Parameters
    ----------
    tensors : dict of str to torch.Tensor
        The numbers.

    custom : dict of str to object
        What the tree only names.
    """

    def __init__(self, tensors, custom):
        self.tensors = tensors
        self.custom = custom
        self._frozen = {}

    def estimator(self, node):
        """Decode an estimator.

        Parameters
        ----------
        node : dict
            The tree.

        Returns
        -------
        estimator : estimator
            Fitted if it was.
        """
        if node["type"] == "frozen":
            # Of the same numbers: the parameter and what a fit took it for are one object.
            same = json.dumps(node, sort_keys=True)
            if same not in self._frozen:
                self._frozen[same] = FrozenEstimator(self.estimator(node["estimator"]))
            return self._frozen[same]
        if node["type"] == "pipeline":
            return Pipeline([(name, self.estimator(step)) for name, step in node["steps"]])
        name = node["name"]
        if name not in ESTIMATORS:
            raise ValueError(f"The file holds a {name!r}, which this version does not know.")
        estimator = self._made(ESTIMATORS[name], name, node["params"])
        learned = node.get("fitted", {})
        for key in ATTRIBUTES:
            if key in learned:
                setattr(estimator, key, self.value(learned[key]))
        if "net_" in learned:
            if isinstance(estimator, Autoencoder):
                self._set_autoencoder(estimator, node["params"], learned["net_"])
            else:
                self._set_head(estimator, learned["net_"])
        return estimator

    def value(self, node):
        """Decode a parameter or an attribute.

        Parameters
        ----------
        node : object
            Of JSON.

        Returns
        -------
        value : object
            The value.
        """
        if isinstance(node, list):
            return [self.value(item) for item in node]
        if not isinstance(node, dict):
            return node
        decode = {
            "NA": _missing,
            "array": lambda: self.tensors[node["tensor"]].numpy().copy(),
            "custom": lambda: self._named(node["name"]),
            "custom part": lambda: self._made(
                self._named(node["name"]), node["name"], node["params"]
            ),
            "dict": lambda: {self.value(k): self.value(v) for k, v in node["items"]},
            "estimator": lambda: self.estimator(node),
            "float": lambda: float(node["value"]),
            "frozen": lambda: self.estimator(node),
            "labels": lambda: _labels(node["dtype"], self.value(node["items"])),
            "module": lambda: self._module(node),
            "part": lambda: self._part(node),
            "pipeline": lambda: self.estimator(node),
            "tuple": lambda: tuple(self.value(item) for item in node["items"]),
        }
        if node.get("type") not in decode:
            raise ValueError(
                f"The file holds a value of kind {node.get('type')!r}, which this version does "
                "not know."
            )
        return decode[node["type"]]()

    def _made(self, cls, name, params):
        try:
            return cls(**{key: self.value(value) for key, value in params.items()})
        except TypeError as error:
            raise ValueError(f"The file does not fit this version's {name}: {error}") from error

    def _part(self, node):
        if node["name"] not in PARTS:
            raise ValueError(
                f"The file holds the part {node['name']!r}, which this version does not know."
            )
        return self._made(PARTS[node["name"]], node["name"], node["params"])

    def _named(self, name):
        if name not in self.custom:
            raise ValueError(
                f"The file names {name!r}, which is not part of sklearn_ae. Pass it: "
                f"load(path, custom={{{name!r}: ...}})."
            )
        return self.custom[name]

    def _module(self, node):
        module = self._named(node["name"])()
        self._load(module, node["weights"], node["name"])
        return module

    def _load(self, module, weights, name):
        state = {key: self.tensors[tensor] for key, tensor in weights.items()}
        try:
            module.load_state_dict(state)
        except RuntimeError as error:
            raise ValueError(
                f"The weights in the file do not fit the module {name}: {error}"
            ) from error

    def _set_autoencoder(self, estimator, params, node):
        """Build the network of the fit, which later parameters need not describe, and fill it."""
        changed = {
            name: self.value(value)
            for name, value in node["structure"].items()
            if value != params[name]
        }
        built = type(estimator)(
            **{**estimator.get_params(deep=False), **changed, "device": _device(estimator.device)}
        )
        built._start(np.zeros((2, estimator.n_features_in_), np.float32))
        self._fill(built.net_, node)
        estimator.net_, estimator._structure = built.net_, built._structure

    def _set_head(self, estimator, node):
        from sklearn_ae._engine._finetuning import finetune

        if estimator.autoencoder_ is None:
            network = network_of_encoder(estimator.encoder)
        else:
            network = network_of_fitted(estimator.autoencoder_)
        network["device"] = _device(network["device"])
        weights = {key: self.tensors[key_of] for key, key_of in node["weights"].items()}
        layers = [w for key, w in weights.items() if key.startswith("head.") and w.dim() == 2]
        decoded = any(key.startswith("decoder.") for key in weights)
        params = estimator.get_params(deep=False) | {
            "head_hidden_layer_sizes": [len(weight) for weight in layers[:-1]],
            "reconstruction_weight": estimator.reconstruction_weight or 1.0 if decoded else 0.0,
            "max_epochs": 0,
            "early_stopping": False,
            "callbacks": None,
        }
        n_outputs, dtype = len(layers[-1]), layers[-1].dtype
        classifies = hasattr(estimator, "classes_")
        y = torch.zeros(2, dtype=torch.int64) if classifies else torch.zeros(2, n_outputs)
        data = {
            "X": np.zeros((2, estimator.n_features_in_), layers[-1].numpy().dtype),
            "y": y,
            "weight": torch.ones(2, dtype=dtype),
            "split": None,
            "n_outputs": n_outputs,
            "loss": "cross_entropy" if classifies else "squared_error",
        }
        net = finetune(params, network, data, seed=0)
        self._fill(net, node)
        estimator.net_ = net

    def _fill(self, net, node):
        self._load(net.module_, node["weights"], "of the fit")
        for name, tensor in node["corruption"].items():
            setattr(net.corruption, name, self.tensors[tensor].to(net.device))


def _device(device):
    try:
        resolve_device(device)
    except ValueError:
        return "cpu"
    return device


def _labels(kind, items):
    if kind == "U":
        return np.array(items, dtype=str)
    labels = np.empty(len(items), dtype=object)
    labels[:] = items
    return labels


def _missing():
    import pandas as pd

    return pd.NA
