"""Ctrl-C while a first fit imports what trains."""

import signal
import subprocess
import sys

import pytest

# SIGINT arrives while one of the modules that a first fit imports is half imported.
SCRIPT = """
import signal, sys
import numpy as np
from sklearn_ae import Autoencoder

# A shell has a process in the background ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)

class Interrupts:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            sys.meta_path.remove(self)
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, Interrupts())
X = np.eye(8)
try:
    Autoencoder(4, max_epochs=1).fit(X)
except KeyboardInterrupt:
    print("interrupted")
print(Autoencoder(4, max_epochs=1).fit(X).n_iter_)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGINT"), reason="needs signals")
@pytest.mark.parametrize("module", ["sympy.core.numbers"])
def test_an_interrupt_waits_for_the_imports_of_a_first_fit(module):
    run = [sys.executable, "-c", SCRIPT.format(module=module)]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["interrupted", "1"], done.stderr[-500:]
