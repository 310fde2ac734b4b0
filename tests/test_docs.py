"""The documentation, without building it: names, links, examples, and a newcomer's own table."""

import importlib
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier

from sklearn_ae import Autoencoder

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
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
# What a build leaves behind is no source.
GENERATED = {"_build", "auto_examples", "generated", "backreferences"}
PAGES = sorted(
    path
    for pattern in ("*.md", "*.rst")
    for path in DOCS.rglob(pattern)
    if not GENERATED & set(path.relative_to(DOCS).parts[:-1])
    and path.relative_to(DOCS).parts[0] not in {"changes", "_templates"}
    and path.name != "sg_execution_times.rst"
)
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())
MARKDOWN = [ROOT / "README.md", *(path for path in PAGES if path.suffix == ".md")]


def prose(path):
    """Return the text of a page without its code, where brackets mean something else."""
    text = re.sub(r"^(```+|~~~+)[^`\n]*\n.*?^\1$", "", path.read_text(), flags=re.M | re.S)
    return re.sub(r"(?<!\})`[^`\n]+`", "", text)


def anchors(path):
    """Return the anchors of the headings, spelled as GitHub and MyST spell them."""
    text = re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.M | re.S)
    titles = re.findall(r"^#+ +(.+?) *$", text, flags=re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def in_toctrees(path):
    """Return the files that the tables of contents of a page list."""
    entries = []
    for block in re.findall(r"^```\{toctree\}\n(.*?)^```$", path.read_text(), re.M | re.S):
        entries += [line.strip() for line in block.splitlines() if line and line[0] != ":"]
    return [path.parent / entry for entry in entries if entry]


def test_api_page_has_every_public_name():
    for module in MODULES:
        _, _, rest = (DOCS / "api" / "index.rst").read_text().partition(f"automodule:: {module}\n")
        part = rest.partition(".. automodule::")[0]
        listed = re.findall(r"^   (\w+)$", part, flags=re.M)
        listed += re.findall(r"^\.\. py:data:: (\w+)$", part, flags=re.M)
        assert sorted(listed) == sorted(importlib.import_module(module).__all__)


@pytest.mark.parametrize("page", MARKDOWN, ids=lambda path: str(path.relative_to(ROOT)))
def test_page_refers_to_what_exists(page):
    text = page.read_text()
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"https?:", link):
            continue
        target, _, anchor = link.partition("#")
        path = (page.parent / target).resolve() if target else page
        if path.relative_to(ROOT).parts[:2] == ("docs", "auto_examples"):
            assert path.name == "index.rst", f"{link} is made by the build: use {{ref}}"
            continue
        assert path.exists(), link
        assert path.suffix != ".py", f"{link} is downloaded, not opened"
        assert not anchor or anchor in anchors(path), link
    examples = re.findall(r"sphx_glr_auto_examples_(\w+)\.py", text)
    examples += re.findall(r"auto_examples/images/sphx_glr_(\w+)_\d{3}\.png", text)
    examples += re.findall(r"auto_examples/(\w+)\.html", text)
    for example in examples:
        assert (ROOT / "examples" / f"{example}.py").exists(), example
    for included in re.findall(r"^```\{(?:literal)?include\} (\S+)$", text, flags=re.M):
        assert (page.parent / included).exists(), included
    for name in re.findall(r"\{(?:class|func|meth|mod)\}`~?(sklearn_ae[\w.]*)`", text):
        try:
            importlib.import_module(name)
        except ModuleNotFoundError:
            module, _, member = name.rpartition(".")
            assert member in importlib.import_module(module).__all__, name
    for extras in re.findall(r"pip install[^`\n]*\[([\w,]+)\]", text):
        assert set(extras.split(",")) <= set(SETTINGS["project"]["optional-dependencies"]), extras


def test_every_page_is_in_the_table_of_contents():
    reached, todo = set(), [DOCS / "index"]
    while todo:
        page = todo.pop().resolve()
        path = next(
            (p for s in (".md", ".rst") if (p := page.with_name(page.name + s)).exists()), None
        )
        if path is None:
            assert page == (DOCS / "auto_examples" / "index").resolve(), page
            continue
        if path not in reached and path.is_relative_to(DOCS):
            reached.add(path)
            todo += in_toctrees(path)
    assert not set(PAGES) - reached


def test_examples_of_the_gallery_have_an_order():
    names = [path.name for path in (ROOT / "examples").glob("plot_*.py")]
    numbers = [re.match(r"plot_(\d\d)_\w+\.py$", name)[1] for name in names]
    assert len(set(numbers)) == len(numbers)


def test_how_it_works_shows_every_file_and_the_contract_of_imports():
    text = (DOCS / "how_it_works.md").read_text()
    package = ROOT / "sklearn_ae"
    # The displays are one line.
    files = [path for path in package.rglob("*.py") if path.parent.name != "plotting"]
    expected = {path.name for path in files}
    assert set(re.findall(r"^ +(\w+\.py) ", text, flags=re.M)) == expected
    shown = re.findall(r"^  -> (.+)$", text, flags=re.M)
    assert shown == SETTINGS["tool"]["importlinter"]["contracts"][0]["layers"]


def test_commands_of_the_readme_are_those_that_ci_runs():
    script, readme = ((ROOT / name).read_text() for name in (".ci/run", "README.md"))
    names = re.search(r"^for what in (.+); do$", script, flags=re.M)[1].split()
    assert names == re.findall(r"^<!-- (\w+) command -->$", readme, flags=re.M)
    extras = SETTINGS["project"]["optional-dependencies"]
    extraction = re.search(r"^printed\(\) \{$.*?^\}$", script, flags=re.M | re.S)[0]
    for name in names:
        shell = ["bash", "-euo", "pipefail", "-c", f"{extraction}\nprinted {name}"]
        command = subprocess.check_output(shell, cwd=ROOT, text=True)
        parsed = re.match(r'pip install (?:-e )?"\.\[(\w+)\]" && ([\w-]+)', command)
        assert parsed, f"{name}: {command!r}"
        extra, program = parsed.groups()
        packages = [re.match(r"\w+", line)[0] for line in extras[extra]]
        assert program == "python" or any(map(program.startswith, packages)), command
        for path in re.findall(r"(?:python|-b html) (\S+)", command):
            assert (ROOT / path).exists(), command


def equivalents():
    text = (DOCS / "coming_from.md").read_text()
    blocks = re.findall(r"^sklearn-ae\n```python\n(.*?)^```$", text, flags=re.M | re.S)
    assert len(blocks) == len(re.findall(r"^## ", text, flags=re.M))
    return blocks


@pytest.mark.parametrize("code", equivalents(), ids=lambda code: re.findall(r"= (\w+)\(", code)[0])
def test_equivalents_of_other_packages_run(code):
    X = load_digits().data[:100] / 16
    names = {"X": X, "table": pd.DataFrame(X), "columns": StandardScaler()}
    exec(code, names)
    result = names["scores"] if "scores" in names else names["features"]
    assert np.isfinite(result).all()


def test_an_eval_set_in_a_pipeline_is_not_encoded_at_equal_widths():
    X, y = load_digits(return_X_y=True)
    (X, held_out), (y, y_held_out) = np.split(X / 16, [600]), np.split(y, [600])
    booster = XGBClassifier(n_estimators=5, early_stopping_rounds=5, n_jobs=1)
    pipe = make_pipeline(Autoencoder(64, max_epochs=2, random_state=0), booster)
    eval_set = [(held_out, y_held_out)]
    pipe.fit(X, y, xgbclassifier__eval_set=eval_set, xgbclassifier__verbose=False)
    on_columns = log_loss(y_held_out, booster.predict_proba(held_out))
    on_codes = log_loss(y_held_out, pipe.predict_proba(held_out))
    assert booster.best_score == pytest.approx(on_columns, rel=1e-4)
    assert on_codes < 0.8 * on_columns


@pytest.mark.parametrize(
    ("n_rows", "n_sensors", "noise", "verdict"),
    [(120, 2, 0.5, "no difference"), (400, 100, 4, "better")],
)
def test_own_csv_keeps_codes_only_if_they_gain(n_rows, n_sensors, noise, verdict, tmp_path):
    rng = np.random.default_rng(0)
    cause = rng.normal(size=n_rows)
    sensors = cause[:, None] + noise * rng.normal(size=(n_rows, n_sensors))
    frame = pd.DataFrame(sensors).mask(rng.random(sensors.shape) < 0.05)
    frame["city"] = rng.choice(["Oslo", "Rome", "Lima", None], n_rows)
    frame["bought"] = np.where(np.arange(n_rows) % 2, np.nan, cause > 0)
    frame.to_csv(tmp_path / "table.csv", index=False)

    def script(name, *arguments):
        command = [sys.executable, "-W", "error", DOCS / name, "table.csv", *arguments]
        result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    *table, kept = script("own_csv.py", "bought").splitlines()
    assert [line.split()[0] for line in table[1:]] == ["XGBoost", "linear", "vote"]
    assert float(table[1].split()[1]) > 0.6
    assert verdict in table[3]
    assert (kept == "kept: XGBoost") == (verdict == "no difference")
    saved = zipfile.ZipFile(tmp_path / "model.skops").read("schema.json")
    assert (b"TableFeatures" in saved) == (verdict == "better")
    script("own_csv_apply.py")
    applied = (tmp_path / "applied.csv").read_text()
    assert applied == (tmp_path / "predictions.csv").read_text()
    predictions = pd.read_csv(tmp_path / "predictions.csv")["prediction"]
    assert set(predictions) == {True, False}
    assert len(predictions) == n_rows
    assert (tmp_path / "comparison.png").read_bytes().startswith(b"\x89PNG")
