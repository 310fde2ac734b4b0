"""Estimators in files: parameters as JSON, weights as safetensors, no pickle and no code."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import warnings
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from sklearn.exceptions import InconsistentVersionWarning

from sklearn_ae._decoding import Reader
from sklearn_ae._encoding import Writer
from sklearn_ae._version import __version__

__all__ = ["load", "save"]

_KEY = "sklearn_ae"
_FORMAT = 1


def save(estimator, path):
    """Save an estimator of this package to one file.

    The file is in the format of safetensors, with the parameters as JSON in its header. It holds
    neither a pickle nor code. The state of the optimizer is not saved: after :func:`load`,
    ``partial_fit`` goes on with the weights and starts the optimizer anew.

    Parameters
    ----------
    estimator : estimator
        An autoencoder, a :class:`~sklearn_ae.PatchFeatures`, or an
        :class:`~sklearn_ae.AutoencoderClassifier` or Regressor, fitted or not.

    path : str or path-like
        Where to. An existing file is replaced when the new one is complete.

    Raises
    ------
    TypeError
        If the estimator is of another kind or a parameter can't be saved: callbacks and random
        generators. Nothing is written then.

    See Also
    --------
    load : Loads it.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from sklearn_ae import SparseAutoencoder, load, save
    >>> X = np.random.default_rng(0).normal(size=(50, 6))
    >>> ae = SparseAutoencoder(8, max_epochs=2, random_state=0).fit(X)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(ae, f"{folder}/ae.safetensors")
    ...     same = load(f"{folder}/ae.safetensors")
    >>> bool((same.transform(X) == ae.transform(X)).all())
    True
    """
    writer = Writer()
    content = {"format": _FORMAT, "version": __version__, "estimator": writer.estimator(estimator)}
    content["digest"] = _digest(content["estimator"], writer.tensors)
    path = Path(path)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    try:
        save_file(writer.tensors, temporary, metadata={_KEY: json.dumps(content)})
        # A temporary file is readable by its owner only.
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def load(path, *, custom=None):
    """Load an estimator that :func:`save` wrote.

    Parameters
    ----------
    path : str or path-like
        The file.

    custom : dict of str to object, default=None
        What the file only names, by the name that it was saved under: for a function or class of
        your own (a penalty, a corruption, an encoder) the function or class; for a module that was
        given as ``encoder`` or ``decoder`` a callable without arguments that makes one of the same
        structure, whose weights come from the file. Nothing is imported by a name in the file.

    Returns
    -------
    estimator : estimator
        The estimator. What was fitted on a GPU comes back on the CPU where there is none.

    Raises
    ------
    ValueError
        If the file is damaged or not from :func:`save`, of a newer format, or names a part that
        is neither known nor in ``custom``.

    See Also
    --------
    save : Saves it.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn_ae import DropoutAutoencoder, load, save
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(DropoutAutoencoder(dropout=0.3), f"{folder}/ae.safetensors")
    ...     load(f"{folder}/ae.safetensors")
    DropoutAutoencoder(dropout=0.3)
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged or no file of safetensors: {error}") from error
    if _KEY not in metadata:
        raise ValueError(f"{path} was not written by sklearn_ae.save.")
    try:
        content = json.loads(metadata[_KEY])
        node, version = content["estimator"], content["version"]
        intact = content["digest"] == _digest(node, tensors)
        too_new = content["format"] > _FORMAT
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged: its header can't be read ({error}).") from error
    if too_new:
        raise ValueError(
            f"{path} is of format {content['format']}, written by sklearn-ae {version}; this "
            f"version, {__version__}, reads format {_FORMAT} at most. Update sklearn-ae."
        )
    if not intact:
        raise ValueError(f"{path} is damaged: its content does not match its digest.")
    reader = Reader(tensors, custom or {})
    estimator = reader.estimator(node)
    if version != __version__:
        warnings.warn(
            InconsistentVersionWarning(
                estimator_name=type(estimator).__name__,
                current_sklearn_version=__version__,
                original_sklearn_version=version,
            ),
            stacklevel=2,
        )
    return estimator


def _digest(node, tensors):
    digest = hashlib.sha256(json.dumps(node, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        if tensor.numel():
            digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
