"""Messages about data say which columns they mean, and what to do."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from sklearn_ae import AutoencoderClassifier, PatchFeatures, SparseAutoencoder

X = pd.DataFrame(np.random.default_rng(0).random((12, 4)), columns=["age", "rooms", "rent", "tax"])


def with_entry(value):
    array = X.to_numpy().astype(object)
    array[3, 2] = value
    return array


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (X.assign(rent="high"), ValueError, "in column 'rent': .*'high'.*OneHotEncoder"),
        (X.assign(tax=pd.Categorical(["a", "b"] * 6)), ValueError, "in column 'tax'"),
        (X.assign(age=pd.Timestamp("2020-01-01")), TypeError, "in column 'age'"),
        (pl.DataFrame({"a": ["x"] * 12, "b": [1.0] * 12}), ValueError, "in column 'a'"),
        (with_entry("many"), ValueError, "in column 2: .*'many'"),
        (with_entry(np.nan).astype(float), ValueError, "NaN, in column 2.*SimpleImputer"),
        (X.assign(rooms=pd.array([1, None] * 6, dtype="Int64")), ValueError, "in column 'rooms'"),
        (pd.DataFrame(np.full((12, 7), np.nan)), ValueError, "columns 0, 1, 2, 3, 4 and 2 others"),
        (np.zeros((12, 4, 4, 3)), ValueError, r"dim 4.*X\.reshape\(len\(X\), -1\)"),
        (
            np.zeros((12, 3, 9, 9)),
            ValueError,
            r"X\.transpose\(0, 2, 3, 1\)\.reshape\(len\(X\), -1\)",
        ),
    ],
)
def test_it_names_the_column_and_a_remedy(given, error, message):
    with pytest.raises(error, match=message):
        SparseAutoencoder(3, max_epochs=1).fit(given)


def test_so_do_the_other_estimators_and_methods():
    text = X.assign(rent="high")
    with pytest.raises(ValueError, match=r"PatchFeatures takes numbers.*'rent'"):
        PatchFeatures((2, 2), patch_size=1, pool=1).fit(text)
    with pytest.raises(ValueError, match=r"AutoencoderClassifier takes numbers.*'rent'"):
        AutoencoderClassifier().fit(text, [0, 1] * 6)
    ae = SparseAutoencoder(3, max_epochs=1).fit(X)
    with pytest.raises(ValueError, match="'rent'"):
        ae.transform(text)
    # What is wrong with the names is said as scikit-learn says it.
    with pytest.raises(ValueError, match=r"^The feature names should match"):
        ae.transform(text.rename(columns={"age": "years"}))


def test_the_remedy_is_not_another_estimator():
    with pytest.raises(ValueError, match="NaN") as raised:
        SparseAutoencoder(3).fit(with_entry(np.nan).astype(float))
    assert "HistGradientBoosting" not in str(raised.value)
