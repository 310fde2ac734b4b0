"""Peak of anonymous memory of fits and transforms of data larger than that, at full size.

python docs/benchmarks/larger.py zarr      # 1,000,000 x 1,024 float32 as zarr, 4 GiB on disk
python docs/benchmarks/larger.py parquet   # the same as Parquet files
python docs/benchmarks/larger.py memmap    # 1,000,000 x 3,072 bytes in one file
python docs/benchmarks/larger.py epoch     # an epoch of 200,000 x 1,024 from zarr and from memory
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path
from statistics import median

import numpy as np

N_ROWS, WIDTH, PIXELS, BLOCK = 1_000_000, 1024, 3072, 10_000


class Peak:
    """The largest anonymous memory of this process while it is open, in MiB."""

    def __enter__(self):
        self.mib, self.over = 0, threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    def watch(self):
        while not self.over.wait(0.01):
            status = Path("/proc/self/status").read_text()
            line = next(line for line in status.splitlines() if line.startswith("RssAnon"))
            self.mib = max(self.mib, int(line.split()[1]) // 1024)


def blocks(n_rows=N_ROWS, width=WIDTH):
    """Yield blocks of numbers of low rank."""
    rng = np.random.default_rng(0)
    axes = rng.standard_normal((32, width), np.float32)
    for _ in range(n_rows // BLOCK):
        yield rng.standard_normal((BLOCK, 32), np.float32) @ axes / 8


def write(kind, folder, n_rows=N_ROWS):
    """Write the data, a block at a time."""
    if kind == "zarr":
        import zarr

        shape, chunks = (n_rows, WIDTH), (BLOCK, WIDTH)
        array = zarr.create_array(
            str(folder / "rows.zarr"), shape=shape, chunks=chunks, dtype="f4", compressors=None
        )
        for number, block in enumerate(blocks(n_rows)):
            array[number * BLOCK : (number + 1) * BLOCK] = block
    elif kind == "parquet":
        import pandas as pd

        for number, block in enumerate(blocks(n_rows)):
            # Files of 20 MiB.
            for half, rows in enumerate(np.split(block, 2)):
                frame = pd.DataFrame(rows).add_prefix("x")
                frame.to_parquet(folder / f"part{number:03d}{half}.parquet", compression=None)
    else:
        images = np.memmap(folder / "images", np.uint8, mode="w+", shape=(n_rows, PIXELS))
        for number, block in enumerate(blocks(n_rows, PIXELS)):
            images[number * BLOCK : (number + 1) * BLOCK] = np.clip(128 + 30 * block, 0, 255)
        images.flush()


def opened(kind, folder):
    """Open the data, as a dask array or as a memmap."""
    if kind == "memmap":
        return np.memmap(folder / "images", np.uint8, mode="r", shape=(N_ROWS, PIXELS))
    if kind == "parquet":
        import dask.dataframe as dd
        from pyarrow.parquet import read_metadata

        files = sorted(folder.glob("part*"))
        # With lengths=True all columns would be read to count rows.
        lengths = [read_metadata(file).num_rows for file in files]
        return dd.read_parquet(files).to_dask_array(lengths=lengths)
    import dask.array as da

    return da.from_zarr(str(folder / "rows.zarr"))


def measured(kind, folder):
    """Fit and transform in this process, and print the peaks."""
    from sklearn_ae import Autoencoder

    warnings.simplefilter("ignore")
    X = opened(kind, folder)
    ae = Autoencoder(16, max_epochs=1, random_state=0, batch_size=1024)
    with Peak() as peak:
        start = time.perf_counter()
        ae.fit(X)
        seconds = time.perf_counter() - start
    print(f"{kind}: fit {peak.mib} MiB, {seconds:.0f} s", flush=True)
    with Peak() as peak:
        start = time.perf_counter()
        codes = ae.transform(X)
        if kind != "memmap":
            codes = codes.mean(axis=0).compute()
        seconds = time.perf_counter() - start
    print(f"{kind}: transform {peak.mib} MiB, {seconds:.0f} s", flush=True)


def epoch(folder, n_pairs=5, n_rows=200_000):
    """Time epochs from zarr and from memory in turn, by the difference of three and of one."""
    from sklearn_ae import Autoencoder

    warnings.simplefilter("ignore")
    write("zarr", folder, n_rows)
    lazy = opened("zarr", folder)
    held = lazy.compute()
    ratios = []
    for _ in range(n_pairs):
        seconds = []
        for X in (held, lazy):
            took = []
            for n_epochs in (1, 3):
                start = time.perf_counter()
                Autoencoder(256, max_epochs=n_epochs, random_state=0, batch_size=256).fit(X)
                took.append(time.perf_counter() - start)
            seconds.append((took[1] - took[0]) / 2)
        ratios.append(seconds[1] / seconds[0])
        print(f"{seconds[0]:.2f} s from memory, {seconds[1]:.2f} s from zarr", flush=True)
    print(f"ratio {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        measured(sys.argv[1], Path(sys.argv[2]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            if sys.argv[1] == "epoch":
                epoch(Path(folder))
            else:
                write(sys.argv[1], Path(folder))
                # glibc gives back what is freed at once, in place of keeping it.
                env = os.environ | {"MALLOC_TRIM_THRESHOLD_": "65536"}
                command = [sys.executable, __file__, sys.argv[1], folder]
                subprocess.run(command, check=True, env=env)
