"""Time per epoch and peak memory as rows, features and components grow.

``python docs/benchmarks/scaling.py`` writes scaling.json and scaling.png beside this file
(``--quick``: a smaller range, into scaling_quick.json and .png). One process a point, so that the
peak is its own; memory is what a fit takes above the data.
"""

from __future__ import annotations

import argparse
import json
from datetime import date
from pathlib import Path

import machine
import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
from memory import run_job

FOLDER = Path(__file__).parent
BATCH_SIZE = 256
AXES = {
    "n_rows": {
        "sizes": [1_000, 10_000, 100_000, 1_000_000],
        "fixed": {"n_features": 64, "n_components": 128},
    },
    "n_features": {
        "sizes": [10, 100, 1_000, 5_000, 20_000],
        "fixed": {"n_rows": 2_048, "n_components": 256},
    },
    "n_components": {
        "sizes": [16, 64, 256, 1_024, 4_096, 8_192],
        "fixed": {"n_rows": 2_048, "n_features": 784},
    },
}
QUICK_LARGEST = {"n_rows": 100_000, "n_features": 5_000, "n_components": 1_024}


def main():
    """Measure every point, print it, write the JSON file and the plot."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a smaller range")
    parser.add_argument("--plot", action="store_true", help="only draw what was measured before")
    args = parser.parse_args()
    name = "scaling_quick" if args.quick else "scaling"
    path = FOLDER / f"{name}.json"
    if not args.plot:
        path.write_text(json.dumps(measured(args.quick), indent=1) + "\n")
    plot(json.loads(path.read_text()), path.with_suffix(".png"))


def measured(quick):
    """Return machine, date, load and the points of each axis."""
    before, axes = machine.load(), {}
    for axis, task in AXES.items():
        axes[axis] = points = []
        for size in task["sizes"]:
            if quick and size > QUICK_LARGEST[axis]:
                continue
            sizes = {**task["fixed"], axis: size}
            done = run_job("scaling", batch_size=BATCH_SIZE, **sizes)
            points.append({**sizes, **done, "weights_mib": weights_mib(sizes)})
            print(
                f"{axis} = {size:,}: {done['seconds']:.3g} s an epoch, {done['peak_mib']:.0f} MiB "
                f"above {done['data_mib']:.0f} MiB of data"
            )
    return {
        "machine": machine.describe(),
        "date": date.today().isoformat(),
        "load": [before, machine.load()],
        "axes": axes,
    }


def weights_mib(sizes):
    """Return what weights, gradients and the two states of Adam take."""
    n_features, n_components = sizes["n_features"], sizes["n_components"]
    n_weights = 2 * n_features * n_components + n_features + n_components
    return 4 * 4 * n_weights / 2**20


def plot(results, path):
    """Draw time beside memory, one row an axis."""
    figure, panels = plt.subplots(3, 2, figsize=(7.2, 9), layout="constrained")
    for row, (axis, points) in zip(panels, results["axes"].items(), strict=True):
        sizes = [point[axis] for point in points]
        seconds = [point["seconds"] for point in points]
        left, right = row
        left.loglog(sizes, seconds, "o-", color="#0b6e99", label="measured")
        linear = [seconds[-1] * size / sizes[-1] for size in sizes]
        left.loglog(sizes, linear, ":", color="gray", label="linear")
        right.plot(sizes, [p["peak_mib"] for p in points], "o-", color="#0b6e99", label="peak")
        weights = [point["weights_mib"] for point in points]
        right.plot(sizes, weights, ":", color="gray", label="weights, gradients, Adam")
        right.set_xscale("log")
        right.set_ylim(bottom=0)
        fixed = ", ".join(f"{k} = {v:,}" for k, v in AXES[axis]["fixed"].items())
        left.set_title(fixed, fontsize=10, loc="left")
        left.set_ylabel("seconds an epoch")
        right.set_ylabel("MiB above the data")
        for panel in row:
            panel.set_xlabel(axis)
            panel.spines[["top", "right"]].set_visible(False)
            panel.legend(frameon=False)
    figure.savefig(path, dpi=150)
    plt.close(figure)


if __name__ == "__main__":
    main()
