"""Displays: what an autoencoder learned, as pictures. They need matplotlib."""

from sklearn_ae.plotting._code_sparsity import CodeSparsityDisplay
from sklearn_ae.plotting._comparison import ComparisonDisplay
from sklearn_ae.plotting._feature_examples import FeatureExamplesDisplay
from sklearn_ae.plotting._filters import FiltersDisplay
from sklearn_ae.plotting._loss_curve import LossCurveDisplay
from sklearn_ae.plotting._reconstruction import ReconstructionDisplay

__all__ = [
    "CodeSparsityDisplay",
    "ComparisonDisplay",
    "FeatureExamplesDisplay",
    "FiltersDisplay",
    "LossCurveDisplay",
    "ReconstructionDisplay",
]
