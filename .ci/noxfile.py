"""The matrix of scikit-learn versions: ``nox -f .ci/noxfile.py``."""

import nox

# scikit-learn before 1.9 reads the column names of polars before 1.40 only. The oldest that is
# supported goes with the oldest of the others, whose NumPy has other types for mypy.
VERSIONS = {
    "1.6": [
        "scikit-learn==1.6.*",
        "skorch==1.0.*",
        "xgboost==2.1.4",
        "numpy<2.3",
        "scipy<1.16",
        "pandas<3",
        "polars<1.40",
    ],
    "1.7": ["scikit-learn==1.7.*", "polars<1.40"],
    "1.8": ["scikit-learn==1.8.*", "polars<1.40"],
    "latest": ["scikit-learn"],
}


@nox.session
@nox.parametrize("version", list(VERSIONS))
def tests(session, version):
    """Run the whole test suite."""
    session.chdir("..")
    session.install("torch>=2.5")
    session.install("-e", ".[test]", *VERSIONS[version])
    types = ["--deselect", "tests/test_habits.py::test_the_tools_find_nothing[mypy]"]
    session.run("pytest", *(types if version == "1.6" else []), *session.posargs)


@nox.session
def benchmarks(session):
    """Run the benchmarks at their quick sizes, each in under 5 minutes, to see that they run."""
    session.chdir("..")
    session.install("torch>=2.5")
    session.install("-e", ".[bench]")
    folder = session.create_tmp()
    for name in ("few_labels", "speed"):
        session.run(
            "python", f"docs/benchmarks/{name}.py", "--quick", "--json", f"{folder}/{name}.json"
        )
