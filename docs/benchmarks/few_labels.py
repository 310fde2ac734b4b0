"""Few labels, many unlabeled images: what features and fine-tuning bring on Fashion-MNIST.

Each table is a command; the seeds are fixed::

    python docs/benchmarks/few_labels.py --quick             # under 5 minutes on 2 idle cores
    python docs/benchmarks/few_labels.py --only features     # one table at its full size
    python docs/benchmarks/few_labels.py                     # all of them

Accuracies on 10,000 test images: mean and standard deviation over 5 draws of the labeled rows, and
paired differences from the first row, in points, with their standard error. Results go to
few_labels.json beside this file (``--quick``: few_labels_quick.json, not to be published), and
few_labels_page.py makes the page.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import date
from pathlib import Path
from time import perf_counter

import machine
import torch
from few import TABLES
from few.draws import Draws
from few.results import as_json, markdown

FOLDER = Path(__file__).parent


def main():
    """Run the tables that are asked for, print them, and write the JSON file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="2 draws, fewer images and epochs")
    parser.add_argument("--only", action="append", choices=TABLES, help="one table; may repeat")
    parser.add_argument("--json", type=Path, help="where the results go")
    args = parser.parse_args()
    path = args.json or FOLDER / ("few_labels_quick.json" if args.quick else "few_labels.json")
    results = json.loads(path.read_text()) if path.exists() else {"tables": {}}
    results |= {"machine": machine.describe(), "quick": args.quick}
    draws = Draws(2, 200, 6_000, 2_000, 0.1) if args.quick else Draws()
    begin = perf_counter()
    for name in args.only or TABLES:
        start, rows = perf_counter(), []
        for row in TABLES[name](draws, args.quick):
            rows.append(row)
            print(f"{name}: {row.name}: {_told(row)}", flush=True)
        results["tables"][name] = {
            "rows": as_json(rows),
            "note": TABLES[name].__doc__,
            "seconds": round(perf_counter() - start),
            "threads": torch.get_num_threads(),
            "date": date.today().isoformat(),
        }
        print("\n" + markdown(results["tables"][name]["rows"]) + "\n", flush=True)
        path.write_text(json.dumps(results, indent=1) + "\n")
    print(f"{perf_counter() - begin:.0f} s in all.")


def _told(row):
    means = {name: sum(scores) / len(scores) for name, scores in row.scores.items()}
    return ", ".join(f"{name} {mean:.4f}" for name, mean in means.items())


if __name__ == "__main__":
    sys.exit(main())
