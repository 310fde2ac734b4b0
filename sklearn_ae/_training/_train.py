"""From an architecture, a recipe and rows to a trained network."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Any

import torch
from sklearn.exceptions import ConvergenceWarning
from torch import nn

from sklearn_ae._compute._inference import all_finite
from sklearn_ae._compute._rows import Rows
from sklearn_ae._compute._runtime import global_generators, limited_threads
from sklearn_ae._sklearn._warnings import warn
from sklearn_ae._training._checkpoint import Checkpoint, Checkpoints, restore
from sklearn_ae._training._checks import probe_parts, resolve_parts
from sklearn_ae._training._listeners import (
    BestWeights,
    EpochLine,
    Restarts,
    TaskOfEpoch,
    TimeLimit,
    copied_callbacks,
)
from sklearn_ae._training._net import EndOfTraining, ReconstructionNet
from sklearn_ae._training._objective import DivergenceError, Objective
from sklearn_ae._training._recipe import Recipe, SupervisedRecipe
from sklearn_ae._training._revival import start_alive, start_centered
from sklearn_ae._training._supervised import SupervisedNet
from sklearn_ae._training._trained import Trained, described
from sklearn_ae.modules._activations import TopK
from sklearn_ae.modules._architecture import Architecture
from sklearn_ae.modules._dense import set_center, start_as_transpose


def train(
    architecture: Any,
    recipe: Recipe,
    rows: Rows,
    start: Trained | None = None,
    tasks: Any = None,
    build: Callable[[], nn.Module] | None = None,
    checkpoint: Checkpoint | None = None,
    kept: tuple[dict[str, Any], dict[str, Any]] | None = None,
) -> Trained:
    """Train a new network, or a copy of an earlier one further.

    Parameters
    ----------
    architecture : Architecture or FineTunedArchitecture
        The network.

    recipe : Recipe
        How to train it.

    rows : Rows
        The training data, on the device.

    start : Trained, default=None
        Where to go on from. It is left as it is.

    tasks : EpochTasks, default=None
        What scikit-learn's callbacks are told of each epoch.

    build : callable, default=None
        Makes a new network; None stands for ``architecture.build``.

    checkpoint : Checkpoint, default=None
        Where training is kept until it is finished.

    kept : tuple of dict, default=None
        What the checkpoint held, to go on from.

    Returns
    -------
    trained : Trained
        The trained network.
    """
    with _prepared(architecture, recipe, rows, start, tasks, build, checkpoint) as net:
        net.notify("on_train_begin", X=rows, y=None)
        n_epochs = recipe.max_epochs
        if kept:
            n_epochs = restore(net, *kept)
        with torch.enable_grad(), suppress(EndOfTraining), _told_of(checkpoint):
            net.fit_loop(rows, epochs=n_epochs)
        net.notify("on_train_end", X=rows, y=None)
        _check_weights(net)
        if net.cut_short_ == "max_time":
            warn(
                f"max_time={recipe.max_time} ended training after {len(net.history)} of "
                f"{recipe.max_epochs} epochs.",
                ConvergenceWarning,
            )
        return described(net, architecture, start)


@contextmanager
def _told_of(checkpoint: Checkpoint | None) -> Iterator[None]:
    """Say where to go on from, when Ctrl-C ends training."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        if checkpoint is not None and checkpoint.path.exists():
            interrupt.add_note(
                f"The training is kept in {checkpoint.path}. The same fit goes on from there; with "
                "max_time=1 it gives what there is."
            )
        raise


def untrained(architecture: Architecture, recipe: Recipe, rows: Rows) -> Trained:
    """Build the network whose random weights :func:`train` would start from."""
    with _prepared(architecture, recipe, rows, trains=False) as net:
        return described(net, architecture)


@contextmanager
def _prepared(
    architecture: Any,
    recipe: Recipe,
    rows: Rows,
    start: Trained | None = None,
    tasks: Any = None,
    build: Callable[[], nn.Module] | None = None,
    checkpoint: Checkpoint | None = None,
    trains: bool = True,
) -> Iterator[ReconstructionNet]:
    """Make a net that is ready to be trained, and limit what work on it may use."""
    is_autoencoder = isinstance(architecture, Architecture)
    if is_autoencoder:
        recipe = resolve_parts(architecture, recipe, rows)
    restarts = _restarts(architecture)
    callbacks = _listeners(recipe, architecture, start, tasks, restarts)
    if checkpoint is not None:
        # The last to hear: what it keeps is what all others left.
        callbacks.append(("checkpoints", Checkpoints(checkpoint)))
    seeds = _seeds(recipe.seed)
    order, noise = _generators(rows.device, seeds, start)
    with (
        torch.inference_mode(False),
        _undisturbed(draws := _draws_globally(architecture, recipe), order, rows.device),
        limited_threads(min(len(rows), recipe.batch_size) * architecture.n_products),
    ):
        with global_generators(seeds["build"], rows.device), torch.device("cpu"):
            module = copy.deepcopy(start.module) if start else (build or architecture.build)()
        _place_weights(module, architecture, recipe, start)
        if trains and is_autoencoder and architecture.encoder is None:
            _center(module, architecture, recipe, rows, start)
        net = _net_of(
            module, recipe, order, noise,
            split_seed=start.split_seed if start else seeds["split"],
            counts_codes=bool(recipe.verbose) or restarts,
            callbacks=callbacks,
        )  # fmt: skip
        net.draws_globally_ = draws
        if start is not None:
            _restore_optimizer(net, start)
        if is_autoencoder:
            probe_parts(net, rows, architecture)
        yield net
        net._set_training(False)


def _net_of(
    module: nn.Module, recipe: Recipe, order: torch.Generator, noise: torch.Generator, **kwargs: Any
) -> ReconstructionNet:
    kind = SupervisedNet if isinstance(recipe, SupervisedRecipe) else ReconstructionNet
    objective = Objective(recipe.loss, recipe.penalty, recipe.alpha)
    return kind(module, objective, recipe=recipe, order=order, noise=noise, **kwargs).initialize()


def _seeds(seed: int) -> dict[str, int]:
    generator = torch.Generator("cpu").manual_seed(seed)
    numbers = torch.randint(2**62, (4,), generator=generator, device="cpu").tolist()
    return dict(zip(("build", "order", "noise", "split"), numbers, strict=True))


def _generators(
    device: torch.device, seeds: dict[str, int], start: Trained | None
) -> tuple[torch.Generator, torch.Generator]:
    """Make the generators of order and noise, from where an earlier training left them."""
    order = torch.Generator("cpu").manual_seed(seeds["order"])
    noise = torch.Generator(device).manual_seed(seeds["noise"])
    for name, generator in {"order": order, "noise": noise}.items():
        state = generator.get_state()
        # The state of a generator means nothing to one of another kind of device.
        if start is not None and start.generators[name].shape == state.shape:
            generator.set_state(torch.tensor(start.generators[name], device="cpu"))
    return order, noise


def _draws_globally(architecture: Any, recipe: Recipe) -> bool:
    """Whether code of the user's may draw from torch's global generators."""
    parts = [*architecture.user_parts, recipe.penalty, recipe.corruption]
    parts += [recipe.callbacks or None, getattr(recipe, "augmentation", None)]
    ours = (str, type(None))
    return any(
        not isinstance(part, ours)
        and (isinstance(part, nn.Module) or not type(part).__module__.startswith("sklearn_ae."))
        for part in parts
    )


def _undisturbed(draws: bool, order: torch.Generator, device: torch.device) -> Any:
    """Seed torch's global generators for code that may draw from them."""
    if not draws:
        return nullcontext()
    # The order of rows goes on from call to call; a copy of its generator leaves it as it is.
    copied = torch.Generator("cpu")
    copied.set_state(order.get_state())
    seed = int(torch.randint(2**62, (), generator=copied, device="cpu"))
    return global_generators(seed, device)


def _listeners(
    recipe: Recipe, architecture: Any, start: Trained | None, tasks: Any, restarts: bool
) -> list[Any]:
    own: list[Any] = []
    if recipe.early_stopping:
        # The first to hear, so that others see the best weights when training ends.
        stop = BestWeights(recipe.n_iter_no_change, recipe.tol, continues=start is not None)
        own.append(("early_stopping", stop))
    own += copied_callbacks(recipe)
    if restarts:
        own.append(("restarts", Restarts()))
    if recipe.verbose:
        own.append(("epoch_line", EpochLine()))
    if tasks is not None:
        # A callback may keep the estimator that it is given, and training goes on.
        snapshot = lambda net: described(net, architecture, start, goes_on=True)  # noqa: E731
        own.append(("tasks", TaskOfEpoch(tasks, snapshot)))
    if recipe.max_time is not None:
        own.append(("time_limit", TimeLimit(recipe.max_time)))
    return own


def _restarts(architecture: Any) -> bool:
    if not isinstance(architecture, Architecture):
        return False
    # Where weights are tied, a component draws what it looks for, at a length that suits neither.
    wanted = isinstance(architecture.activation, TopK) and architecture.activation.revive
    return wanted and architecture.is_built_in and not architecture.tied_weights


def _place_weights(module: Any, architecture: Any, recipe: Recipe, start: Trained | None) -> None:
    """Bring atoms to unit norm; let mirrors start where they have it or may start anew."""
    if recipe.unit_norm and hasattr(module.decoder, "normalize_atoms"):
        module.decoder.normalize_atoms()
    is_new = start is None and isinstance(architecture, Architecture)
    if is_new and _restarts(architecture):
        start_alive(module)
    elif is_new and recipe.unit_norm and architecture.is_built_in:
        start_as_transpose(module.encoder, module.decoder)


def _center(
    module: Any, architecture: Architecture, recipe: Recipe, rows: Rows, start: Trained | None
) -> None:
    """Train around the mean of the data, a trained network around the mean that it began with."""
    if start is None:
        start_centered(module, recipe, rows, has_own_decoder=architecture.decoder is None)
    else:
        known = start.center is not None
        center = torch.tensor(start.center, device="cpu") if known else rows.column_mean()
        set_center(module, center.to(start.usable_device))


def _restore_optimizer(net: ReconstructionNet, start: Trained) -> None:
    if start.optimizer is None or start.recipe.optimizer != net.recipe.optimizer:
        return
    for name, parameter in net.module_.named_parameters():
        net.optimizer_.state[parameter] = {
            key: torch.tensor(value, device=parameter.device)
            for key, value in start.optimizer.get(name, {}).items()
        }


def _check_weights(net: ReconstructionNet) -> None:
    for name, weight in net.module_.named_parameters():
        if not all_finite(weight.detach()):
            raise DivergenceError(
                f"Training diverged: after epoch {len(net.history)} {name} is not finite, at a "
                f"loss of {net.history[-1, 'train_loss']:.3g}. Scale the input (StandardScaler, "
                "MinMaxScaler) or lower learning_rate."
            )


def restored_net(trained: Trained) -> ReconstructionNet:
    """Return a net that holds a trained network, its history and nothing else."""
    order, noise = torch.Generator("cpu"), torch.Generator(trained.usable_device)
    net = _net_of(trained.module, trained.recipe, order, noise)
    for epoch in trained.history:
        net.history.new_epoch()
        for name, value in epoch.items():
            net.history.record(name, value)
    net._set_training(False)
    return net
