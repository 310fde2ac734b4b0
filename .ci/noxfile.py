"""The matrix of scikit-learn versions: ``nox -f .ci/noxfile.py``."""

import nox

# The oldest that is supported goes with the oldest of the others.
VERSIONS = {
    "1.6": ["scikit-learn==1.6.*", "skorch==1.0.*", "xgboost==2.1.4", "numpy<2.3", "pandas<3"],
    "1.7": ["scikit-learn==1.7.*"],
    "1.8": ["scikit-learn==1.8.*"],
    "latest": ["scikit-learn"],
}


@nox.session
@nox.parametrize("version", list(VERSIONS))
def tests(session, version):
    """Run the whole test suite."""
    session.chdir("..")
    session.install("torch>=2.5")
    session.install("-e", ".[test]", *VERSIONS[version])
    session.run("pytest", *session.posargs)
