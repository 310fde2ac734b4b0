"""Labeled and unlabeled rows together in one X, through pipelines and searches."""

from sklearn_ae.semi_supervised._compare import Comparison, compare
from sklearn_ae.semi_supervised._labeled_only import LabeledOnly
from sklearn_ae.semi_supervised._labels import is_unlabeled
from sklearn_ae.semi_supervised._scorer import labeled_scorer
from sklearn_ae.semi_supervised._split import SemiSupervisedSplit

__all__ = [
    "Comparison",
    "LabeledOnly",
    "SemiSupervisedSplit",
    "compare",
    "is_unlabeled",
    "labeled_scorer",
]
