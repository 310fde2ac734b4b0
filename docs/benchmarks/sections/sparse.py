"""Fit and transform of a wide CSR matrix: seconds and peak memory above the data (bar 6)."""

from memory import run_job

TITLE = "Sparse input"
NOTE = (
    "tf-idf like rows, 0.1 % filled, `SparseAutoencoder` of 256 components, one epoch in batches "
    "of 128. Memory is the peak above the data, in a process of its own; as a dense array the data "
    "would take the size that is told."
)
LIMIT_MIB = 1536


def run(quick):
    """Return the rows."""
    n_rows, n_features = (1_000 if quick else 20_000), 50_000
    size = {"n_rows": n_rows, "n_features": n_features, "n_components": 256}
    case = f"CSR {n_rows:,} x {n_features:,} -> 256"
    dense = n_rows * n_features * 4 / 2**30
    jobs = {"fit, one epoch": "sparse_fit", "transform, sparse_output=True": "sparse_transform"}
    rows = []
    for name, job in jobs.items():
        done = run_job(job, **size)
        rows.append(
            {
                "case": case,
                "name": name,
                "seconds": done["seconds"],
                "memory_mib": done["peak_mib"],
                "memory_limit_mib": LIMIT_MIB,
                "note": f"dense: {dense:.1f} GiB",
            }
        )
    return rows
