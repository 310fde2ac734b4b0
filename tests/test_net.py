"""The training loop: its lean way against skorch's own, callbacks, stacks, precision, threads."""

import copy
import pickle
import signal

import joblib
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from skorch.callbacks import (
    BatchScoring,
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    GradientNormClipping,
    LRScheduler,
    ProgressBar,
    TrainEndCheckpoint,
)

from sklearn_ae import Autoencoder, DenoisingAutoencoder, DropoutAutoencoder, SparseAutoencoder
from sklearn_ae._compute import _rows, _runtime
from sklearn_ae._training._net import ReconstructionNet
from sklearn_ae._training._objective import Objective
from sklearn_ae._training._recipe import Recipe
from sklearn_ae.modules import TopK
from sklearn_ae.modules._architecture import Architecture
from sklearn_ae.modules._autoencoder import stack_modules
from sklearn_ae.penalties import L1

CONFIGURATIONS = [
    Autoencoder(12, hidden_layer_sizes=(9,), weight_decay=0.01, tied_weights=True),
    SparseAutoencoder(12, alpha=0.2),
    SparseAutoencoder(12, activation=TopK(k=3), alpha=0.0, optimizer="sgd"),
    DropoutAutoencoder(12, learning_rate_schedule="constant"),
    DenoisingAutoencoder(12, corruption="swap", precision="float64"),
    Autoencoder(12, precision="bfloat16"),
]


@pytest.fixture(scope="module")
def X():
    return np.random.RandomState(0).rand(70, 8).astype(np.float32)


def weights(estimator):
    return [p.detach().numpy() for p in estimator.net_.module_.parameters()]


def small(**params):
    defaults = {"n_components": 6, "max_epochs": 4, "batch_size": 16, "random_state": 0}
    return Autoencoder(**(defaults | params))


class Listening(Callback):
    def on_batch_end(self, net, **kwargs):
        pass


@pytest.mark.parametrize("estimator", CONFIGURATIONS, ids=str)
def test_both_ways_give_the_same_bits(estimator, X):
    estimator = clone(estimator).set_params(max_epochs=3, batch_size=16, random_state=0)
    lean = clone(estimator).fit(X)
    listened = clone(estimator).set_params(callbacks=[Listening()]).fit(X)
    assert not lean.net_.hears_batches_
    assert listened.net_.hears_batches_
    for a, b in zip(weights(lean), weights(listened), strict=True):
        assert_array_equal(a, b)
    assert_allclose(lean.loss_curve_, listened.loss_curve_, rtol=1e-5)
    # Equal rows have equal codes in whatever pieces and at whatever address they come.
    aligned = torch.from_numpy(X[:64]).clone().numpy()
    assert_array_equal(lean.transform(aligned), lean.transform(X)[:64])


def test_callbacks_of_skorch_act(X, capsys):
    pytest.importorskip("tqdm")
    norms, rates = [], []

    class Watch(Callback):
        def on_grad_computed(self, net, named_parameters, **kwargs):
            grads = [p.grad.flatten() for _, p in named_parameters]
            norms.append(torch.linalg.vector_norm(torch.cat(grads)).item())

        def on_batch_end(self, net, training, **kwargs):
            if training:
                rates.append(net.optimizer_.param_groups[0]["lr"])

    class Count(Callback):
        def __init__(self):
            self.n_epochs = 0

        def on_epoch_end(self, net, **kwargs):
            self.n_epochs += 1

    def size(net, X, y):
        return float(net.module_.encoder(X).shape[0])

    callbacks = [
        GradientNormClipping(0.01),
        Watch(),
        LRScheduler(torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.5, step_every="batch"),
        BatchScoring(size, name="size", on_train=True),
        EpochScoring(lambda net, X, y: len(X), name="held_out", on_train=False, use_caching=False),
        ProgressBar(detect_notebook=False),
        ("count", Count()),
    ]
    params = {"learning_rate_schedule": "constant", "early_stopping": True}
    ae = small(callbacks=callbacks, validation_fraction=0.2, **params).fit(X)
    # 56 rows are three batches of 16 and one of 8, in each of four epochs.
    assert len(norms) == 4 * 4
    assert max(norms) < 0.011
    assert_allclose(rates, 1e-3 * 0.5 ** np.arange(16))
    # The score of batches is weighted by their sizes.
    assert ae.net_.history[:, "size"] == [pytest.approx((3 * 16 * 16 + 8 * 8) / 56)] * 4
    assert ae.net_.history[:, "held_out"] == [14] * 4
    # It starts a bar of four and one batches for each of the epochs.
    assert capsys.readouterr().err.count("0/5 [") >= 4
    # What the user gave is cloned.
    assert callbacks[-1][1].n_epochs == 0
    assert dict(ae.net_.callbacks_)["count"].n_epochs == 4


@pytest.mark.parametrize("kind", [Checkpoint, TrainEndCheckpoint])
def test_checkpoints_write_the_weights(kind, X, tmp_path):
    options = {"monitor": "train_loss_best"} if kind is Checkpoint else {}
    ae = small(callbacks=[kind(dirname=str(tmp_path), f_pickle=None, **options)]).fit(X)
    path = next(tmp_path.glob("*params.pt"))
    loaded = copy.deepcopy(ae.net_.module_)
    loaded.load_state_dict(torch.load(path, weights_only=True))
    rows = torch.from_numpy(X)
    for mine, other in zip(loaded(rows), ae.net_.module_(rows), strict=True):
        assert_allclose(mine.detach(), other.detach(), rtol=1e-5, atol=1e-6)


class StopAfter(Callback):
    def __init__(self, n_epochs, answer):
        self.n_epochs, self.answer = n_epochs, answer

    def on_epoch_end(self, net, **kwargs):
        return self.answer() if len(net.history) == self.n_epochs else None


def raise_interrupt():
    raise KeyboardInterrupt


def test_any_callback_ends_training(X):
    ways = [
        StopAfter(2, lambda: True),
        StopAfter(2, raise_interrupt),
        EarlyStopping(monitor="train_loss", patience=2, threshold=0.9),
    ]
    ends = [small(callbacks=[way, StopAfter(9, lambda: True)], max_epochs=9).fit(X) for way in ways]
    assert [ae.n_iter_ for ae in ends] == [2, 2, 3]
    assert_array_equal(ends[0].transform(X), ends[1].transform(X))


def test_a_stop_leaves_no_component_that_was_not_trained(X):
    stop = StopAfter(2, lambda: True)
    params = {"n_components": 64, "activation": TopK(2, revive=True), "max_epochs": 40}
    ae = small(**params, callbacks=[stop, KeepCodes(torch.from_numpy(X))]).fit(X)
    kept = dict(ae.net_.callbacks_)["KeepCodes"].kept
    assert_allclose(ae.transform(X), kept, rtol=1e-4, atol=1e-6)


class KeepCodes(Callback):
    def __init__(self, X):
        self.X = X

    def on_epoch_end(self, net, **kwargs):
        self.kept = net.module_.encoder(self.X).detach().numpy()


def test_ctrl_c_in_a_callback_is_raised_on(X):
    class Interrupted(Callback):
        def on_epoch_end(self, net, **kwargs):
            signal.raise_signal(signal.SIGINT)

    ae = small(callbacks=[Interrupted()])
    # A shell has a process in the background ignore it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            ae.fit(X)
    finally:
        signal.signal(signal.SIGINT, before)
    assert not hasattr(ae, "net_")


@pytest.mark.parametrize(
    ("alpha", "params"),
    [
        (0.0, {"tied_weights": True, "activation": "sigmoid"}),
        (0.3, {"hidden_layer_sizes": (5,), "activation": TopK(k=2)}),
    ],
    ids=["tied", "deep, top-k"],
)
def test_a_stack_trains_as_its_models_alone(alpha, params, X):
    torch.manual_seed(0)
    singles = [Architecture(8, 6, **params).build() for _ in range(3)]
    stack = stack_modules(singles)

    def trained(module):
        schedule = {"learning_rate": 1e-2, "learning_rate_schedule": "linear"}
        recipe = Recipe(penalty=L1(), alpha=alpha, batch_size=16, max_epochs=4, **schedule)
        order, noise = (torch.Generator().manual_seed(7) for _ in range(2))
        objective = Objective("squared_error", L1(), alpha)
        net = ReconstructionNet(module, objective, recipe=recipe, order=order, noise=noise)
        with _runtime.limited_threads(1):
            return net.initialize().fit_loop(X).module_

    together = trained(stack)
    output, codes = together(torch.from_numpy(X))
    weights_of_all = dict(together.named_parameters())
    for number, module in enumerate(singles):
        alone = trained(module)
        for name, weight in alone.named_parameters():
            assert_allclose(weights_of_all[name][number].detach(), weight.detach(), atol=1e-6)
        single_output, single_codes = alone(torch.from_numpy(X))
        assert_allclose(codes[number].detach(), single_codes.detach(), rtol=1e-5, atol=1e-5)
        assert_allclose(output[number].detach(), single_output.detach(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("precision", ["bfloat16", "auto"])
def test_lower_precision_learns_and_keeps_float32_weights(precision):
    X = np.random.RandomState(0).rand(500, 20).astype(np.float32)
    params = {"n_components": 64, "max_epochs": 30, "random_state": 0}
    exact = Autoencoder(**params).fit(X)
    lower = Autoencoder(precision=precision, **params).fit(X)
    assert {p.dtype for p in lower.net_.module_.parameters()} == {torch.float32}
    assert lower.transform(X).dtype == np.float32
    assert lower.score(X) > 1.3 * exact.score(X)
    if precision != "auto":
        assert not np.array_equal(lower.transform(X), exact.transform(X))


def test_lower_precision_casts_the_products_and_not_the_loss(X):
    seen = set()

    def watch(codes):
        seen.add(("codes", codes.dtype))
        return codes.sum() / len(codes)

    class Layer(torch.nn.Linear):
        def forward(self, x):
            out = super().forward(x)
            if self.training:
                seen.add(("product", out.dtype))
            return out

    small(encoder=Layer, penalty=watch, alpha=0.1, precision="bfloat16").fit(X)
    assert ("product", torch.bfloat16) in seen
    assert {dtype for name, dtype in seen if name == "codes"} == {torch.float32}


def test_auto_precision_asks_the_hardware(monkeypatch):
    cpu = torch.device("cpu")
    for probe in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, probe, lambda: False, raising=False)
    assert _runtime.resolve_precision("auto", cpu) is None
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True, raising=False)
    assert _runtime.resolve_precision("auto", cpu) is torch.bfloat16
    for capability, expected in [((7, 5), None), ((8, 0), torch.bfloat16)]:
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _, c=capability: c)
        assert _runtime.resolve_precision("auto", torch.device("cuda")) is expected


@pytest.fixture
def tall():
    return sparse.random(300, 60, density=0.1, format="csr", dtype=np.float32, random_state=0)


@pytest.mark.parametrize(
    "estimator",
    [
        small(alpha=0.1, hidden_layer_sizes=(7,)),
        small(corruption_level=0.3),
        small(precision="float64"),
    ],
    ids=str,
)
def test_sparse_rows_train_as_dense_ones(estimator, tall):
    dense = clone(estimator).fit(tall.toarray())
    from_csr = clone(estimator).fit(tall)
    for a, b in zip(weights(dense), weights(from_csr), strict=True):
        assert_allclose(a, b, atol=2e-5)
    assert_allclose(from_csr.transform(tall), from_csr.transform(tall.toarray()), atol=1e-5)
    assert_allclose(from_csr.score_samples(tall), from_csr.score_samples(tall.toarray()), rtol=1e-5)


@pytest.mark.parametrize("n_products", [1, 2**30])
def test_threads_are_limited_by_the_shape_and_restored(n_products):
    before, expected = torch.get_num_threads(), 1 if n_products == 1 else 3
    torch.set_num_threads(3)
    try:
        with _runtime.limited_threads(n_products):
            # A score in mid-training asks again.
            with _runtime.limited_threads(n_products):
                assert torch.get_num_threads() == expected
            assert torch.get_num_threads() == expected
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_workers_of_joblib_stay_within_the_cores(backend, X):
    def inside():
        small().fit(X)
        with _runtime.limited_threads(2**30):
            return torch.get_num_threads()

    before = torch.get_num_threads()
    with joblib.parallel_config(backend, n_jobs=2):
        counts = joblib.Parallel()(joblib.delayed(inside)() for _ in range(4))
    assert 2 * max(counts) <= max(2, joblib.cpu_count())
    if backend == "threading":
        assert set(counts) == {1}
    assert torch.get_num_threads() == before


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("estimator", CONFIGURATIONS, ids=str)
def test_cuda_trains_and_loads_as_the_cpu(estimator, X, monkeypatch):
    estimator = clone(estimator).set_params(max_epochs=3, random_state=0, device="cuda")
    codes = estimator.fit_transform(torch.from_numpy(X).cuda())
    # Masks and noise are drawn on the device: only without them is it the same training.
    if not (estimator.get_params().get("dropout") or "corruption" in estimator.get_params()):
        on_cpu = clone(estimator).set_params(device="cpu").fit_transform(X)
        tolerance = 0.05 if estimator.precision == "bfloat16" else 1e-4
        assert_allclose(codes, on_cpu, atol=tolerance * np.abs(on_cpu).max())
    loaded = pickle.loads(pickle.dumps(estimator))
    assert_allclose(loaded.transform(X), codes, rtol=1e-5, atol=1e-6)
    # What does not fit is streamed.
    at_once = estimator.fit(X).transform(X)
    monkeypatch.setattr(_rows, "fits", lambda n_bytes, device: False)
    assert_allclose(clone(estimator).fit(X).transform(X), at_once, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("n_bytes", "on_gpu"), [(500, True), (501, False)])
def test_only_half_of_a_gpu_is_taken_by_data(n_bytes, on_gpu, monkeypatch):
    memory = {"mem_get_info": (700, 2000), "memory_reserved": 500, "memory_allocated": 200}
    for name, value in memory.items():
        monkeypatch.setattr(torch.cuda, name, lambda device, value=value: value)
    assert _runtime.fits(n_bytes, torch.device("cuda")) is on_gpu
    assert _runtime.fits(n_bytes, torch.device("cpu"))
