"""Reads a store as a Python user would, while other processes write it, and checks every value.

usage: readers.py FOLDER GAN SECONDS README...: FOLDER holds `results`, GAN as well but of a model without an encoder; the Python
in each README is run in both.
"""

import contextlib
import glob
import io
import os
import re
import sys
import time

import duckdb
import h5py
import pandas as pd
import polars as pl

METRICS = "results/runs/*/metrics.parquet"
COLUMNS = {
    "run_id": pl.String,
    "split": pl.String,
    "epoch": pl.UInt32,
    "step": pl.UInt64,
    "images": pl.UInt64,
    "scale": pl.String,
    "elbo": pl.Float64,
    "reconstruction": pl.Float64,
    "kl": pl.Float64,
    "objective": pl.Float64,
    "beta": pl.Float64,
    "kl_per_dim": pl.List(pl.Float64),
    "active_units": pl.UInt32,
    "learning_rate": pl.Float64,
    "gradient_norm": pl.Float64,
    "seconds": pl.Float64,
    "discriminator": pl.Float64,
    "posterior_sigma": pl.Float64,
    "importance_bound": pl.Float64,
    "latent_mean_variance": pl.List(pl.Float64),
    "objective_samples": pl.UInt32,
    "objective_batch": pl.UInt32,
}


def check(rows):
    """Rows are dicts; each run has whole epochs from the first on, with the values that `support::rows` makes."""
    seen = {}
    for row in rows:
        epoch, split = row["epoch"], row["split"]
        kl_per_dim = list(row["kl_per_dim"])
        assert kl_per_dim == [epoch + dim / 8 for dim in range(len(kl_per_dim))], row
        reconstruction = 100 / (epoch + 1) + (split == "test")
        assert row["reconstruction"] == reconstruction and row["kl"] == sum(kl_per_dim), row
        assert row["elbo"] == -(row["reconstruction"] + row["kl"]), row
        variances = [kl / 2 for kl in kl_per_dim] if split == "test" else []
        assert list(row["latent_mean_variance"]) == variances, row
        assert row["objective_samples"] == 1, row
        norm = row["gradient_norm"]
        assert norm == 3.5 if split == "train" else norm is None or norm != norm, row
        assert row["scale"] == "gray-bce" and row["images"] == (60_000 if split == "train" else 10_000), row
        assert (split, epoch) not in seen.setdefault(row["run_id"], set()), row
        seen[row["run_id"]].add((split, epoch))
    for run, found in seen.items():
        whole = {(split, epoch) for split in ("train", "test") for epoch in range(1, len(found) // 2 + 1)}
        assert found == whole, run
    return len(seen)


def with_polars():
    frame = pl.read_parquet(METRICS)
    assert dict(frame.schema) == COLUMNS and list(frame.columns) == list(COLUMNS), frame.schema
    return check(frame.iter_rows(named=True))


def with_lazy_polars():
    frame = pl.scan_parquet(METRICS).filter(pl.col("split") == "test").select("run_id", "epoch", "elbo").collect()
    return frame.n_unique("run_id")


def with_duckdb():
    result = duckdb.sql(f"select * from '{METRICS}'")
    names = result.columns
    assert names == list(COLUMNS), names
    return check(dict(zip(names, row)) for row in result.fetchall())


def with_pandas():
    frame = pd.concat(pd.read_parquet(path) for path in glob.glob(METRICS))
    assert list(frame.columns) == list(COLUMNS), frame.columns
    return check(frame.to_dict("records"))


def with_h5py():
    n = 0
    for path in glob.glob("results/runs/*/arrays.h5"):
        with h5py.File(path) as file:
            originals = file["originals"]
            assert originals.shape == (3, 1, 4, 5) and originals.dtype == "float32"
            assert (originals[:].ravel() * 60).round().tolist() == list(range(60))
            assert originals.attrs["dimensions"] == "n, channels, height, width"
            assert file["labels"][:].tolist() == [0, 1, 2, 3, 4, 5, 255] and file["labels"].dtype == "uint8"
            assert file["manifold"].shape == (2, 2, 1, 4, 5)
            assert file.attrs["format_version"] == "1.2" and file.attrs["run_id"] in path
            n += 1
    return n


def main():
    folder, gan, seconds = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]), float(sys.argv[3])
    readmes = [os.path.abspath(path) for path in sys.argv[4:]]
    os.chdir(folder)
    readers = [with_polars, with_lazy_polars, with_duckdb, with_pandas, with_h5py]
    for reader in readers:
        n_reads, n_runs, end = 0, 0, time.monotonic() + seconds / len(readers)
        while time.monotonic() < end:
            n_runs = reader()
            n_reads += 1
        print(f"{reader.__name__}: {n_reads} reads, {n_runs} runs in the last", flush=True)
        assert n_reads > 0 and n_runs > 0, reader.__name__
    snippets = []
    for readme in readmes:
        with open(readme, encoding="utf-8") as file:
            found = re.findall(r"^```python\n(.*?)^```", file.read(), flags=re.MULTILINE | re.DOTALL)
        assert found, readme
        snippets += found
    for place in (folder, gan):
        os.chdir(place)
        for snippet in snippets:
            output = io.StringIO()
            with contextlib.redirect_stdout(output):
                exec(compile(snippet, "README.md", "exec"), {})
            assert output.getvalue().strip(), snippet


main()
