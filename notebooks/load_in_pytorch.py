"""A trained VAE of elbo in PyTorch: the model is rebuilt from a run's weights, and its test ELBO computed again.

Usage: python load_in_pytorch.py RUN IMAGES [MEASURED]      (needs torch, safetensors, h5py and numpy; no elbo)

RUN is the folder of a run, `results/runs/<run-id>` or what `elbo export` made of it, of a dense VAE with one hidden layer, relu and a Bernoulli likelihood
on gray values. IMAGES are its test images: an HDF5 file with `test_images`, such as the glyphs that elbo keeps in the cache
folder (`~/.cache/elbo/glyphs/glyphs.h5`), or an IDX file, such as MNIST's `t10k-images-idx3-ubyte`, also gzipped.
Prints the terms found here and elbo's own, in nats per image; exit code 1 when the KL differs by more than 0.01 or the ELBO
by more than 0.05. elbo's are read from MEASURED, what `elbo evaluate experiment.yaml --weights model.safetensors --samples 20
--json` printed. Without it they are those on record, whose ELBO has one draw of z for each image: it may then differ by three
standard errors more.
"""

import gzip
import json
import sys
from pathlib import Path

import h5py
import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F


def load_vae(path) -> nn.ModuleDict:
    """The model of a `model.safetensors`, its widths read off the weights."""
    weights = load_file(path)
    hidden, pixels = weights["encoder.0.weight"].shape
    latent = len(weights["mean.bias"])
    vae = nn.ModuleDict({
        "encoder": nn.Sequential(nn.Linear(pixels, hidden), nn.ReLU()),
        "mean": nn.Linear(hidden, latent),
        "log_variance": nn.Linear(hidden, latent),
        "decoder": nn.Sequential(nn.Linear(latent, hidden), nn.ReLU(), nn.Linear(hidden, pixels)),
    })
    vae.load_state_dict(weights)
    return vae.eval()


@torch.no_grad()
def terms(vae: nn.ModuleDict, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Reconstruction and KL of each image, in nats, from one sample of z; `x` is [images, pixels] in 0…1."""
    h = vae["encoder"](x)
    mean, log_variance = vae["mean"](h), vae["log_variance"](h)
    z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
    reconstruction = F.binary_cross_entropy_with_logits(vae["decoder"](z), x, reduction="none").sum(-1)
    kl = 0.5 * (log_variance.exp() + mean**2 - 1 - log_variance).sum(-1)
    return reconstruction, kl  # the ELBO is -(reconstruction + kl)


def read_images(path: Path) -> torch.Tensor:
    """[images, pixels] in 0…1"""
    if path.suffix in (".h5", ".hdf5"):
        with h5py.File(path) as file:
            images = file["test_images"][:]
    else:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
            content = file.read()
        n_images, height, width = np.frombuffer(content, ">u4", 3, offset=4)
        images = np.frombuffer(content, np.uint8, offset=16).reshape(n_images, height * width)
    return torch.from_numpy(images.reshape(len(images), -1).astype(np.float32)) / 255


def main(run: Path, images: Path, measured: Path | None = None) -> None:
    manifest = json.loads((run / "run.json").read_text())
    if manifest["scale"] != "gray-bce":
        sys.exit(f"error: {run} is of the scale {manifest['scale']}, and this is for gray-bce\nhint: `pixels: gray`")
    vae = load_vae(run / "model.safetensors")
    x = read_images(images)
    torch.manual_seed(0)
    reconstruction = torch.stack([terms(vae, x)[0].double() for _ in range(20)])  # [draws, images]
    kl = terms(vae, x)[1].double().mean().item()
    elbo = -(reconstruction.mean().item() + kl)
    if measured is not None:
        ours = {row["metric"]: row["value"] for row in json.loads(measured.read_text())["rows"]}
        where, allowed = "by elbo", 0.05
    else:
        # Standard error of a difference between means over one draw and over all of these.
        noise = (reconstruction.var(0).mean() / len(x) * (1 + 1 / len(reconstruction))).sqrt().item()
        ours = manifest["last_epoch"]["splits"]["test"]
        where, allowed = "on record", 0.05 + 3 * noise
    print(f"{manifest['name']}, {len(x)} test images, nats per image")
    print(f"ELBO {elbo:.3f} in PyTorch, {ours['elbo']:.3f} {where} (may differ by {allowed:.2f})")
    print(f"KL   {kl:.4f} in PyTorch, {ours['kl']:.4f} {where} (may differ by 0.01)")
    sys.exit(abs(kl - ours["kl"]) > 0.01 or abs(elbo - ours["elbo"]) > allowed)


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    main(*map(Path, sys.argv[1:]))
