"""Labeled and unlabeled rows together in one X, through pipelines and searches."""

from sklearn_ae.semi_supervised._compare import Comparison, compare
from sklearn_ae.semi_supervised._labeled_only import LabeledOnly
from sklearn_ae.semi_supervised._labels import is_unlabeled
from sklearn_ae.semi_supervised._scorer import labeled_scorer
from sklearn_ae.semi_supervised._split import SemiSupervisedSplit
from sklearn_ae.semi_supervised._unlabeled_only import UnlabeledOnly

__all__ = [
    "Comparison",
    "LabeledOnly",
    "SemiSupervisedSplit",
    "UnlabeledOnly",
    "compare",
    "is_unlabeled",
    "labeled_scorer",
]
