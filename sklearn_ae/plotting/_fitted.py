"""What displays read of a fitted estimator and of the rows of X; nothing is written to either."""

from __future__ import annotations

import numpy as np
import torch
from scipy import sparse
from sklearn.utils.validation import check_is_fitted

from sklearn_ae._estimators._inner import thawed
from sklearn_ae._sklearn._compat import check_matplotlib_support, safe_indexing


def checked_index(name, index, n, what):
    """Check that the parameter ``name`` chooses some of ``n`` things, and return it as an array."""
    array = np.atleast_1d(np.asarray(index))
    fits = array.ndim == 1 and array.size and array.dtype.kind in "iu"
    if not fits or array.min() < 0 or array.max() >= n:
        raise ValueError(
            f"{name}={index!r} must be integers from 0 to {n - 1}, as there are {n} {what}."
        )
    return array


def checked_estimator(display, estimator, *kinds):
    """Check that matplotlib is there and the estimator, maybe frozen, is fitted and of a kind."""
    check_matplotlib_support(f"{display.__name__}.from_estimator")
    estimator = thawed(estimator)
    if not isinstance(estimator, kinds):
        names = " or ".join(kind.__name__ for kind in kinds)
        raise TypeError(
            f"{display.__name__} takes a fitted {names}, got {estimator!r}. Of a pipeline give "
            "that step, and X as the step sees it."
        )
    check_is_fitted(estimator)
    return estimator


def codes_of(estimator, X):
    """Encode X, to an ndarray or CSR matrix whatever ``set_output`` asks for."""
    codes = estimator.transform(X)
    return codes.tocsr() if sparse.issparse(codes) else np.asarray(codes)


def frequency_of(codes):
    """Return the share of the rows on which each feature fires."""
    return np.asarray((codes != 0).sum(axis=0)).ravel() / codes.shape[0]


def use_of(codes):
    """Return how much each feature is used: its mean absolute code."""
    return np.asarray(abs(codes).mean(axis=0, dtype=np.float64)).ravel()


def rows_of(X, index):
    """Return a dense copy of a few rows of X."""
    if isinstance(X, torch.Tensor):
        return X[torch.as_tensor(index, device=X.device)].detach().double().cpu().numpy()
    rows = safe_indexing(X.tocsr() if sparse.issparse(X) else X, index)
    return np.array(rows.toarray() if sparse.issparse(rows) else rows)
