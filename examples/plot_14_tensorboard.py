"""
TensorBoard and other trackers
==============================

``callbacks=`` takes any callback of skorch. Here skorch's ``TensorBoard`` writes the losses of two
autoencoders into a folder that TensorBoard shows while they train; the numbers are then read back
and drawn.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
from skorch.callbacks import TensorBoard
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.tensorboard import SummaryWriter

from sklearn_ae import DenoisingAutoencoder, SparseAutoencoder
from sklearn_ae.datasets import load_digits_few_labels

# %%
# A writer and a callback for each run; ``tensorboard --logdir FOLDER`` shows them side by side.

X = load_digits_few_labels(random_state=0).X_train / 16
folder = Path(tempfile.mkdtemp())
for estimator in (SparseAutoencoder(128), DenoisingAutoencoder(128)):
    name = type(estimator).__name__
    with SummaryWriter(folder / name) as writer:
        estimator.set_params(
            max_epochs=20,
            early_stopping=True,
            random_state=0,
            callbacks=[TensorBoard(writer)],
        ).fit(X)

# %%
# Other trackers plug in the same way: ``skorch.callbacks.MlflowLogger``, ``WandbLogger``,
# ``NeptuneLogger`` and ``SacredLogger`` take the run that they write to, as ``TensorBoard`` takes
# its writer. The callback is copied for each fit, so that a search does not mix its candidates; the
# writer within, which can't be copied, is shared by them.

figure, axes = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
for ax, run in zip(axes, sorted(folder.iterdir()), strict=True):
    events = EventAccumulator(str(run)).Reload()
    for tag in ("train_loss", "valid_loss"):
        points = events.Scalars(f"Loss/{tag}")
        ax.plot([p.step for p in points], [p.value for p in points], label=tag)
    ax.set(title=run.name, xlabel="epoch")
    ax.spines[["top", "right"]].set_visible(False)
axes[0].set_ylabel("loss, read back from the log")
axes[0].legend(frameon=False)
plt.show()
