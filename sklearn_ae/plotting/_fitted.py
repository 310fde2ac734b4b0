"""What displays read of a fitted estimator and of the rows of X; nothing is written to either."""

from __future__ import annotations

import numpy as np
import torch
from scipy import sparse
from sklearn.utils.validation import check_is_fitted

from sklearn_ae._inner import thawed
from sklearn_ae._patches import PatchFeatures
from sklearn_ae._validation import safe_indexing

__all__ = [
    "check_kind",
    "checked_index",
    "codes_of",
    "frequency_of",
    "image_shape_of",
    "rows_of",
    "use_of",
]


def checked_index(name, index, n, what):
    """Check that a parameter chooses some of what there is.

    Parameters
    ----------
    name : str
        The parameter.

    index : array-like of int
        Its value.

    n : int
        How many there are to choose from.

    what : str
        What they are, for messages.

    Returns
    -------
    index : ndarray of int of shape (n_chosen,)
        The choice.
    """
    array = np.atleast_1d(np.asarray(index))
    fits = array.ndim == 1 and array.size and array.dtype.kind in "iu"
    if not fits or array.min() < 0 or array.max() >= n:
        raise ValueError(
            f"{name}={index!r} must be integers from 0 to {n - 1}, as there are {n} {what}."
        )
    return array


def check_kind(estimator, kinds, caller):
    """Check that an estimator is of some kind, and fitted.

    Parameters
    ----------
    estimator : estimator
        The estimator, frozen or not.

    kinds : tuple of type
        What is taken.

    caller : str
        Who takes it, for messages.

    Returns
    -------
    estimator : estimator
        The estimator itself.
    """
    estimator = thawed(estimator)
    if not isinstance(estimator, kinds):
        names = " or ".join(kind.__name__ for kind in kinds)
        raise TypeError(
            f"{caller} takes a fitted {names}, got {estimator!r}. Of a pipeline give that step, "
            "and X as the step sees it."
        )
    check_is_fitted(estimator)
    return estimator


def image_shape_of(estimator, image_shape):
    """Return the shape of the rows of X: what was given, or what the estimator knows.

    Parameters
    ----------
    estimator : estimator
        The fitted estimator.

    image_shape : tuple of int or None
        What was given.

    Returns
    -------
    image_shape : tuple of int or None
        The shape.
    """
    if image_shape is None and isinstance(estimator, PatchFeatures):
        return estimator._shapes["shape"]
    return image_shape


def codes_of(estimator, X):
    """Encode X.

    Parameters
    ----------
    estimator : estimator
        A fitted transformer.

    X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, n_features)
        The data.

    Returns
    -------
    codes : ndarray or scipy.sparse CSR of shape (n_samples, n_codes)
        The codes, whatever container ``set_output`` asks for.
    """
    codes = estimator.transform(X)
    return codes.tocsr() if sparse.issparse(codes) else np.asarray(codes)


def frequency_of(codes):
    """Return the share of the rows on which each feature fires.

    Parameters
    ----------
    codes : ndarray or scipy.sparse CSR of shape (n_samples, n_codes)
        The codes.

    Returns
    -------
    frequency : ndarray of shape (n_codes,)
        Shares of codes that are not zero.
    """
    return np.asarray((codes != 0).sum(axis=0)).ravel() / codes.shape[0]


def use_of(codes):
    """Return how much each feature is used.

    Parameters
    ----------
    codes : ndarray or scipy.sparse CSR of shape (n_samples, n_codes)
        The codes.

    Returns
    -------
    use : ndarray of shape (n_codes,)
        Mean absolute codes.
    """
    return np.asarray(abs(codes).mean(axis=0, dtype=np.float64)).ravel()


def rows_of(X, index):
    """Return a few rows of X.

    Parameters
    ----------
    X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, n_features)
        The data.

    index : ndarray of shape (n_rows,)
        Which rows.

    Returns
    -------
    rows : ndarray of shape (n_rows, n_features)
        A copy.
    """
    if isinstance(X, torch.Tensor):
        return X[torch.as_tensor(index, device=X.device)].detach().double().cpu().numpy()
    rows = safe_indexing(X.tocsr() if sparse.issparse(X) else X, index)
    return np.array(rows.toarray() if sparse.issparse(rows) else rows)
