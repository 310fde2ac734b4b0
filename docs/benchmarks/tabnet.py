"""TabNet, pretrained on all training rows, on the tables and labels of tables.py.

It needs ``pytorch-tabnet``, which no extra brings, and adds its rows to tables.json, where they
have a contender of their own: python docs/benchmarks/tabnet.py
"""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path

import numpy as np
import torch
from joblib import Parallel, delayed
from pytorch_tabnet.pretraining import TabNetPretrainer
from pytorch_tabnet.tab_model import TabNetClassifier, TabNetRegressor
from tables import FOLDER, TABLES, _scores, draw_labels, load, split

from sklearn_ae import TableFeatures

NAME = "TabNet, pretrained"
# Epochs and batches are those of its authors for small tables; none of the labels is held out.
PRETRAINING = {"max_epochs": 50, "patience": 0, "batch_size": 256, "virtual_batch_size": 128}
TUNING = {"max_epochs": 50, "patience": 0, "batch_size": 64, "virtual_batch_size": 32}


def one_draw(name, draw, n_labels):
    """Pretrain once, and fine-tune on each number of labels."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    X, y, classifies = load(name)
    train, test = split(y, draw, classifies)
    columns = TableFeatures("passthrough").fit(X.iloc[train])
    rows, rows_test = columns.transform(X.iloc[train]), columns.transform(X.iloc[test])
    rows, rows_test = rows.astype(np.float32), rows_test.astype(np.float32)
    learned = TabNetPretrainer(seed=draw, verbose=0)
    learned.fit(rows, **PRETRAINING)
    found = []
    for n in n_labels:
        labeled = draw_labels(y[train], n, draw, classifies)
        chosen, n_classes = y[train][labeled], int(y.max()) + 1 if classifies else 0
        settings = {"from_unsupervised": learned, "drop_last": False, **TUNING}
        if classifies:
            model = TabNetClassifier(seed=draw, verbose=0)
            model.fit(rows[labeled], chosen, **settings)
            guess = np.zeros((len(test), n_classes))
            guess[:, np.unique(chosen)] = model.predict_proba(rows_test)
        else:
            scale = chosen.mean(), chosen.std()
            model = TabNetRegressor(seed=draw, verbose=0)
            model.fit(rows[labeled], ((chosen - scale[0]) / scale[1])[:, None], **settings)
            guess = scale[0] + scale[1] * model.predict(rows_test)[:, 0]
        row = {"table": name, "draw": draw, "labels": n, "contender": NAME}
        found.append(row | _scores(y[test], guess, n_classes))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", action="append", choices=TABLES, help="one table; may repeat")
    parser.add_argument("--draws", type=int, default=4)
    parser.add_argument("--n-jobs", type=int, default=2, help="draws side by side")
    parser.add_argument("--json", type=Path, default=FOLDER / "tables.json")
    args = parser.parse_args()
    for name in args.only or TABLES:
        parts = Parallel(args.n_jobs)(
            delayed(one_draw)(name, draw, (100, 300)) for draw in range(args.draws)
        )
        found = [row for part in parts for row in part]
        print(name, *(f"{row['labels']}: {row['score']:.3f}" for row in found), flush=True)
        results = json.loads(args.json.read_text())
        rows = results["tables"][name]["rows"]
        rows[:] = [row for row in rows if row["contender"] != NAME] + found
        args.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
