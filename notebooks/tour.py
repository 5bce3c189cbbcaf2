# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # From a sweep's records to a table and a plot
#
# `./just sweep` trains `experiments/sweep.yaml` on the embedded digits: latent widths 2, 5, 10, 20 crossed with three β.
# Everything it measured lies in parquet and HDF5 (`results/README.md` explains every column). This notebook reads it with
# polars; nothing here needs elbo. All terms are in nats per image, means over images.

# %%
from pathlib import Path

import h5py
import matplotlib.pyplot as plt
import polars as pl

ROOT = next(folder for folder in [Path.cwd(), *Path.cwd().parents] if (folder / "results").is_dir())
RESULTS = ROOT / "results"
summary = pl.read_parquet(RESULTS / "sweeps" / "sweep" / "summary.parquet")
runs = pl.read_parquet(RESULTS / "runs.parquet")
metrics = pl.read_parquet(RESULTS / "runs" / "*" / "metrics.parquet")

# %% [markdown]
# ## A table: the terms at the last epoch
#
# One row per run of this sweep. `runs.parquet` says what each run is, `metrics.parquet` what it measured.

# %%
axes = ["model.latent_dim", "objective.beta"]
wanted = summary.select(axes).unique().rename({"model.latent_dim": "latent_dim", "objective.beta": "beta"})
sweep = runs.filter(
    (pl.col("dataset") == "glyphs") & (pl.col("status") == "done") & (pl.col("epochs") == summary["epoch"].max())
).join(wanted.cast({"latent_dim": runs.schema["latent_dim"], "beta": runs.schema["beta"]}), on=["latent_dim", "beta"])
last = (
    metrics.filter(pl.col("split") == "test")
    .sort("epoch")
    .unique("run_id", keep="last")
    .select("run_id", "scale", "elbo", "reconstruction", "kl", "active_units")
)
table = sweep.select("run_id", "latent_dim", "beta", "seed").join(last, on="run_id").sort("latent_dim", "beta")
with pl.Config(tbl_rows=-1, float_precision=2):
    print(table.drop("run_id"))

# %% [markdown]
# A wider latent space lowers the reconstruction term until the extra dimensions are no longer used (`active_units`); a larger β
# trades reconstruction for KL. The ELBO itself knows nothing of β.

# %% [markdown]
# ## A plot: rate and distortion
#
# Each line is a latent width, each point a β. The KL is the rate, the reconstruction term the distortion; along the dashed lines
# the ELBO is constant.

# %%
figure, axis = plt.subplots(figsize=(5.5, 3.4), constrained_layout=True)
for (width,), group in table.group_by("latent_dim", maintain_order=True):
    axis.plot(group["kl"], group["reconstruction"], marker="o", markersize=4, label=f"{width} dimensions")
low, high = axis.get_ylim()
for elbo in range(int(-high) - 40, int(-low), 10):
    axis.axline((0, -elbo), slope=-1, color="0.85", linestyle="--", linewidth=0.7, zorder=0)
axis.set(xlabel="KL, rate (nats per image)", ylabel="reconstruction, distortion (nats per image)", ylim=(low, high))
axis.legend(frameon=False)
plt.show()

# %% [markdown]
# ## Images: reconstructions by latent width
#
# `arrays.h5` of a run holds originals, reconstructions, samples from the prior, and the latents of the test images.

# %%
chosen = table.filter(pl.col("beta") == 1.0)
rows = []
for run in chosen.iter_rows(named=True):
    with h5py.File(RESULTS / "runs" / run["run_id"] / "arrays.h5") as file:
        originals, reconstructions = file["originals"][:10], file["reconstructions"][:10]
    rows.append((f"z = {run['latent_dim']}", reconstructions))
rows.insert(0, ("original", originals))
figure, grid = plt.subplots(len(rows), 10, figsize=(5.5, 0.55 * len(rows)), constrained_layout=True)
for (name, images), line in zip(rows, grid):
    for image, axis in zip(images, line):
        axis.imshow(image[0].clip(0, 1), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axis.set(xticks=[], yticks=[])
    line[0].set_ylabel(name, rotation=0, ha="right", va="center")
plt.show()
