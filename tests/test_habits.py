"""What the project asks of its own files: docstrings, imports, format, types."""

import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest
from numpydoc.validate import validate

import sklearn_ae
from sklearn_ae import Autoencoder, DenoisingAutoencoder, DropoutAutoencoder, SparseAutoencoder

ROOT = Path(__file__).parents[1]
MODULES = [module.name for module in pkgutil.iter_modules(sklearn_ae.__path__)]

# What scikit-learn's own docstrings leave out as well: line breaks around the text, a period after
# "Returns", a description for see-also entries, extended summaries and sections of properties.
IGNORED = {"GL01", "GL02", "GL03", "RT02", "RT03", "RT05", "ES01", "SA04", "YD01", "PR02"}
# A method's neighbors and its use are shown by its class.
IGNORED_IN_METHODS = {"EX01", "SA01"}


def public_objects():
    """Yield names and what each docstring may lack."""
    public = [f"sklearn_ae.{name}" for name in MODULES if not name.startswith("_")]
    for name in ["sklearn_ae", *public]:
        module = importlib.import_module(name)
        for member in filter(lambda member: callable(getattr(module, member)), module.__all__):
            obj = getattr(module, member)
            yield f"{name}.{member}", IGNORED
            for attribute in vars(obj) if inspect.isclass(obj) else ():
                # A classmethod is callable only once it is taken from its class.
                if not attribute.startswith("_") and callable(getattr(obj, attribute)):
                    yield f"{name}.{member}.{attribute}", IGNORED | IGNORED_IN_METHODS


def test_docstrings_are_numpydoc():
    objects = dict(public_objects())
    assert "sklearn_ae.Autoencoder.transform" in objects
    assert "sklearn_ae.semi_supervised.is_unlabeled" in objects
    errors = {
        path: [error for error in validate(path)["errors"] if error[0] not in ignored]
        for path, ignored in objects.items()
    }
    assert not {path: found for path, found in errors.items() if found}


def test_shared_parameters_have_one_description():
    testing = importlib.import_module("sklearn.utils._testing")
    strengths = {"alpha", "dropout", "corruption_level"}
    for variant in (SparseAutoencoder, DropoutAutoencoder, DenoisingAutoencoder):
        hidden = set(Autoencoder().get_params()) - set(variant().get_params())
        testing.assert_docstring_consistency(
            [Autoencoder, variant],
            include_params=True,
            exclude_params=[*strengths, *hidden],
            include_attrs=True,
            exclude_attrs=[] if variant is SparseAutoencoder else ["penalty_curve_"],
        )


@pytest.mark.parametrize(
    "command", ["lint-imports --no-cache", "ruff check", "ruff format --check", "mypy"]
)
def test_the_tools_find_nothing(command):
    tool, *arguments = command.split()
    path = Path(sys.executable).with_name(tool)
    run = subprocess.run([path, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_spelling_is_american():
    british = re.compile(
        r"unlabelled|colour|normalis|standardis|optimis(?!m)|regularis", re.IGNORECASE
    )
    for path in [*ROOT.glob("sklearn_ae/**/*.py"), *ROOT.glob("docs/**/*.md"), ROOT / "README.md"]:
        assert not british.search(path.read_text()), path
