"""The autoencoder with every part; its variants show some of the parameters only."""

from __future__ import annotations

import os
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_random_state

from sklearn_ae._compute._dask import lazily
from sklearn_ae._compute._rows import Rows
from sklearn_ae._compute._runtime import PRECISIONS, resolve_device
from sklearn_ae._estimators._base import TrainedMixin, describe_module, fitting
from sklearn_ae._estimators._warnings import warn_of_codes, warn_of_scale, warn_unfinished
from sklearn_ae._sklearn._callbacks import epoch_tasks
from sklearn_ae._sklearn._checks import (
    check_codes,
    check_data,
    check_sparse_output,
    check_widths,
    is_dask,
)
from sklearn_ae._sklearn._compat import (
    HasMethods,
    Interval,
    StrOptions,
    check_feature_names_in,
    fit_context,
)
from sklearn_ae._training._objective import LOSSES
from sklearn_ae._training._recipe import Recipe
from sklearn_ae._training._trained import rows_for
from sklearn_ae.corruptions import CORRUPTIONS
from sklearn_ae.modules._activations import ACTIVATIONS
from sklearn_ae.modules._architecture import Architecture, dtype_of
from sklearn_ae.modules._dense import DenseEncoder
from sklearn_ae.penalties import PENALTIES


class Autoencoder(TrainedMixin, TransformerMixin, BaseEstimator):
    r"""An autoencoder with every regularizer, all of them off by default.

    A network encodes each row into ``n_components`` codes and decodes them into the row again; the
    codes are the features. Wider than its input and unregularized, it is the plain baseline that
    can copy. With more than one strength above 0 it combines its three variants, which show only
    their own.

    Parameters
    ----------
    n_components : int, default=256
        Width of the code, the number of features that come out. More than ``n_features_in_`` is
        usual here: the regularizer, not the width, keeps the network from copying its input.

    hidden_layer_sizes : tuple of int, default=()
        Widths of further encoder layers between input and code, mirrored in the decoder. Unused by
        a part that is given as ``encoder`` or ``decoder``.

    activation : str or callable, default="relu"
        Activation of the code and of the hidden layers: ``"elu"``, ``"gelu"``, ``"identity"``,
        ``"leaky_relu"``, ``"relu"``, ``"sigmoid"``, ``"silu"``, ``"softplus"`` or ``"tanh"``.
        :class:`~sklearn_ae.modules.TopK` keeps the k largest codes of each row; hidden layers are
        relu then. Any function or module from a tensor to one of its shape will do. Unused by a
        given ``encoder``. Combine top-k with ``alpha=0``: it makes codes sparse by itself.

    tied_weights : bool, default=False
        Whether the decoder uses the encoder's weights, transposed. Must be False when ``encoder``
        or ``decoder`` is given; modules that share a weight stay tied by themselves.

    encoder : torch.nn.Module or callable, default=None
        What takes the place of the built-in encoder: a module from rows of width
        ``n_features_in_`` to codes of width ``n_components``, or a callable
        ``(n_features_in, n_components) -> module``. A module is copied, never changed; training
        starts from its weights, and those with ``requires_grad=False`` stay. What it learns must
        be parameters or buffers: pickles hold nothing else. It leaves
        ``activation`` and ``hidden_layer_sizes`` to the built-in decoder alone; an encoder with a
        method ``make_decoder()``, as :class:`~sklearn_ae.modules.ConvEncoder` makes it, brings its
        own decoder, and then neither is used.

    decoder : torch.nn.Module or callable, default=None
        What takes the place of the built-in decoder: a module from codes to rows of width
        ``n_features_in_``, or a callable ``(n_features_in, n_components) -> module``. Under
        ``loss="binary_cross_entropy"`` it gives logits. Its weights are not kept at unit norm
        unless it has a method ``normalize_atoms()``.

    loss : {"squared_error", "binary_cross_entropy", "huber"}, default="squared_error"
        Reconstruction loss, summed over features: half the squared error, the cross-entropy (X in
        [0, 1] only), or half the squared error that turns linear beyond 1.

    penalty : {"l1", "l2", "kl"} or callable, default="l1"
        Penalty on the activations of the code: see :mod:`sklearn_ae.penalties`. ``"kl"`` needs
        ``activation="sigmoid"``. An object such as ``KLDivergence(rho=0.1)`` sets what shapes it.

    alpha : float, default=0.0
        Strength of the penalty; 0 turns it off. It means what it means in
        :class:`~sklearn.decomposition.DictionaryLearning` and depends on the scale of X: scale
        before. See Notes.

    dropout : float, default=0.0
        Share of the codes that are dropped, drawn anew for every row and step, in training only;
        in [0, 1). The codes that are kept are scaled by ``1 / (1 - dropout)``.

    corruption : str or callable, default="masking"
        What is done to the input in training, ``"masking"``, ``"gaussian"``, ``"salt_and_pepper"``,
        ``"swap"`` or ``"gaps"``; the target is the clean input. See :mod:`sklearn_ae.corruptions`;
        ``RegionBlanking(image_shape=(28, 28))`` blanks rectangles.

    corruption_level : float, default=0.0
        Strength of the corruption; 0 turns it off. The standard deviation of Gaussian noise, in
        units of X, or the share of the entries (of the area) that are corrupted, in [0, 1].

    optimizer : {"adam", "adamw", "sgd"}, default="adam"
        Optimizer of torch, with its defaults but for the two parameters below.

    learning_rate : float, default=1e-3
        Learning rate, at the start when the schedule is linear.

    learning_rate_schedule : {"constant", "linear"}, default="linear"
        Linear: falls to 0, step by step, over ``max_epochs``.

    weight_decay : float, default=0.0
        L2 penalty of the optimizer on all weights and biases; decoupled in ``"adamw"``.

    batch_size : int, default=128
        Rows in a batch, at most all of them. A last batch of one row joins the one before it.

    max_epochs : int, default=50
        Passes through the training data.

    max_time : float, default=None
        Seconds that a fit may take; it ends with the epoch in which they are over, with a warning.

    early_stopping : bool, default=False
        Whether to hold out ``validation_fraction`` of the rows, to stop when their loss has not
        improved by ``tol`` for ``n_iter_no_change`` epochs, and to go back to the best weights.

    validation_fraction : float, default=0.1
        Share of the rows that is held out under early stopping, in (0, 1).

    n_iter_no_change : int, default=10
        Epochs without improvement until training stops early.

    tol : float, default=1e-4
        What the validation loss must fall by to count as an improvement, in units of the loss.

    callbacks : list of skorch callbacks, default=None
        Callbacks, or tuples of a name and a callback, that skorch runs within the training loop.
        They are copied for each fit. One whose ``on_epoch_end`` returns True ends training; those
        that hear of batches make it slower.

    device : str or torch.device, default="auto"
        ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``; ``"auto"`` takes the current CUDA device
        where there is one, else the CPU.

    precision : {"float32", "bfloat16", "auto", "float64"}, default="float32"
        Type of the matrix products in training. ``"auto"`` takes bfloat16 where the hardware has it
        (CPU with AVX512-BF16 or AMX, CUDA capability 8) and float32 elsewhere. Weights, loss and
        codes stay float32, except under ``"float64"``, which is the type of everything.

    features : {"code", "all"}, default="code"
        What :meth:`transform` gives: the code, or the codes of all layers of the built-in encoder
        side by side, hidden ones first, with columns named by layer.

    sparse_output : bool, default=False
        Whether :meth:`transform` returns a CSR matrix, for a linear model when most codes are zero.
        XGBoost takes the absent entries of a sparse matrix for missing values, not for zeros:
        never train it on one kind and apply it to the other.

    warm_start : bool, default=False
        Whether ``fit`` goes on from the fitted network, with the state of the optimizer and of the
        random numbers, instead of starting anew.

    memory : str, path, joblib.Memory or None, default=None
        Where fits are kept, by all that shapes them, ``random_state`` and data included. The same
        fit is then read, and one that was interrupted goes on from its last checkpoint. Fits
        without ``random_state``, with ``callbacks`` or from a ``warm_start`` are not kept.

    verbose : int, default=0
        0 is silent, 1 prints a line an epoch.

    random_state : int, RandomState instance or None, default=None
        Seed of initial weights, order, dropout and corruption. An int gives bitwise equal results
        on the CPU. Global generators are neither used nor changed.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features)
        Weights of the encoder. Only where the encoder is one built-in dense layer.

    dead_components_ : ndarray of bool of shape (n_components,)
        Whether the code of each component is zero for every row of the X that was last fitted.

    net_ : skorch.NeuralNet
        The trained net; ``net_.module_`` is the torch module, with ``encoder`` and ``decoder``.

    n_features_in_ : int
        Number of features seen during :term:`fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during :term:`fit`, if they are all strings.

    n_iter_ : int
        Epochs of the last :meth:`fit`, and passes of :meth:`partial_fit` since.

    loss_curve_ : list of float
        What is minimized, averaged over the training rows, for each epoch.

    penalty_curve_ : list of float or None
        The part of ``loss_curve_`` that is the penalty, ``alpha`` times its mean over the rows;
        None where ``alpha`` is 0.

    validation_loss_curve_ : list of float or None
        The same of the rows held out, without corruption and dropout; None without early
        stopping, and NaN for epochs without.

    See Also
    --------
    SparseAutoencoder : With a penalty on the codes.
    DropoutAutoencoder : With dropout on the codes.
    DenoisingAutoencoder : With a corrupted input.
    sklearn.decomposition.PCA : The linear autoencoder with fewer components than features.

    Notes
    -----
    What is minimized is the mean over rows of

    .. math:: L(x_i, \hat x_i) + \alpha\, \Omega(h_i)

    with the clean row :math:`x_i`, its reconstruction :math:`\hat x_i`, its codes :math:`h_i`, the
    loss :math:`L`, summed over features, and the penalty :math:`\Omega`, summed over components.

    ``alpha`` therefore does not depend on the number of rows or on ``batch_size``. It does depend
    on the scale of X: a code grows in proportion to X, so X times c needs ``alpha`` times c for
    equally sparse codes. With more components the same ``alpha`` leaves about as many codes of a
    row active, so a larger share of them is zero. A penalty that could be cheated by small codes
    and a large decoder (``"l1"``, ``"l2"``) comes with decoder atoms of unit norm.

    Codes are float32 arrays of NumPy whatever came in, torch tensors included. Scale the
    features first: the loss sums over them, so large ones win.

    References
    ----------
    .. [1] Vincent, P. et al. (2010). Stacked denoising autoencoders: learning useful
       representations in a deep network with a local denoising criterion. JMLR 11.
    .. [2] Ng, A. (2011). Sparse autoencoder. CS294A lecture notes, Stanford University.
    .. [3] Srivastava, N. et al. (2014). Dropout: a simple way to prevent neural networks from
       overfitting. JMLR 15.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.preprocessing import minmax_scale
    >>> from sklearn_ae import Autoencoder
    >>> X = minmax_scale(load_digits().data)
    >>> both = Autoencoder(128, dropout=0.3, corruption_level=0.2, max_epochs=5, random_state=0)
    >>> both.fit_transform(X).shape
    (1797, 128)
    """

    _parameter_constraints: dict = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "hidden_layer_sizes": [tuple, list],
        "activation": [StrOptions(set(ACTIVATIONS)), callable],
        "tied_weights": ["boolean"],
        "encoder": [callable, None],
        "decoder": [callable, None],
        "loss": [StrOptions(set(LOSSES))],
        "penalty": [StrOptions(set(PENALTIES)), callable],
        "alpha": [Interval(Real, 0, np.inf, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "corruption": [StrOptions(set(CORRUPTIONS)), callable],
        "corruption_level": [Interval(Real, 0, np.inf, closed="left")],
        "optimizer": [StrOptions({"adam", "adamw", "sgd"})],
        "learning_rate": [Interval(Real, 0, np.inf, closed="neither")],
        "learning_rate_schedule": [StrOptions({"constant", "linear"})],
        "weight_decay": [Interval(Real, 0, np.inf, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "max_time": [Interval(Real, 0, None, closed="neither"), None],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, np.inf, closed="left")],
        "callbacks": [list, tuple, None],
        "device": [str, torch.device],
        "precision": [StrOptions(set(PRECISIONS))],
        "features": [StrOptions({"all", "code"})],
        "sparse_output": ["boolean"],
        "warm_start": ["boolean"],
        "memory": [str, os.PathLike, HasMethods(["cache"]), None],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_components=256,
        *,
        hidden_layer_sizes=(),
        activation="relu",
        tied_weights=False,
        encoder=None,
        decoder=None,
        loss="squared_error",
        penalty="l1",
        alpha=0.0,
        dropout=0.0,
        corruption="masking",
        corruption_level=0.0,
        optimizer="adam",
        learning_rate=1e-3,
        learning_rate_schedule="linear",
        weight_decay=0.0,
        batch_size=128,
        max_epochs=50,
        max_time=None,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        tol=1e-4,
        callbacks=None,
        device="auto",
        precision="float32",
        features="code",
        sparse_output=False,
        warm_start=False,
        memory=None,
        verbose=0,
        random_state=None,
    ):
        self.n_components = n_components
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.tied_weights = tied_weights
        self.encoder = encoder
        self.decoder = decoder
        self.loss = loss
        self.penalty = penalty
        self.alpha = alpha
        self.dropout = dropout
        self.corruption = corruption
        self.corruption_level = corruption_level
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.learning_rate_schedule = learning_rate_schedule
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.max_time = max_time
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.callbacks = callbacks
        self.device = device
        self.precision = precision
        self.features = features
        self.sparse_output = sparse_output
        self.warm_start = warm_start
        self.memory = memory
        self.verbose = verbose
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Learn the features.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor, dask array} of shape (n_samples, n_features)
            The training data. A sparse matrix becomes dense a batch at a time; a dask array is
            read block by block, once to check it and once an epoch. What is masked in a
            :class:`numpy.ma.MaskedArray` is left out of the loss; the network still sees its data.

        y : None
            Ignored.

        Returns
        -------
        self : object
            The fitted transformer.

        Raises
        ------
        ValueError
            If a parameter or X can't be used, before training starts.

        DivergenceError
            If the loss stops being finite. The estimator is then as it was before.

        Warns
        -----
        UserWarning
            If some columns of X outweigh all others; if codes are zero or the same for all rows.

        ConvergenceWarning
            If under early stopping the validation loss still fell when the epochs were over.
        """
        context = self._init_callback_context(max_subtasks=self.max_epochs)
        start = self._trained if self.warm_start and "_trained" in vars(self) else None
        with fitting(self):
            rows = self._train(X, y, start, context, keep_optimizer=self.warm_start)
            self._dead, silent = self._trained.inspect(rows)
            warn_of_codes(self, silent, len(rows))
            warn_unfinished(self._trained)
        return self

    @fit_context(prefer_skip_nested_validation=False)
    def partial_fit(self, X, y=None):
        """Go through X once more, in batches, from where the last fit ended.

        The state of the optimizer and of the random numbers is kept, in copies and pickles too
        unless the estimator was last trained by ``fit`` with ``warm_start=False``. Neither early
        stopping nor ``learning_rate_schedule`` applies: all steps are taken at ``learning_rate``.
        A corruption that learns from the training data learns from this X.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor, dask array} of shape (n_samples, n_features)
            The training data of this pass.

        y : None
            Ignored.

        Returns
        -------
        self : object
            The fitted transformer.

        Raises
        ------
        ValueError
            If X has other features than before, or if a parameter that shapes the network was
            changed since: call ``fit`` to start anew.
        """
        context = self._init_callback_context(task_name="partial_fit", max_subtasks=1)
        once = {
            "max_epochs": 1,
            "max_time": None,
            "early_stopping": False,
            "learning_rate_schedule": "constant",
        }
        start, n_before = vars(self).get("_trained"), vars(self).get("n_iter_", 0)
        with fitting(self):
            self._validate_params()
            rows = self._train(X, y, start, context, n_before, keep_optimizer=True, **once)
            # Dead components are looked for when they are asked for.
            self._dead = rows.copied()
        return self

    def transform(self, X):
        """Encode X; nothing is corrupted or dropped out.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor, dask array} of shape (n_samples, n_features)
            The data.

        Returns
        -------
        codes : ndarray, scipy.sparse.csr_matrix or dask array of shape (n_samples, n_components)
            The codes, and under ``features="all"`` those of the hidden layers before them; float32
            (float64 under ``precision="float64"``), sparse under ``sparse_output=True``. Those of a
            dask array are computed when they are asked for, here and in the methods below.
        """
        check_sparse_output(self)
        X, trained = self._check_X(X), self._trained
        if is_dask(X):
            return lazily(self, "transform", X)
        architecture, encoder = trained.architecture, trained.module.encoder
        encode = encoder.all_codes if architecture.gives_all else encoder
        shape = (architecture.n_features_out,)
        return trained.apply(encode, X, shape, sparse_output=self.sparse_output)

    def inverse_transform(self, X):
        """Decode codes.

        Parameters
        ----------
        X : {array-like, dask array} of shape (n_samples, n_components)
            The codes. Under ``features="all"`` what :meth:`transform` gives, of which the last
            ``n_components`` columns are decoded.

        Returns
        -------
        X_original : ndarray or dask array of shape (n_samples, n_features)
            The reconstruction, in the units of the training data.

        Raises
        ------
        ValueError
            If X is not as wide as the codes.
        """
        architecture = self._fitted.architecture
        width = architecture.n_features_out
        codes = check_codes(self, X, dtype=architecture.dtype, n_components=width)
        if is_dask(codes):
            return lazily(self, "inverse_transform", codes)
        codes = codes[:, width - architecture.n_components :]
        shape = (self.n_features_in_,)
        return self._trained.apply(self._trained.decode, codes, shape, sparse_input=False)

    def reconstruct(self, X):
        """Encode and decode X.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor, dask array} of shape (n_samples, n_features)
            The data.

        Returns
        -------
        X_reconstructed : ndarray or dask array of shape (n_samples, n_features)
            What the network makes of X, in the units of X.
        """
        X = self._check_X(X)
        if is_dask(X):
            return lazily(self, "reconstruct", X)
        return self._trained.apply(self._trained.reconstruct, X, (self.n_features_in_,))

    def score_samples(self, X):
        """Return minus the mean squared reconstruction error of each row, whatever ``loss`` is.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor, dask array} of shape (n_samples, n_features)
            The data.

        Returns
        -------
        scores : ndarray or dask array of shape (n_samples,)
            Higher is better; 0 is a perfect copy.
        """
        X = self._check_X(X)
        if is_dask(X):
            return lazily(self, "score_samples", X)

        def minus_error(x, clean):
            return (self._trained.reconstruct(x) - clean).square().mean(dim=1).neg()

        return self._trained.apply(minus_error, X, with_target=True)

    def score(self, X, y=None):
        """Return the mean of :meth:`score_samples`.

        It knows nothing of the task behind: without regularization and with more components it
        always rises. Tune strengths and widths by the score of the step behind.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor, dask array} of shape (n_samples, n_features)
            The data.

        y : None
            Ignored.

        Returns
        -------
        score : float
            Minus the mean squared error over all entries; higher is better.
        """
        return float(np.mean(self.score_samples(X), dtype=np.float64))

    @property
    def components_(self):
        """Weights of the encoder where it is one dense layer."""
        encoder = self._fitted.module.encoder
        if not isinstance(encoder, DenseEncoder) or len(encoder.layers) > 1:
            raise AttributeError("components_ exists only for an encoder of one dense layer.")
        return encoder.layers[0].weight.detach().cpu().numpy().copy()

    @property
    def dead_components_(self):
        """Whether the code of each component is zero for every row that was last fitted."""
        _ = self._fitted
        if isinstance(self._dead, Rows):
            self._dead, _ = self._trained.inspect(self._dead)
        return self._dead

    @property
    def penalty_curve_(self):
        """The part of the loss that is the penalty, for each epoch."""
        return self._fitted.curve("train_penalty")

    def get_feature_names_out(self, input_features=None):
        """Get the names of the codes.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Only compared with the names seen in :term:`fit`.

        Returns
        -------
        feature_names_out : ndarray of str objects of shape (n_features_out,)
            The name of the class in lower case, then the number of the code; with
            ``features="all"`` as in ``_layer0_17``, and with an encoder that names its codes as it
            does.
        """
        trained, name = self._fitted, type(self).__name__.lower()
        check_feature_names_in(self, input_features, generate_names=False)
        suffixes = trained.architecture.code_names(trained.module.encoder)
        return np.asarray([f"{name}{suffix}" for suffix in suffixes], dtype=object)

    def _check_X(self, X):
        dtype = self._fitted.architecture.dtype
        return check_data(self, X, dtype=dtype, reset=False, accept_dask=True)

    def _prepared(self, X, start=None, **changes):
        """Return what training needs: the architecture, the recipe, and X as rows."""
        check_widths(self, "hidden_layer_sizes")
        check_sparse_output(self)
        device = resolve_device(self.device, self.precision)
        mask = X.mask if np.ma.isMaskedArray(X) and np.ma.is_masked(X) else None
        dtype = dtype_of(self.precision)
        X = check_data(self, X, dtype=dtype, reset=start is None, accept_dask=True)
        architecture = Architecture.of(self, X.shape[1])
        self._check_unchanged(architecture, start)
        rng = check_random_state(self.random_state)
        seed = start.recipe.seed if start else rng.randint(np.iinfo(np.int32).max)
        recipe = Recipe.of(self, seed=seed, **changes)
        # What corrupts may not be sparse, and may work in place.
        corrupts = bool(recipe.corruption_level)
        rows = rows_for(architecture, X, device, sparse_input=not corrupts, owned=corrupts)
        rows.feature_names = getattr(self, "feature_names_in_", None)
        if mask is not None:
            rows.observed = torch.from_numpy(~mask).to(rows.home)
        return architecture, recipe, rows

    def _train(self, X, y, start, context, n_before=None, **changes):
        from sklearn_ae._training._kept import train_kept

        architecture, recipe, rows = self._prepared(X, start, **changes)
        if n_before is None:
            warn_of_scale(rows)

        def attributes(trained):
            n_iter = (n_before or 0) + trained.n_epochs
            return {"_trained": trained, "n_iter_": n_iter, "_dead": rows}

        context.call_on_fit_task_begin(estimator=self, X=X, y=y)
        tasks = epoch_tasks(context, self, attributes, X=X, y=y)
        # One pass is not kept, nor what nothing repeats.
        memory = None if n_before is not None or self.random_state is None else self.memory
        trained = train_kept(memory, architecture, recipe, rows, start, tasks=tasks)
        vars(self).update(attributes(trained))
        context.call_on_fit_task_end(estimator=self, X=X, y=y, reconstruction_attributes={})
        return rows

    def _initialize(self, X):
        """Build the network as fit does, and do not train it."""
        from sklearn_ae._training._train import untrained

        with fitting(self):
            self._validate_params()
            *described, rows = self._prepared(X)
            self._trained, self.n_iter_, self._dead = untrained(*described, rows), 0, rows
        return self

    def _diagram(self):
        if "_trained" not in vars(self):
            return None
        module = self._trained.module
        return [describe_module(name, getattr(module, name)) for name in ("encoder", "decoder")]

    def __getstate__(self):
        if "_trained" in vars(self):
            _ = self.dead_components_
        return super().__getstate__()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = [dtype_of(self.precision)]
        return tags
