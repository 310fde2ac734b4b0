"""Transformers that are fitted on the unlabeled rows."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, StandardScaler

from sklearn_ae import SparseAutoencoder
from sklearn_ae.semi_supervised import SemiSupervisedSplit, UnlabeledOnly

X = np.random.RandomState(0).rand(60, 5)
Y = np.where(np.arange(60) % 3, -1, np.arange(60) % 2)


@pytest.mark.parametrize("container", [np.asarray, pd.DataFrame, sparse.csr_array])
def test_it_fits_on_the_unlabeled_rows_and_transforms_all(container):
    data = container(X)
    made = UnlabeledOnly(MaxAbsScaler()).fit_transform(data, Y)
    expected = MaxAbsScaler().fit(X[Y == -1]).transform(X)
    assert_allclose(made.toarray() if sparse.issparse(made) else made, expected)
    marked = pd.Series(Y).where(Y >= 0).astype("Int64")
    assert_array_equal(UnlabeledOnly(MaxAbsScaler()).fit(X, marked).transform(X), expected)


def test_every_fold_learns_from_the_same_rows():
    scales = [
        UnlabeledOnly(StandardScaler()).fit(X[train], Y[train]).transformer_.mean_
        for train, _ in SemiSupervisedSplit(4).split(X, Y)
    ]
    assert_array_equal(scales, [scales[0]] * 4)


def test_names_and_containers_are_those_of_the_transformer():
    codes = make_pipeline(StandardScaler(), SparseAutoencoder(3, max_epochs=1))
    frame = pd.DataFrame(X, columns=list("abcde"))
    wrapped = UnlabeledOnly(codes).set_output(transform="pandas")
    made = clone(wrapped).fit_transform(frame, Y)
    assert list(made) == ["sparseautoencoder0", "sparseautoencoder1", "sparseautoencoder2"]
    wrapped.fit(frame, Y)
    assert wrapped.n_features_in_ == 5
    assert list(wrapped.feature_names_in_) == list("abcde")
    assert list(wrapped.get_feature_names_out()) == list(made)


def test_without_unlabeled_rows_it_says_so():
    with pytest.raises(ValueError, match="No row of y is unlabeled"):
        UnlabeledOnly(StandardScaler()).fit(X, np.zeros(60, int))
