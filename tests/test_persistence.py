"""Files of skops, pickles and hashes: every estimator comes back bit by bit, as plain data."""

import copy
import dataclasses
import pickle
import pickletools
import subprocess
import sys

import joblib
import numpy as np
import pytest
import skops.io as sio
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from torch import nn
from xgboost import XGBClassifier

from sklearn_ae import (
    SKOPS_TRUSTED,
    Autoencoder,
    AutoencoderClassifier,
    AutoencoderRegressor,
    DenoisingAutoencoder,
    DropoutAutoencoder,
    PatchFeatures,
    SparseAutoencoder,
    TableFeatures,
    make_table_vote,
)
from sklearn_ae._training._trained import Trained
from sklearn_ae.augmentations import ShiftAndFlip
from sklearn_ae.corruptions import (
    Gaps,
    GaussianNoise,
    Masking,
    RegionBlanking,
    SaltAndPepper,
    SwapNoise,
)
from sklearn_ae.modules import ConvEncoder, TopK
from sklearn_ae.penalties import L1, L2, KLDivergence
from sklearn_ae.semi_supervised import (
    LabeledOnly,
    SemiSupervisedSplit,
    UnlabeledOnly,
    labeled_scorer,
)

SMALL = {"n_components": 6, "max_epochs": 2, "random_state": 0}
PATCHES = PatchFeatures(
    (2, 3), SparseAutoencoder(5, max_epochs=1), patch_size=2, pool=1, random_state=0
)
CONV = DenoisingAutoencoder(
    **SMALL, encoder=ConvEncoder((2, 3), n_channels=(2,), pool=(1, 1)),
    corruption=RegionBlanking(image_shape=(2, 3)),
)  # fmt: skip
ESTIMATORS = {
    "plain": Autoencoder(**SMALL, hidden_layer_sizes=[4], activation="tanh", features="all"),
    "tied": Autoencoder(**SMALL, tied_weights=True, warm_start=True, early_stopping=True),
    "double": Autoencoder(**SMALL, precision="float64", loss="huber"),
    "topk": SparseAutoencoder(**SMALL, activation=TopK(k=2), alpha=0.0),
    "l1": SparseAutoencoder(**SMALL, penalty=L1(), sparse_output=True),
    "l2": SparseAutoencoder(**SMALL, penalty=L2()),
    "kl": SparseAutoencoder(**SMALL, penalty=KLDivergence(rho=0.1), activation="sigmoid"),
    "dropout": DropoutAutoencoder(**SMALL),
    "mean": DenoisingAutoencoder(**SMALL, corruption=Masking(fill="mean")),
    "gaussian": DenoisingAutoencoder(**SMALL, corruption=GaussianNoise()),
    "extremes": DenoisingAutoencoder(**SMALL, corruption=SaltAndPepper()),
    "groups": DenoisingAutoencoder(**SMALL, corruption=SwapNoise(groups=[[0, 1], (2, 3)])),
    "gaps": DenoisingAutoencoder(**SMALL, corruption=Gaps([[0, 1]], fill=np.zeros(6))),
    "conv": CONV,
    "patches": PATCHES,
    "frozen patches": PatchFeatures(
        (2, 3), FrozenEstimator(SparseAutoencoder(5, max_epochs=1).fit(np.eye(4))), patch_size=2,
        pool=1, encoding="codes", random_state=0,
    ),
    "tables": TableFeatures(
        DenoisingAutoencoder(**SMALL, corruption="swap", features="all"), random_state=0
    ),
    "classifier": AutoencoderClassifier(
        SparseAutoencoder(**SMALL), head_hidden_layer_sizes=(4, 3), max_epochs=2, random_state=0,
        unlabeled=-1, class_weight={0: 1.0, 1: 2.0, 2: 0.5}, reconstruction_weight=0.5,
    ),
    "regressor": AutoencoderRegressor(PATCHES, max_epochs=2, random_state=0, unlabeled=np.nan),
    "augmented": AutoencoderClassifier(
        CONV, max_epochs=2, random_state=0, augmentation=ShiftAndFlip((2, 3), max_shift=1)
    ),
    "stacked": AutoencoderClassifier(
        make_pipeline(DenoisingAutoencoder(**SMALL), FrozenEstimator(DropoutAutoencoder(3).fit(
            np.eye(6)))), max_epochs=2, random_state=0,
    ),
}  # fmt: skip


@pytest.fixture
def data():
    rng = np.random.RandomState(0)
    return rng.uniform(size=(30, 6)).astype(np.float32), rng.randint(3, size=30)


def outputs(estimator, X):
    methods = ("transform", "reconstruct", "predict_proba", "predict")
    results = [getattr(estimator, name)(X) for name in methods if hasattr(estimator, name)]
    assert results
    return [r.toarray() if hasattr(r, "toarray") else r for r in results]


def assert_same_outputs(a, b, X):
    for ours, theirs in zip(outputs(a, X), outputs(b, X), strict=True):
        assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype


def by_skops(estimator):
    return sio.loads(sio.dumps(estimator), trusted=SKOPS_TRUSTED)


def by_pickle(estimator):
    return pickle.loads(pickle.dumps(estimator))


def modules_in(pickled):
    """Return the packages that a pickle names, whichever opcode names them."""
    strings, modules = [], set()
    for opcode, argument, _ in pickletools.genops(pickled):
        if opcode.name == "GLOBAL":
            modules.add(argument.split()[0])
        elif opcode.name == "STACK_GLOBAL":
            modules.update(strings[-2:])
        if isinstance(argument, str):
            strings.append(argument)
    return {name.partition(".")[0] for name in modules}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_skops_pickles_and_hashes(name, data):
    X, y = data
    fitted = clone(ESTIMATORS[name]).set_params(random_state=0).fit(X, y)
    pickled = pickle.dumps(fitted, protocol=4)
    same = by_skops(fitted)
    assert repr(same) == repr(fitted)
    assert_same_outputs(same, fitted, X)
    assert_same_outputs(pickle.loads(pickled), fitted, X)
    assert not modules_in(pickled) & {"torch", "skorch"}
    assert "torch" in modules_in(pickle.dumps(nn.ReLU(), protocol=4))
    for attribute in ("n_iter_", "loss_curve_", "n_features_in_", "validation_loss_curve_"):
        assert getattr(same, attribute, None) == getattr(fitted, attribute, None)
    # What was loaded can be written, copied and fitted like any other.
    assert_same_outputs(by_skops(same), fitted, X)
    assert_same_outputs(pickle.loads(pickle.dumps(same)), fitted, X)
    again = clone(same).fit(X, y)
    assert_same_outputs(again, fitted, X)
    # XGBoost's neighbors in a pipeline's cache go by this; a clock in the state would spoil it.
    assert joblib.hash(again) == joblib.hash(fitted)
    assert joblib.hash(again.fit(X[1:], y[1:])) != joblib.hash(fitted)
    if hasattr(same, "partial_fit"):
        assert_same_outputs(same.partial_fit(X), pickle.loads(pickled).partial_fit(X), X)


def test_every_name_that_skops_is_told_to_trust_is_needed_and_ours(data):
    X, y = data
    asked = set()
    for estimator in ESTIMATORS.values():
        asked |= set(sio.get_untrusted_types(data=sio.dumps(clone(estimator).fit(X, y))))
        asked |= set(sio.get_untrusted_types(data=sio.dumps(clone(estimator))))
    pipe = make_pipeline(Autoencoder(), LabeledOnly(MinMaxScaler()))
    asked |= set(sio.get_untrusted_types(data=sio.dumps(pipe)))
    cv, scoring = SemiSupervisedSplit(3), labeled_scorer("accuracy")
    search = GridSearchCV(LabeledOnly(LogisticRegression()), {}, cv=cv, scoring=scoring)
    pretrained = UnlabeledOnly(MinMaxScaler())
    vote = make_table_vote(XGBClassifier(n_estimators=2), ESTIMATORS["tables"])
    vote.fit(X, y)
    for made in (search, pretrained, vote):
        names = sio.get_untrusted_types(data=sio.dumps(made))
        asked |= {name for name in names if name.startswith("sklearn_ae.")}
    loaded = sio.loads(sio.dumps(vote), trusted=[*names, *SKOPS_TRUSTED])
    assert_array_equal(loaded.predict_proba(X), vote.predict_proba(X))
    assert sorted(SKOPS_TRUSTED) == sorted(asked)
    assert all(name.startswith("sklearn_ae.") for name in SKOPS_TRUSTED)


def test_a_pipeline_with_xgboost_in_one_file(data):
    X, y = data
    few = np.where(np.arange(30) < 20, y, -1)
    last = LabeledOnly(XGBClassifier(n_estimators=5, max_depth=2))
    pipe = make_pipeline(MinMaxScaler(), SparseAutoencoder(**SMALL), last).fit(X, few)
    file = sio.dumps(pipe)
    theirs = set(sio.get_untrusted_types(data=file)) - set(SKOPS_TRUSTED)
    assert all(name.startswith(("xgboost.", "builtins.")) for name in theirs)
    same = sio.loads(file, trusted=[*SKOPS_TRUSTED, *theirs])
    assert_array_equal(same.predict_proba(X), pipe.predict_proba(X))


@pytest.mark.parametrize("road", [by_skops, copy.deepcopy, by_pickle])
def test_what_was_fitted_is_kept_apart_from_what_is_set_later(road, data):
    X, _ = data
    ae = DenoisingAutoencoder(**SMALL, loss="binary_cross_entropy", hidden_layer_sizes=(5,)).fit(X)
    expected = outputs(ae, X), ae.score(X), list(ae.get_feature_names_out())
    ae.set_params(loss="huber", n_components=9, features="all", corruption="swap", precision="auto")
    for each in (ae, road(ae)):
        assert_array_equal(outputs(each, X)[1], expected[0][1])
        assert_array_equal(each.transform(X), expected[0][0])
        assert each.score(X) == expected[1]
        assert list(each.get_feature_names_out()) == expected[2]
    assert ae.fit(X).transform(X).shape == (30, 14)


def test_a_trained_network_is_plain_data_that_looking_at_the_net_does_not_change(data):
    X, _ = data
    same = by_pickle(ESTIMATORS["mean"].fit(X))
    before, trained = same.reconstruct(X), same._trained
    assert isinstance(trained, Trained)
    with pytest.raises(dataclasses.FrozenInstanceError):
        trained.weights = {}
    assert {type(w) for w in trained.weights.values()} == {np.ndarray}
    assert [set(epoch) for epoch in trained.history] == [{"train_loss"}] * 2
    assert len(same.net_.history) == 2
    assert_array_equal(same.reconstruct(X), before)


def shared():
    layer = nn.Linear(6, 6)
    return nn.Sequential(layer, nn.ReLU(), layer)


@pytest.mark.parametrize(
    ("kind", "road"),
    [("tied", by_skops), ("tied", by_pickle), ("module", by_skops), ("module", copy.deepcopy)],
)
def test_ties_survive(kind, road, data):
    X, _ = data
    encoder = shared() if kind == "module" else None
    ae = Autoencoder(
        **SMALL, tied_weights=kind == "tied", encoder=encoder, warm_start=True
    ).fit(X)  # fmt: skip
    if road is by_skops and kind == "module":
        file = sio.dumps(ae)
        same = sio.loads(file, trusted=sio.get_untrusted_types(data=file))
    else:
        same = road(ae)
    assert_same_outputs(same, ae, X)
    same.partial_fit(X)
    module = same.net_.module_
    if kind == "tied":
        assert module.encoder.layers[0].weight is module.decoder.layers[0].weight
    else:
        assert module.encoder[0] is module.encoder[2]
    assert_same_outputs(ae.partial_fit(X), same, X)


def test_tied_weights_take_no_more_room():
    X = np.random.RandomState(0).rand(20, 100)
    params = {"n_components": 80, "max_epochs": 1, "random_state": 0}
    tied = len(pickle.dumps(Autoencoder(tied_weights=True, **params).fit(X)))
    untied = len(pickle.dumps(Autoencoder(**params).fit(X)))
    assert untied - tied > 0.9 * 80 * 100 * 4


def test_another_version_is_told(data):
    fitted = ESTIMATORS["plain"].fit(data[0])
    state = fitted.__getstate__() | {"_sklearn_ae_version": "0.0.1"}
    with pytest.warns(InconsistentVersionWarning, match=r"0\.0\.1"):
        Autoencoder().__setstate__(state)


def test_a_file_is_read_in_a_new_process(data, tmp_path):
    X, y = data
    fitted = clone(ESTIMATORS["classifier"]).fit(X, y)
    sio.dump(fitted, tmp_path / "model.skops")
    np.save(tmp_path / "X.npy", X)
    code = (
        "import sys, numpy as np, skops.io as sio, sklearn_ae as s\n"
        f"model = sio.load({str(tmp_path / 'model.skops')!r}, trusted=s.SKOPS_TRUSTED)\n"
        f"proba = model.predict_proba(np.load({str(tmp_path / 'X.npy')!r}))\n"
        f"np.save({str(tmp_path / 'proba.npy')!r}, proba)\n"
        "assert 'skorch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert_array_equal(np.load(tmp_path / "proba.npy"), fitted.predict_proba(X))


@dataclasses.dataclass
class TowardsMean:
    share: float = 1.0
    n_calls: int = dataclasses.field(init=False, default=0)

    def prepare(self, rows):
        self.mean_ = rows.column_mean()
        return self

    def __call__(self, X, level, generator):
        return X * (1 - level) + level * self.share * self.mean_


def test_a_corruption_of_the_users_keeps_what_it_learned(data):
    X, _ = data
    ae = DenoisingAutoencoder(**SMALL, corruption=TowardsMean()).fit(X)
    for same in (copy.deepcopy(ae), pickle.loads(pickle.dumps(ae))):
        learned = same._trained.recipe.corruption.mean_
        np.testing.assert_allclose(learned, X.mean(axis=0), rtol=1e-5)
        assert_same_outputs(same, ae, X)
