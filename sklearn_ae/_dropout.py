"""x"""

from sklearn_ae._autoencoder import Autoencoder

__all__ = ["DropoutAutoencoder"]


class DropoutAutoencoder(Autoencoder):
    _parameter_constraints: dict = {
        name: constraint
        for name, constraint in Autoencoder._parameter_constraints.items()
        if name not in {"penalty", "alpha", "corruption", "corruption_level"}
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
        dropout=0.5,
        optimizer="adam",
        learning_rate=1e-3,
        learning_rate_schedule="linear",
        weight_decay=0.0,
        batch_size=128,
        max_epochs=50,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        tol=1e-4,
        callbacks=None,
        device="auto",
        precision="float32",
        warm_start=False,
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
            dropout=dropout,
            optimizer=optimizer,
            learning_rate=learning_rate,
            learning_rate_schedule=learning_rate_schedule,
            weight_decay=weight_decay,
            batch_size=batch_size,
            max_epochs=max_epochs,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            tol=tol,
            callbacks=callbacks,
            device=device,
            precision=precision,
            warm_start=warm_start,
            verbose=verbose,
            random_state=random_state,
        )
