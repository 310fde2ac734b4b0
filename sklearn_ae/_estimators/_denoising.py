"""Stable codes: the input is corrupted, the clean input is the target."""

from sklearn_ae._estimators._autoencoder import Autoencoder


class DenoisingAutoencoder(Autoencoder):
    r"""An autoencoder that restores a corrupted input.

    The input is corrupted in training and the clean input is the target, so that the features
    must hold what does not change under small distortions and missing pieces. :meth:`transform`
    corrupts nothing.

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

    corruption : str or callable, default="masking"
        What is done to the input in training, ``"masking"``, ``"gaussian"``, ``"salt_and_pepper"``,
        ``"swap"`` or ``"gaps"``; the target is the clean input. See :mod:`sklearn_ae.corruptions`;
        ``RegionBlanking(image_shape=(28, 28))`` blanks rectangles.

    corruption_level : float, default=0.3
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

    validation_loss_curve_ : list of float or None
        The same of the rows held out, without corruption and dropout; None without early
        stopping, and NaN for epochs without.

    See Also
    --------
    SparseAutoencoder : Features of which few are active at a time.
    DropoutAutoencoder : Drops codes instead of entries of the input.
    Autoencoder : All regularizers together.
    sklearn_ae.corruptions : The corruptions.

    Notes
    -----
    What is minimized is the mean over rows of

    .. math:: L(x_i, \hat x_i)

    with the clean row :math:`x_i`, its reconstruction :math:`\hat x_i`, made
    from a corrupted copy, and the loss :math:`L`, summed over features.

    Codes are float32 arrays of NumPy whatever came in, torch tensors included. Scale the
    features first: the loss sums over them, so large ones win.

    References
    ----------
    .. [1] Vincent, P. et al. (2008). Extracting and composing robust features with denoising
       autoencoders. ICML.
    .. [2] Vincent, P. et al. (2010). Stacked denoising autoencoders: learning useful
       representations in a deep network with a local denoising criterion. JMLR 11.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.preprocessing import minmax_scale
    >>> from sklearn_ae import DenoisingAutoencoder
    >>> from sklearn_ae.corruptions import RegionBlanking
    >>> X = minmax_scale(load_digits().data)
    >>> ae = DenoisingAutoencoder(
    ...     corruption=RegionBlanking(image_shape=(8, 8)), corruption_level=0.2, random_state=0
    ... )
    >>> ae.fit_transform(X).shape
    (1797, 256)
    """

    _parameter_constraints: dict = {
        name: constraint
        for name, constraint in Autoencoder._parameter_constraints.items()
        if name not in {"penalty", "alpha", "dropout"}
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
        corruption="masking",
        corruption_level=0.3,
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
        super().__init__(
            n_components=n_components,
            hidden_layer_sizes=hidden_layer_sizes,
            activation=activation,
            tied_weights=tied_weights,
            encoder=encoder,
            decoder=decoder,
            loss=loss,
            corruption=corruption,
            corruption_level=corruption_level,
            optimizer=optimizer,
            learning_rate=learning_rate,
            learning_rate_schedule=learning_rate_schedule,
            weight_decay=weight_decay,
            batch_size=batch_size,
            max_epochs=max_epochs,
            max_time=max_time,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            tol=tol,
            callbacks=callbacks,
            device=device,
            precision=precision,
            features=features,
            sparse_output=sparse_output,
            warm_start=warm_start,
            memory=memory,
            verbose=verbose,
            random_state=random_state,
        )
