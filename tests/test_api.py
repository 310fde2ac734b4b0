"""The public API as it was agreed on: names, signatures and defaults.

A deliberate change is written down by ``python tests/test_api.py``, and its diff is reviewed.
"""

import importlib
import inspect
import json
from functools import cached_property
from pathlib import Path

import pytest

SNAPSHOT = Path(__file__).with_name("api.json")
MODULES = [
    "sklearn_ae",
    "sklearn_ae.augmentations",
    "sklearn_ae.corruptions",
    "sklearn_ae.datasets",
    "sklearn_ae.modules",
    "sklearn_ae.penalties",
    "sklearn_ae.plotting",
    "sklearn_ae.semi_supervised",
]


def described(name):
    """Return the public names of a module with their parameters, and the methods of classes."""
    module = importlib.import_module(name)
    api = {}
    for member in sorted(module.__all__):
        obj = getattr(module, member)
        if not callable(obj):
            api[member] = type(obj).__name__
            continue
        api[member] = parameters(obj)
        if inspect.isclass(obj):
            api[member] = {"__init__": api[member], **dict(attributes(obj))}
    return api


def attributes(cls):
    """Yield what a class of this package shows beside its constructor."""
    for owner in cls.__mro__:
        if not owner.__module__.startswith("sklearn_ae"):
            continue
        for key, value in vars(owner).items():
            # scikit-learn makes the requests of metadata, and they differ by its version.
            if (not key.startswith("_") or key == "__call__") and not key.endswith("_request"):
                if isinstance(value, property | cached_property):
                    yield key, "property"
                elif isinstance(value, classmethod | staticmethod):
                    yield key, f"{type(value).__name__} {parameters(value.__func__)}"
                elif callable(method := getattr(value, "fn", value)):
                    yield key, parameters(method)
                else:
                    yield key, repr(value)


def parameters(obj):
    if inspect.isclass(obj) and issubclass(obj, Exception):
        return "exception"
    # Without annotations, whose text differs between versions of Python.
    signature = inspect.signature(obj)
    bare = [p.replace(annotation=inspect.Parameter.empty) for p in signature.parameters.values()]
    return str(inspect.Signature(bare))


@pytest.mark.parametrize("name", MODULES)
def test_api_is_the_one_agreed_on(name):
    assert described(name) == json.loads(SNAPSHOT.read_text())[name]


if __name__ == "__main__":
    snapshot = {name: described(name) for name in MODULES}
    SNAPSHOT.write_text(json.dumps(snapshot, indent=1) + "\n")
