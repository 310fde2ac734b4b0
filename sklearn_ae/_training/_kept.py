"""Fits that are kept: read where the same one was finished, gone on with where it was begun."""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import joblib
import numpy as np
import torch
from scipy import sparse
from sklearn.utils.validation import check_memory

from sklearn_ae._compute._portable import portable
from sklearn_ae._compute._rows import Rows
from sklearn_ae._sklearn._version import __version__
from sklearn_ae._sklearn._warnings import warn
from sklearn_ae._training._checkpoint import Checkpoint
from sklearn_ae._training._recipe import Recipe
from sklearn_ae._training._train import _restarts, train
from sklearn_ae._training._trained import Trained


def train_kept(
    memory: Any,
    architecture: Any,
    recipe: Recipe,
    rows: Rows,
    start: Trained | None = None,
    seen: Any = None,
    **kwargs: Any,
) -> Trained:
    """Train as :func:`train` does, or read what the same training has given before.

    Parameters
    ----------
    memory : str, path, joblib.Memory or None
        Where fits are kept.

    seen : object, default=None
        What else the training depends on.

    **kwargs : dict
        Further parameters of :func:`train`, as are the others.
    """
    store = None if start is not None or recipe.callbacks else _store(memory)
    if store is None:
        return train(architecture, recipe, rows, start, **kwargs)
    try:
        of_all, of_prefix = _fingerprints(architecture, recipe, rows, seen)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        warn(f"memory={memory!r} can't keep this fit, which has no fingerprint: {error.args[0]}.")
        return train(architecture, recipe, rows, start, **kwargs)
    checkpoint = None
    if hasattr(store, "store_backend"):
        folder = Path(store.store_backend.location) / "checkpoints"
        checkpoint = Checkpoint(folder, of_prefix or of_all, lasts=of_prefix is not None)
    made: list[Trained] = []

    def run() -> bytes:
        used, kept = checkpoint, checkpoint.read() if checkpoint else None
        if kept and len(kept[1]["history"]) > recipe.max_epochs:
            # That of a longer fit, which stays.
            used = kept = None
        trained = train(architecture, recipe, rows, checkpoint=used, kept=kept, **kwargs)
        made.append(trained)
        if trained.net.cut_short_ == "callback" and used is not None:
            # Gone on with, the same fit would end later.
            used.remove()
        if trained.net.cut_short_:
            # An exception is what joblib does not keep.
            raise _CutShort
        return _packed(trained)

    finished = store.cache(_finished, ignore=["run"])
    try:
        trained = _unpacked(finished(of_all, run))
        if trained is None:
            warn(f"A fit that is kept in {store.location} is damaged; it is done anew.")
            finished.call(of_all, run)
    except _CutShort:
        return made[0]
    if checkpoint is not None and of_prefix is None:
        checkpoint.remove()
    # What was trained just now, rather than a copy of it.
    return made[0] if made else cast("Trained", trained)


class _CutShort(Exception):
    """A training that ended before its time."""


def _finished(fingerprint: str, run: Any) -> bytes:
    """Return a finished training, packed; joblib keeps it by its fingerprint."""
    return run()


def _store(memory: Any) -> Any:
    """Return the memory of joblib to use, or None."""
    if memory is None:
        return None
    try:
        store = check_memory(str(memory) if isinstance(memory, Path) else memory)
    except OSError as error:
        warn(f"memory={memory!r} can't be written to, so no fit is kept: {error}.")
        return None
    return store if getattr(store, "location", memory) is not None else None


def _packed(trained: Trained) -> bytes:
    data = pickle.dumps(portable(trained.__getstate__()))
    return hashlib.sha256(data).digest() + data


def _unpacked(packed: bytes) -> Trained | None:
    """Return what was packed, or None where a byte of it has changed."""
    digest, data = packed[:32], packed[32:]
    return Trained(**pickle.loads(data)) if hashlib.sha256(data).digest() == digest else None


def _fingerprints(
    architecture: Any, recipe: Recipe, rows: Rows, seen: Any
) -> tuple[str, str | None]:
    """Return the fingerprint of a fit, and that of all fits that begin like it."""
    # What is only said, or only ends it early, shapes no fit.
    recipe = replace(recipe, verbose=0, callbacks=None, max_time=None)
    versions = (__version__, torch.__version__)
    data = {name: _plain(value) for name, value in sorted(vars(rows).items())}
    parts = portable({"architecture": architecture, "recipe": recipe})
    common = joblib.hash((versions, data, parts["architecture"], seen))

    def of(recipe: Any) -> str:
        return joblib.hash((common, recipe))

    prefix = None
    constant = recipe.learning_rate_schedule == "constant"
    if constant and not recipe.early_stopping and not _restarts(architecture):
        prefix = of(replace(parts["recipe"], max_epochs=0))
    return of(parts["recipe"]), prefix


def _plain(value: Any) -> Any:
    """Return a tensor as an array, a device as its kind, and all else as it is."""
    if isinstance(value, torch.Tensor):
        return value.detach().cpu().numpy()
    if isinstance(value, torch.device):
        return value.type
    if isinstance(value, torch.dtype):
        return str(value)
    if isinstance(value, tuple):
        return tuple(map(_plain, value))
    if isinstance(value, np.ndarray):
        # A file of joblib's is an array like any other.
        return value.view(np.ndarray)
    known = value is None or isinstance(value, list | bool | str)
    if not (known or sparse.issparse(value)):
        raise TypeError(f"X is {type(value).__name__}")
    return value
