"""Computes a run's forward pass from its `model.safetensors` with numpy, as `notebooks/load_in_pytorch.py` does with PyTorch.

usage: pytorch_layout.py RUN IMAGES: prints one line of JSON with what was found and what is on record.
"""

import json
import sys
from pathlib import Path

import h5py
import numpy as np
from safetensors.numpy import load_file

run, images = map(Path, sys.argv[1:])
weights = load_file(run / "model.safetensors")


def linear(name, x):
    return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def encode(x):
    h = np.maximum(linear("encoder.0", x), 0)
    return linear("mean", h), linear("log_variance", h)


def decode(z):
    return linear("decoder.2", np.maximum(linear("decoder.0", z), 0))


with h5py.File(images) as file:
    x = file["test_images"][:].reshape(-1, 784).astype(np.float32) / 255
mean, log_variance = encode(x)
kl = 0.5 * (np.exp(log_variance) + mean**2 - 1 - log_variance).sum(-1).mean(dtype=np.float64)
random = np.random.default_rng(0)
draws = []
for _ in range(4):
    z = mean + np.exp(0.5 * log_variance) * random.standard_normal(mean.shape, np.float32)
    logits = decode(z)
    draws.append((np.logaddexp(0, logits) - x * logits).sum(-1, dtype=np.float64))
draws = np.stack(draws)

with h5py.File(run / "arrays.h5") as arrays:
    originals = arrays["originals"][:].reshape(-1, 784)
    stored = arrays["reconstructions"][:].reshape(-1, 784)
    stored_mean, stored_log_variance = arrays["latent_mean"][:], arrays["latent_log_variance"][:]
n = len(stored_mean)
recorded = json.loads((run / "run.json").read_text())["last_epoch"]["splits"]["test"]
found = {
    "names": sorted(weights),
    "elbo": -(draws.mean() + kl),
    "kl": kl,
    # Standard error of a difference between means over one draw and over all of these.
    "noise": float(np.sqrt(draws.var(0, ddof=1).mean() / len(x) * (1 + 1 / len(draws)))),
    "recorded_elbo": recorded["elbo"],
    "recorded_kl": recorded["kl"],
    "reconstructions_differ_by": float(abs(1 / (1 + np.exp(-decode(encode(originals)[0]))) - stored).max()),
    "means_differ_by": float(abs(mean[:n] - stored_mean).max()),
    "log_variances_differ_by": float(abs(log_variance[:n] - stored_log_variance).max()),
}
print(json.dumps({name: float(one) if isinstance(one, np.floating) else one for name, one in found.items()}))
