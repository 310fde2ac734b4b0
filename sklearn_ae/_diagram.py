"""The learned architecture in scikit-learn's diagrams of estimators."""

from __future__ import annotations

from sklearn_ae._validation import VisualBlock
from sklearn_ae.modules import DenseDecoder, DenseEncoder

__all__ = ["DiagramMixin", "told"]


class DiagramMixin:
    """Show what a fitted estimator consists of.

    The estimator has a method ``_diagram()`` that returns its parts, fitted estimators or tuples of
    a short text and a longer one, or None before it is fitted.
    """

    def _sk_visual_block_(self):
        parts = self._diagram()
        name = type(self).__name__
        if parts is None:
            return VisualBlock("single", self, names=name, name_details=str(self))
        blocks = [
            VisualBlock("single", part[0], names=part[0], name_details=part[1])
            if isinstance(part, tuple)
            else part
            for part in parts
        ]
        return VisualBlock("serial", blocks, dash_wrapped=False)


def told(name, module):
    """Return a module in short and in full.

    Parameters
    ----------
    name : str
        What it is to the estimator.

    module : torch.nn.Module
        The module.

    Returns
    -------
    short, full : str
        Its widths and its activation where it is a built-in one, else its class; its ``repr``.
    """
    short = type(module).__name__
    if isinstance(module, DenseEncoder | DenseDecoder):
        is_encoder = isinstance(module, DenseEncoder)
        shapes = [tuple(layer.weight.shape) for layer in module.layers]
        sizes = [shape[::-1] if is_encoder else shape for shape in shapes]
        short = " → ".join(str(n) for n in (sizes[0][0], *(size[1] for size in sizes)))
        if is_encoder:
            activation = module.activation
            short += f", {activation if isinstance(activation, str) else repr(activation)}"
    return f"{name}: {short}", f"{name}: {module!r}"
