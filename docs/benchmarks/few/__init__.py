"""The tables of few_labels.py, one a module."""

from few import boosting, curves, finetuned, zoo

__all__ = ["TABLES"]

TABLES = {
    "features": boosting.features,
    "own_defaults": boosting.own_defaults,
    "settings": boosting.settings,
    "finetuned": finetuned.finetuned,
    "zoo": zoo.zoo,
    "labels": curves.labels,
    "unlabeled": curves.unlabeled,
}
