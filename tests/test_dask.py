"""Dask arrays: lazy and bitwise as NumPy in transform, read block by block in fit."""

import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.datasets import load_digits
from sklearn.preprocessing import StandardScaler
from torch import nn

from sklearn_ae import (
    Autoencoder,
    AutoencoderClassifier,
    DenoisingAutoencoder,
    NativeColumns,
    PatchFeatures,
    SparseAutoencoder,
    TableFeatures,
)
from sklearn_ae._compute import _dask
from sklearn_ae._compute._rows import Batches
from sklearn_ae._estimators import _tables
from sklearn_ae.modules import TopK

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")

SMALL = {"n_components": 6, "max_epochs": 2, "batch_size": 16, "random_state": 0}
CHUNKS = ((0, 37, 64, 0, 100, 9, 150), (5, 3))

pytestmark = pytest.mark.filterwarnings("ignore:max_epochs=2 ended")


@pytest.fixture
def X():
    return np.random.default_rng(0).random((360, 8), np.float32)


@pytest.fixture
def blocks(X):
    return da.from_array(X, chunks=CHUNKS)


def rows_of(X, **kwargs):
    return _dask.DaskRows(X.rechunk({1: -1}), **kwargs)


@pytest.mark.parametrize("n_features", [1, 5, 7, 9, 33])
@pytest.mark.parametrize("n_components", [1, 8, 40])
def test_rows_have_the_same_codes_in_whatever_pieces_they_come(n_features, n_components):
    X = np.random.default_rng(0).random((400, n_features), np.float32)
    ae = Autoencoder(**{**SMALL, "n_components": n_components}).fit(X)
    codes = ae.transform(X)
    for size in (1, 16, 37, 133, 267):
        pieces = [ae.transform(X[start : start + size]) for start in range(0, 400, size)]
        np.testing.assert_array_equal(np.concatenate(pieces), codes)


@pytest.mark.parametrize("scheduler", ["threads", "synchronous"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8"])
@pytest.mark.parametrize(
    "params", [{}, {"features": "all", "hidden_layer_sizes": (12,)}, {"precision": "float64"}]
)
def test_blocks_are_encoded_as_arrays(X, dtype, params, scheduler):
    X = (X * (255 if dtype == "uint8" else 1)).astype(dtype)
    estimator = Autoencoder(**SMALL, **params).fit(X / X.max())
    codes = estimator.transform(da.from_array(X, chunks=CHUNKS))
    expected = estimator.transform(X)
    assert isinstance(codes, da.Array)
    assert (codes.shape, codes.dtype) == (expected.shape, expected.dtype)
    assert codes.chunks == (CHUNKS[0], (expected.shape[1],))
    assert type(codes._meta) is np.ndarray
    np.testing.assert_array_equal(codes.compute(scheduler=scheduler), expected)


def test_other_methods_are_lazy_too(make, X, blocks):
    estimator = make().fit(X)
    for method in ("reconstruct", "score_samples"):
        lazy = getattr(estimator, method)(blocks)
        expected = getattr(estimator, method)(X)
        assert lazy.chunks == (CHUNKS[0], *((n,) for n in expected.shape[1:]))
        np.testing.assert_array_equal(lazy.compute(), expected)
    decoded = estimator.inverse_transform(estimator.transform(blocks))
    expected = estimator.inverse_transform(estimator.transform(X))
    np.testing.assert_array_equal(decoded.compute(), expected)
    assert estimator.score(blocks) == pytest.approx(estimator.score(X))
    assert isinstance(estimator.score(blocks), float)


def test_sparse_codes_stay_sparse(X, blocks):
    estimator = SparseAutoencoder(**SMALL, sparse_output=True).fit(X)
    lazy = estimator.transform(blocks)
    assert sparse.issparse(lazy._meta)
    assert (lazy.compute() != estimator.transform(X)).nnz == 0


def test_patches_of_blocks():
    X = load_digits().data[:50] / 16
    features = PatchFeatures((8, 8), autoencoder=Autoencoder(**SMALL), patch_size=3).fit(X)
    lazy = features.transform(da.from_array(X, chunks=(20, 64)))
    np.testing.assert_array_equal(lazy.compute(), features.transform(X))
    estimator = AutoencoderClassifier(Autoencoder(**SMALL))
    with pytest.raises(TypeError, match=r"does not take a dask Array here: .* X\.compute\(\)"):
        estimator.fit(da.from_array(X), np.arange(50) % 2)


@pytest.mark.parametrize("n_patches", [100, 10_000])
def test_patches_are_drawn_from_blocks_as_from_arrays(n_patches):
    X = load_digits().data[:60] / 16
    patches = {"patch_size": 3, "n_patches": n_patches, "random_state": 0}
    features = PatchFeatures((8, 8), autoencoder=Autoencoder(**SMALL), **patches)
    expected = features.fit(X).transform(X)
    lazy = da.from_array(X, chunks=(17, 40))
    np.testing.assert_array_equal(features.fit(lazy).transform(X), expected)
    X[41, 3] = np.nan
    with pytest.raises(ValueError, match="NaN in row 41, column 3"):
        features.fit(da.from_array(X, chunks=(17, 40)))


def table(n_rows=400):
    pd = pytest.importorskip("pandas")
    rng = np.random.RandomState(0)
    frame = {"size": rng.rand(n_rows), "city": rng.choice(["Oslo", "Rome", None], n_rows)}
    frame = pd.DataFrame(frame).assign(day=pd.date_range("2020", periods=n_rows))
    frame.loc[::7, "size"] = np.nan
    return frame


def test_frames_are_encoded_and_filled_part_by_part():
    dd = pytest.importorskip("dask.dataframe")
    frame = dd.from_pandas(table(), npartitions=5)
    tables = TableFeatures(DenoisingAutoencoder(**SMALL), random_state=0).fit(frame)
    codes = tables.transform(frame)
    assert isinstance(codes, da.Array)
    assert codes.dtype == np.float32
    X = frame.compute()
    np.testing.assert_array_equal(codes.compute(), tables.transform(X))
    for method in (tables.impute, tables.reconstruct):
        lazy, expected = method(frame), method(X)
        assert lazy.dtypes.to_dict() == expected.dtypes.to_dict()
        assert lazy.compute().equals(expected)
    # A part without rows.
    assert tables.transform(frame[frame["size"] > 2]).compute().shape == (0, 6)
    same = TableFeatures(DenoisingAutoencoder(**SMALL), random_state=0).fit(X)
    np.testing.assert_array_equal(same.transform(X), codes.compute())


@pytest.mark.parametrize("n_files", [1, 3])
def test_frames_of_files_and_of_objects(n_files, tmp_path):
    dd = pytest.importorskip("dask.dataframe")
    X = table()
    tables = TableFeatures(Autoencoder(**SMALL), random_state=0).fit(X)
    files = [tmp_path / f"part{k}.parquet" for k in range(n_files)]
    for k, file in enumerate(files):
        X.iloc[k * 400 // n_files : (k + 1) * 400 // n_files].to_parquet(file)
    lazy = dd.read_parquet(files)
    np.testing.assert_array_equal(tables.transform(lazy).compute(), tables.transform(X))
    assert tables.impute(lazy).isna().sum().sum().compute() == 0
    X["day"] = X["day"].dt.date
    with dask.config.set({"dataframe.convert-string": False}):
        frame = dd.from_pandas(X, npartitions=3)
        tables.fit(frame)
        np.testing.assert_array_equal(tables.transform(frame).compute(), tables.transform(X))
        assert tables.impute(frame).compute()["day"].tolist() == X["day"].tolist()


def test_frames_with_a_vectorizer_that_takes_no_gaps():
    dd = pytest.importorskip("dask.dataframe")
    X = table()[["size"]].fillna(0)
    frame = dd.from_pandas(X, npartitions=3)
    tables = TableFeatures(Autoencoder(2, max_epochs=1), vectorizer=StandardScaler()).fit(frame)
    np.testing.assert_allclose(tables.transform(frame).compute(), tables.transform(X), rtol=1e-6)


def test_the_estimator_is_one_node_of_the_graph_of_frames():
    dd = pytest.importorskip("dask.dataframe")
    frame = dd.from_pandas(table(), npartitions=10)
    tables = TableFeatures(Autoencoder(1000, max_epochs=1)).fit(frame)
    graph = dict(tables.transform(frame).__dask_graph__())
    sizes = sorted(len(pickle.dumps(node)) for node in graph.values())
    assert sizes[-1] > 20_000
    assert sizes[-2] < sizes[-1] / 2


def test_tables_learn_from_a_sample_of_a_larger_frame(monkeypatch):
    dd = pytest.importorskip("dask.dataframe")
    monkeypatch.setattr(_tables, "_N_SAMPLED", 100)
    seen = []
    fit = Autoencoder.fit
    monkeypatch.setattr(Autoencoder, "fit", lambda ae, X, y=None: seen.append(len(X)) or fit(ae, X))
    frame = dd.from_pandas(table(), npartitions=5)
    codes = [
        TableFeatures(DenoisingAutoencoder(**SMALL), random_state=seed)
        .fit(frame)
        .transform(table())
        for seed in (0, 0, 1)
    ]
    assert 80 < seen[0] < 120
    np.testing.assert_array_equal(codes[0], codes[1])
    assert not np.array_equal(codes[0], codes[2])


def test_frames_that_do_not_fit():
    dd = pytest.importorskip("dask.dataframe")
    frame = dd.from_pandas(table(), npartitions=2)
    tables = TableFeatures(DenoisingAutoencoder(**SMALL)).fit(frame)
    with pytest.raises(ValueError, match="now missing:\n- day"):
        tables.transform(frame[["size", "city"]])
    for method in (tables.fit, tables.transform, tables.impute):
        with pytest.raises(TypeError, match="takes frames of dask, got Array"):
            method(da.zeros((3, 3)))
    with pytest.raises(TypeError, match=r"NativeColumns takes nothing of dask .* X\.compute\(\)"):
        NativeColumns().fit(frame)
    tables.set_output(transform="pandas")
    with pytest.raises(ValueError, match="set_output"):
        tables.transform(frame)


@pytest.mark.parametrize("n_lost", [1, 100, 5000])
def test_a_truncated_parquet_file_is_told_by_its_rows(X, n_lost, tmp_path):
    pd, dd = pytest.importorskip("pandas"), pytest.importorskip("dask.dataframe")
    files = [tmp_path / f"part{k}.parquet" for k in range(3)]
    for file, part in zip(files, np.split(X, 3), strict=True):
        pd.DataFrame(part).add_prefix("x").to_parquet(file)
    blocks = dd.read_parquet(files).to_dask_array(lengths=True)
    codes = Autoencoder(**SMALL).fit(blocks)
    before = codes.transform(X)
    files[1].write_bytes(files[1].read_bytes()[:-n_lost])
    with pytest.raises(ValueError, match=r"Rows 120 to 239 of X, its block 1, could not be comp"):
        codes.fit(blocks)
    np.testing.assert_array_equal(codes.transform(X), before)


def test_codes_are_those_of_the_estimator_as_it_was(X, blocks):
    estimator = Autoencoder(**SMALL, callbacks=[]).fit(X)
    lazy, expected = estimator.transform(blocks), estimator.transform(X)
    estimator.partial_fit(X)
    assert not np.array_equal(estimator.transform(X), expected)
    np.testing.assert_array_equal(lazy.compute(), expected)
    assert estimator.callbacks == []


def test_the_estimator_is_one_node_of_the_graph(X):
    estimator = Autoencoder(**{**SMALL, "n_components": 1000}).fit(X)
    graph = dict(estimator.transform(da.zeros((360, 8), chunks=(10, 8))).__dask_graph__())
    sizes = sorted(len(pickle.dumps(node)) for node in graph.values())
    assert len(sizes) > 36
    assert sizes[-1] > 2 * 4 * 8000 > 10_000 > sizes[-2]


@pytest.mark.parametrize("buffer", [0, 2**28], ids=["few", "all"])
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"early_stopping": True},
        {"hidden_layer_sizes": (7,)},
        {"activation": TopK(2, revive=True)},
        {"corruption_level": 0.2, "corruption": "swap"},
        {"loss": "binary_cross_entropy", "corruption_level": 0.2, "corruption": "salt_and_pepper"},
    ],
    ids=str,
)
def test_training_on_blocks_is_repeatable_and_as_good(X, blocks, params, buffer, monkeypatch):
    monkeypatch.setattr(_dask, "_BUFFER", buffer)
    params = {**SMALL, "max_epochs": 6, **params}
    first, again, in_memory = (Autoencoder(**params).fit(data) for data in (blocks, blocks, X))
    np.testing.assert_array_equal(first.transform(X), again.transform(X))
    assert first.n_iter_ == 6
    assert first.loss_curve_ == again.loss_curve_
    assert first.loss_curve_ == pytest.approx(in_memory.loss_curve_, rel=0.05)
    first.partial_fit(blocks)
    copied = pickle.loads(pickle.dumps(first))
    np.testing.assert_array_equal(copied.dead_components_, first.dead_components_)


@pytest.mark.parametrize("buffer", [0, 2**28], ids=["few", "all"])
@pytest.mark.parametrize("size", [1, 16, 51, 359, 360, 1000])
@pytest.mark.parametrize("some", [False, True], ids=["all", "subset"])
def test_an_epoch_has_every_row_once(X, blocks, buffer, size, some, monkeypatch):
    import torch

    monkeypatch.setattr(_dask, "_BUFFER", buffer)
    X[:, 0] = np.arange(360)
    rows = rows_of(da.from_array(X, chunks=CHUNKS))
    expected = np.arange(360)
    if some:
        expected = np.sort(np.random.default_rng(1).permutation(360)[:181])
        rows = rows.subset(torch.from_numpy(expected))
    assert len(rows) == len(expected)
    generator = torch.Generator().manual_seed(0)
    seen = []
    for drawn in (None, generator, generator):
        batches = Batches(rows, size, drawn)
        taken = [x for x, _ in batches]
        assert len(taken) == len(batches)
        full, rest = divmod(len(expected), batches.batch_size)
        sizes = [batches.batch_size] * full + [rest] * (rest > 0)
        if rest == 1 and full:
            sizes[-2:] = [batches.batch_size + 1]
        assert list(map(len, taken)) == sizes
        seen.append(torch.cat(taken)[:, 0].numpy())
        np.testing.assert_array_equal(np.sort(seen[-1]), expected)
    np.testing.assert_array_equal(seen[0], expected)
    assert not np.array_equal(seen[1], seen[2])
    # Not a block at a time.
    assert np.abs(np.diff(seen[1])).mean() > 20


def test_columns_are_known_from_one_pass(X, monkeypatch):
    read = []

    def watched(block):
        read.append(len(block))
        return block

    lazy = da.from_array(X, chunks=CHUNKS).rechunk({1: -1})
    lazy = lazy.map_blocks(watched, dtype=X.dtype, meta=np.empty((0, 0), X.dtype))
    rows = rows_of(lazy)
    assert sum(read) == 360
    np.testing.assert_allclose(rows.column_mean(), X.mean(axis=0), rtol=1e-6)
    np.testing.assert_array_equal(rows.column_range()[0], X.min(axis=0))
    np.testing.assert_array_equal(rows.column_range()[1], X.max(axis=0))
    np.testing.assert_allclose(rows.column_deviation(1000), X.std(axis=0), rtol=1e-5)
    np.testing.assert_array_equal(rows.sample(90), X[::4])
    monkeypatch.setattr(_dask, "_N_SAMPLED", 100)
    np.testing.assert_array_equal(rows_of(lazy).sample(1000), X[::3])
    assert sum(read) == 720


def test_type_of_blocks_is_kept(monkeypatch):
    X = np.random.default_rng(0).integers(0, 256, (60, 8), np.uint16)
    X[:, :4] //= 300
    rows = rows_of(da.from_array(X, chunks=(7, 8)))
    assert rows._sample.dtype == np.uint16
    taken = np.concatenate([x.numpy() for x, _ in Batches(rows, 8)])
    assert taken.dtype == np.float32
    np.testing.assert_array_equal(taken, X)


def test_threads_that_learn_from_blocks_do_not_share_random_numbers(X):
    encoder = nn.Sequential(nn.Linear(8, 6), nn.Dropout(0.3), nn.ReLU())

    def fit(seed):
        ae = Autoencoder(**{**SMALL, "random_state": seed}, encoder=encoder)
        return ae.fit(da.from_array(X, chunks=(40, 8))).loss_curve_

    expected = [fit(seed) for seed in range(3)]
    state = torch.get_rng_state()
    with ThreadPoolExecutor(3) as pool:
        assert [*pool.map(fit, range(3))] == expected
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(("value", "what"), [(np.nan, "NaN"), (np.inf, "infinity")])
def test_a_row_that_is_not_finite_is_named(X, value, what):
    X = np.tile(X, (4, 1))
    fitted = Autoencoder(**SMALL).fit(X)
    X[1203, 5] = value
    bad = da.from_array(X, chunks=(100, 4))
    before = pickle.dumps(vars(fitted)["_trained"])
    for fit in (Autoencoder(**SMALL).fit, fitted.fit, fitted.partial_fit, fitted.score):
        with pytest.raises(ValueError, match=rf"X contains {what}.* in row 1,203, column 5"):
            fit(bad)
    with pytest.raises(ValueError, match=rf"X contains {what}.* in row 1,203"):
        fitted.transform(bad).compute()
    assert pickle.dumps(vars(fitted)["_trained"]) == before


def broken(block, kind, block_info=None):
    first = block_info[0]["array-location"][0][0]
    if first != 200:
        return block
    if kind == "fails":
        raise OSError("truncated")
    return {"wide": np.c_[block, block], "float": block + 0.5, "sparse": sparse.csr_array(block)}[
        kind
    ]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("fails", r"Rows 200 to 299 of X, its block 2, could not be computed: OSError: truncated"),
        ("wide", r"block of X from row 200 .* shape \(100, 8\), got ndarray of shape \(100, 16\)"),
        ("float", r"block of X from row 200 .* should be of type int64, got float64"),
        ("sparse", r"block of X from row 200 .* NumPy array .*, got csr_array"),
    ],
)
def test_a_block_that_is_not_as_it_should_be(X, kind, message):
    whole = da.from_array((X[:350] * 9).astype(np.int64), chunks=(100, 8))
    bad = whole.map_blocks(broken, kind, dtype=whole.dtype, meta=whole._meta)
    fitted = Autoencoder(**SMALL).fit(whole)
    before = fitted.n_iter_, fitted.transform(X)
    for fit in (Autoencoder(**SMALL).fit, fitted.fit, fitted.partial_fit):
        with pytest.raises(ValueError, match=message):
            fit(bad)
    assert fitted.n_iter_ == before[0]
    np.testing.assert_array_equal(fitted.transform(X), before[1])
    if kind in ("wide", "sparse"):
        with pytest.raises(ValueError, match=message):
            fitted.transform(bad).compute()


def test_arrays_that_cannot_be_used(X, blocks):
    fitted = Autoencoder(**SMALL).fit(blocks)
    unknown = blocks.rechunk({1: -1})[blocks[:, 0] > 0.5]
    for given, error, message in [
        (unknown, ValueError, r"compute_chunk_sizes\(\).* to_dask_array\(lengths=True\)"),
        (blocks[:, :5], ValueError, r"X has 5 features, but Autoencoder is expecting 8"),
        (blocks.reshape(360, 2, 4), ValueError, r"2 dimensions, got 3 .* X\.reshape\(len\(X\)"),
        (blocks[:0], ValueError, r"shape \(0, 8\)"),
        (blocks.astype(complex), TypeError, "complex128"),
        (blocks.astype(object), TypeError, "object"),
        (da.ma.masked_less(blocks, 0.1), TypeError, "MaskedArray"),
        (blocks.map_blocks(sparse.csr_matrix), TypeError, "csr_matrix"),
    ]:
        for method in (fitted.transform, fitted.score, fitted.partial_fit):
            with pytest.raises(error, match=message):
                method(given)
    with pytest.raises(ValueError, match=r"5 columns, but inverse_transform .* expects the 6"):
        fitted.inverse_transform(blocks[:, :5])
    unknown.compute_chunk_sizes()
    assert fitted.transform(unknown).shape == (len(unknown), 6)


def test_a_frame_is_refused(X):
    pd, dd = pytest.importorskip("pandas"), pytest.importorskip("dask.dataframe")
    frame = dd.from_pandas(pd.DataFrame(X), npartitions=3)
    for method in (Autoencoder(**SMALL).fit, Autoencoder(**SMALL).fit(X).transform):
        with pytest.raises(TypeError, match=r"DataFrame: give X\.to_dask_array\(lengths=True\)"):
            method(frame)
    Autoencoder(**SMALL).fit(frame.to_dask_array(lengths=True))


def test_codes_of_a_dask_array_go_in_no_frame(X, blocks):
    estimator = Autoencoder(**SMALL).set_output(transform="pandas").fit(blocks)
    with pytest.raises(ValueError, match=r"set_output\(transform='default'\)"):
        estimator.transform(blocks)
    assert list(estimator.transform(X).columns[:1]) == ["autoencoder0"]
    np.testing.assert_array_equal(estimator.score_samples(blocks), estimator.score_samples(X))


def test_parameters_are_checked_against_blocks(X, blocks):
    with pytest.raises(ValueError, match=r"needs X in \[0, 1\], got values from -0\.\d+ to 1\.\d+"):
        Autoencoder(**SMALL, loss="binary_cross_entropy").fit(3 * blocks - 1)
    with pytest.warns(UserWarning, match="X is not scaled: 8 of 8"):
        Autoencoder(**SMALL).fit(1000 * blocks)


def test_corruption_changes_no_block(X):
    rows = da.from_array(X, chunks=(90, 8))
    DenoisingAutoencoder(**SMALL, corruption=lambda x, level, _: x.mul_(0)).fit(rows)
    assert X.any()


def test_dask_is_imported_by_its_users_only():
    code = (
        "import sys; import numpy as np; from sklearn_ae import Autoencoder;"
        "X = np.ones((20, 3)) * np.arange(20)[:, None] / 20;"
        "Autoencoder(2, max_epochs=1).fit(X).transform(X); sys.exit('dask' in sys.modules)"
    )
    subprocess.check_call([sys.executable, "-c", code])
