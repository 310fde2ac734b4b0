"""Autoencoders as scikit-learn transformers: sparse, dropout and denoising."""

from sklearn_ae._autoencoder import Autoencoder
from sklearn_ae._denoising import DenoisingAutoencoder
from sklearn_ae._dropout import DropoutAutoencoder
from sklearn_ae._engine._objective import DivergenceError
from sklearn_ae._export import to_onnx, to_torch
from sklearn_ae._finetune import AutoencoderClassifier, AutoencoderRegressor
from sklearn_ae._patches import PatchFeatures
from sklearn_ae._persistence import load, save
from sklearn_ae._sparse import SparseAutoencoder
from sklearn_ae._version import __version__

__all__ = [
    "Autoencoder",
    "AutoencoderClassifier",
    "AutoencoderRegressor",
    "DenoisingAutoencoder",
    "DivergenceError",
    "DropoutAutoencoder",
    "PatchFeatures",
    "SparseAutoencoder",
    "__version__",
    "load",
    "save",
    "to_onnx",
    "to_torch",
]
