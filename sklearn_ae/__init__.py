"""Autoencoders as scikit-learn transformers: sparse, dropout and denoising."""

from sklearn_ae._estimators._autoencoder import Autoencoder
from sklearn_ae._estimators._classifier import AutoencoderClassifier
from sklearn_ae._estimators._denoising import DenoisingAutoencoder
from sklearn_ae._estimators._dropout import DropoutAutoencoder
from sklearn_ae._estimators._native import NativeColumns
from sklearn_ae._estimators._patches import PatchFeatures
from sklearn_ae._estimators._regressor import AutoencoderRegressor
from sklearn_ae._estimators._sparse import SparseAutoencoder
from sklearn_ae._estimators._tables import TableFeatures
from sklearn_ae._estimators._vote import make_table_vote
from sklearn_ae._sklearn._version import __version__
from sklearn_ae._training._objective import DivergenceError
from sklearn_ae.export import SKOPS_TRUSTED, to_onnx, to_torch

__all__ = [
    "SKOPS_TRUSTED",
    "Autoencoder",
    "AutoencoderClassifier",
    "AutoencoderRegressor",
    "DenoisingAutoencoder",
    "DivergenceError",
    "DropoutAutoencoder",
    "NativeColumns",
    "PatchFeatures",
    "SparseAutoencoder",
    "TableFeatures",
    "__version__",
    "make_table_vote",
    "to_onnx",
    "to_torch",
]
