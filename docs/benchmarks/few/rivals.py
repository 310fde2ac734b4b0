"""Features that others would use, as functions from images to features."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from sklearn.cluster import MiniBatchKMeans
from sklearn.decomposition import PCA, MiniBatchNMF
from sklearn.neural_network import BernoulliRBM

from sklearn_ae import PatchFeatures, SparseAutoencoder
from sklearn_ae.modules._patch import normalize_contrast

__all__ = ["kmeans_patches", "nmf", "pca", "rbm"]


def pca(X, n_components=50):
    """Return principal components."""
    return PCA(n_components, random_state=0).fit(X).transform


def nmf(X, n_components=100):
    """Return a nonnegative dictionary, learned in mini-batches."""
    return MiniBatchNMF(n_components, batch_size=1024, max_iter=20, random_state=0).fit(X).transform


def rbm(X, n_components=256, n_iter=5):
    """Return the hidden units of a restricted Boltzmann machine."""
    model = BernoulliRBM(n_components, learning_rate=0.02, batch_size=100, n_iter=n_iter,
                         random_state=0)  # fmt: skip
    return model.fit(X).transform


def kmeans_patches(X, n_components=256, image_shape=(28, 28)):
    """Return triangle activations of k-means on whitened patches (Coates, Lee & Ng 2011).

    Patches, whitening and regions are those of PatchFeatures at its defaults.
    """
    patches = PatchFeatures(image_shape, SparseAutoencoder(2, max_epochs=1), random_state=0)
    network = patches.fit(X)._trained.module
    rows = torch.from_numpy(X[:: max(1, len(X) // 3000)])
    cut = network._patches(rows)
    index = torch.randperm(len(cut), generator=torch.Generator().manual_seed(0))[:200_000]
    whitened = network._whitened(normalize_contrast(cut[index], patches.contrast_epsilon))
    kmeans = MiniBatchKMeans(n_components, batch_size=4096, n_init=3, max_iter=50, random_state=0)
    centers = torch.from_numpy(kmeans.fit(whitened.numpy()).cluster_centers_.astype(np.float32))
    norms = centers.square().sum(dim=1)

    def triangle(whitened):
        squares = whitened.square().sum(dim=1, keepdim=True)
        distance = (squares + norms - 2 * whitened @ centers.T).clamp_min(0).sqrt()
        return torch.relu(distance.mean(dim=1, keepdim=True) - distance)

    network.architecture = replace(network.architecture, threshold=None)
    network.encoder = triangle_module(triangle)

    @torch.inference_mode()
    def encode(X):
        return np.vstack([network(torch.from_numpy(part)).numpy() for part in _parts(X)])

    return encode


def triangle_module(function):
    """Wrap a function as a module."""

    class Triangle(torch.nn.Module):
        def forward(self, x):
            return function(x)

    return Triangle()


def _parts(X, n_rows=16):
    return (X[start : start + n_rows] for start in range(0, len(X), n_rows))
