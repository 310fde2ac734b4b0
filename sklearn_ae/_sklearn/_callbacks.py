"""Tasks of scikit-learn's callbacks: the fit of an inner estimator, and one epoch of training."""

from __future__ import annotations


class EpochTasks:
    """Tell scikit-learn's callbacks where each epoch begins and ends."""

    def __init__(self, context, estimator, attributes, **data):
        self.context = context
        self.estimator = estimator
        self.attributes = attributes
        self.data = data

    def begin(self):
        """Begin the next epoch."""
        self.task = self.context.subcontext(task_name="epoch")
        self.task.call_on_fit_task_begin(estimator=self.estimator, **self.data)

    def end(self, snapshot):
        """End the epoch; return whether a callback asks for an end of training."""
        return self.task.call_on_fit_task_end(
            estimator=self.estimator,
            reconstruction_attributes=lambda: self.attributes(snapshot()),
            **self.data,
        )


def epoch_tasks(context, estimator, attributes, **data):
    """Return what tells callbacks of epochs, or None where none listens.

    ``attributes`` makes of a ``Trained`` the attributes that the estimator would have, had training
    ended; the data are what ``fit`` was given.
    """
    if not getattr(estimator, "_skl_callbacks", None):
        return None
    return EpochTasks(context, estimator, attributes, **data)


def fit_as_task(context, owner, estimator, X, y=None, *, name, **fit_params):
    """Fit an inner estimator as a task of its owner, with the owner's callbacks."""
    task = context.subcontext(task_name=name)
    with task.propagate_callback_context(estimator):
        task.call_on_fit_task_begin(estimator=owner, X=X, y=y)
        estimator.fit(X, y, **fit_params)
        task.call_on_fit_task_end(estimator=owner, X=X, y=y)
