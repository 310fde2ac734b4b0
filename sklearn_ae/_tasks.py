"""Tasks of scikit-learn's callbacks: an epoch, or the fit of an inner estimator."""

from __future__ import annotations

__all__ = ["epoch_tasks", "fit_as_task"]


class _EpochTasks:
    """Tell scikit-learn's callbacks where each epoch begins and ends.

    Parameters
    ----------
    context : sklearn.callback.CallbackContext
        The task whose parts the epochs are.

    estimator : estimator
        The estimator that is being fitted.

    attributes : callable
        From a net to the fitted attributes that the estimator would have, had training ended.

    **data
        ``X``, ``y`` and ``metadata`` as ``fit`` was given them.
    """

    def __init__(self, context, estimator, attributes, **data):
        self.context = context
        self.estimator = estimator
        self.attributes = attributes
        self.data = data

    def begin(self):
        """Begin the next epoch."""
        self.task = self.context.subcontext(task_name="epoch")
        self.task.call_on_fit_task_begin(estimator=self.estimator, **self.data)

    def end(self, net):
        """End the epoch.

        Parameters
        ----------
        net : skorch.NeuralNet
            The net that is being trained.

        Returns
        -------
        stop : bool
            Whether a callback asks for an end of training.
        """
        return self.task.call_on_fit_task_end(
            estimator=self.estimator,
            # A callback may keep the estimator that it is given, and training goes on.
            reconstruction_attributes=lambda: self.attributes(net.snapshot()),
            **self.data,
        )


def epoch_tasks(context, estimator, attributes, **data):
    """Return the tasks of the epochs, or None where no callback listens.

    Parameters
    ----------
    context, estimator, attributes, **data
        As for :class:`_EpochTasks`.

    Returns
    -------
    tasks : _EpochTasks or None
        The tasks.
    """
    if not getattr(estimator, "_skl_callbacks", None):
        return None
    return _EpochTasks(context, estimator, attributes, **data)


def fit_as_task(context, owner, estimator, X, y=None, *, name, **fit_params):
    """Fit an inner estimator as a task of its owner, with the owner's callbacks.

    Parameters
    ----------
    context : sklearn.callback.CallbackContext
        The task of the owner.

    owner : estimator
        The meta-estimator.

    estimator : estimator
        The inner estimator.

    X, y
        What it is fitted on.

    name : str
        Name of the task.

    **fit_params
        Passed on.
    """
    task = context.subcontext(task_name=name)
    with task.propagate_callback_context(estimator):
        task.call_on_fit_task_begin(estimator=owner, X=X, y=y)
        estimator.fit(X, y, **fit_params)
        task.call_on_fit_task_end(estimator=owner, X=X, y=y)
