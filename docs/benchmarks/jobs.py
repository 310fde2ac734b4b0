"""What is measured in a process of its own: seconds and peak memory above the data."""

from __future__ import annotations

import numpy as np
import torch
from cases import fashion_pixels
from memory import MIB, measure
from scipy import sparse

from sklearn_ae import Autoencoder, SparseAutoencoder

__all__ = ["JOBS", "tf_idf_like"]


def tf_idf_like(n_rows, n_features, share=0.001, seed=0):
    """Return a CSR matrix of rows of unit norm, as tf-idf has them."""
    rng = np.random.default_rng(seed)
    n_filled = round(share * n_features)
    columns = rng.integers(0, n_features, n_rows * n_filled, dtype=np.int32)
    values = rng.random(n_rows * n_filled, dtype=np.float32) + np.float32(0.1)
    ends = np.arange(0, n_rows * n_filled + 1, n_filled, dtype=np.int32)
    X = sparse.csr_matrix((values, columns, ends), shape=(n_rows, n_features))
    X.sum_duplicates()
    norms = np.sqrt(X.multiply(X).sum(axis=1).A1)
    X.data /= np.repeat(norms, np.diff(X.indptr)).astype(np.float32)
    return X


def _warm_up():
    # Imports and buffers of a first fit are none of the call's own.
    X = np.random.default_rng(0).random((300, 20), dtype=np.float32)
    Autoencoder(8, max_epochs=1, random_state=0).fit(X).transform(X)
    X = tf_idf_like(300, 2000)
    codes = SparseAutoencoder(8, max_epochs=1, random_state=0, sparse_output=True).fit(X)
    codes.transform(X)


def transform(n_rows, sparse_output):
    """Encode Fashion-MNIST; the output's own size is told too."""
    _warm_up()
    X = fashion_pixels()[:n_rows]
    model = SparseAutoencoder(
        1024, max_epochs=1, batch_size=256, random_state=0, sparse_output=sparse_output
    )
    model.fit(X[:2000]).transform(X[:256])
    codes, seconds, peak = measure(lambda: model.transform(X))
    return {"seconds": seconds, "peak_mib": peak, "output_mib": _size(codes)}


def bare_transform(n_rows, batch_size):
    """Do the same by hand."""
    X, W = torch.from_numpy(fashion_pixels()[:n_rows]), torch.rand(784, 1024)
    b = torch.zeros(1024)

    def encode(X):
        codes = torch.empty(len(X), 1024)
        for start in range(0, len(X), batch_size):
            part = slice(start, start + batch_size)
            codes[part] = torch.relu(X[part] @ W + b)
        return codes.numpy()

    with torch.inference_mode():
        encode(X[:256])
        codes, seconds, peak = measure(lambda: encode(X))
    return {"seconds": seconds, "peak_mib": peak, "output_mib": _size(codes)}


def sparse_fit(n_rows, n_features, n_components):
    """Fit one epoch on CSR."""
    _warm_up()
    X = tf_idf_like(n_rows, n_features)
    model = SparseAutoencoder(n_components, alpha=0.1, max_epochs=1, random_state=0)
    _, seconds, peak = measure(lambda: model.fit(X))
    return {"seconds": seconds, "peak_mib": peak, "data_mib": _size(X)}


def sparse_transform(n_rows, n_features, n_components):
    """Encode CSR into CSR."""
    _warm_up()
    X = tf_idf_like(n_rows, n_features)
    model = SparseAutoencoder(
        n_components, alpha=0.1, max_epochs=1, random_state=0, sparse_output=True
    )
    model.fit(X[:512])
    codes, seconds, peak = measure(lambda: model.transform(X))
    return {"seconds": seconds, "peak_mib": peak, "output_mib": _size(codes)}


def scaling(n_rows, n_features, n_components, batch_size):
    """Fit dense rows; seconds are those of an epoch."""
    _warm_up()
    X = np.random.default_rng(0).random((n_rows, n_features), dtype=np.float32)
    model = Autoencoder(n_components, batch_size=batch_size, max_epochs=2, random_state=0)
    _, _, peak = measure(lambda: model.fit(X))
    return {"seconds": min(model.net_.history[:, "dur"]), "peak_mib": peak, "data_mib": _size(X)}


def _size(array):
    if sparse.issparse(array):
        return (array.data.nbytes + array.indices.nbytes + array.indptr.nbytes) / MIB
    return array.nbytes / MIB


JOBS = {
    "bare_transform": bare_transform,
    "scaling": scaling,
    "sparse_fit": sparse_fit,
    "sparse_transform": sparse_transform,
    "transform": transform,
}
