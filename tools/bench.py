"""Time elbo against PyTorch: one epoch of the 784-400-20-400-784 VAE, trained and evaluated; −log p(x) against pythae (`bench_nll.py`); and the
start of `elbo`.

Usage: ./just bench [--rounds N] [--threads N] [--data FOLDER] [--only epochs|nll|start]

What is timed, in turns within one run, each in a process of its own: PyTorch, the same model, images preloaded as one float
tensor, Adam(fused=True), (1) with `sigmoid` and `binary_cross_entropy`, as pytorch/examples writes it, and (2) with the faster
`binary_cross_entropy_with_logits`; (3) `elbo-train` with one run; (4) `elbo-train` with a cohort of four, per model. An epoch is a pass over 60,000 training
images in batches of 128 and an evaluation of 10,000 test images, without start-up and loading. The first epoch of each
process is a warm-up. The machine's speed drifts, so read the ratios, which are formed within a round.
"""

import argparse
import gzip
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import bench_nll

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / "target" / "debug"
EPOCHS = 3


def mnist_file(folder: Path, name: str) -> Path:
    # Other sets of images have files of the same names.
    others = ("fashion", "kmnist", "kuzushiji")
    is_mnist = lambda path: not any(other in part.lower() for part in path.relative_to(folder).parts for other in others)
    found = sorted(path for path in folder.rglob(f"{name}*") if path.is_file() and is_mnist(path))
    if not found:
        sys.exit(f"error: there is no `{name}` below `{folder}`\nhint: name a folder with MNIST, or leave `--data` and `ELBO_DATA` out: then the glyphs are used")
    return found[0]


def images(data: str | None):
    """Training and test images as float32 in 0…1, [n, 784]: MNIST under `data`, else the glyphs of elbo's cache."""
    if data:
        files = [mnist_file(Path(data), name) for name in ("train-images-idx3-ubyte", "t10k-images-idx3-ubyte")]
        import numpy as np

        def idx(path: Path):
            opened = gzip.open(path) if path.suffix == ".gz" else open(path, "rb")
            with opened as file:
                return np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 784).astype(np.float32) / 255

        return tuple(map(idx, files))
    import h5py
    import numpy as np

    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "elbo" / "glyphs" / "glyphs.h5"
    with h5py.File(cache) as file:
        return tuple(file[name][:].reshape(-1, 784).astype(np.float32) / 255 for name in ("images", "test_images"))


def peer(form: str, threads: int, data: str | None) -> None:
    """The PyTorch side; prints the seconds of each epoch."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    train, test = (torch.from_numpy(part) for part in images(data))

    class Vae(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.hidden, self.mean, self.log_variance = nn.Linear(784, 400), nn.Linear(400, 20), nn.Linear(400, 20)
            self.decoder = nn.Sequential(nn.Linear(20, 400), nn.ReLU(), nn.Linear(400, 784))

        def loss(self, x):
            h = F.relu(self.hidden(x))
            mean, log_variance = self.mean(h), self.log_variance(h)
            logits = self.decoder(mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean))
            if form == "sigmoid":
                reconstruction = F.binary_cross_entropy(torch.sigmoid(logits), x, reduction="sum")
            else:
                reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
            return reconstruction - 0.5 * torch.sum(1 + log_variance - mean.square() - log_variance.exp())

    model = Vae()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    for _ in range(EPOCHS):
        started = time.perf_counter()
        order, total = torch.randperm(len(train)), 0.0
        for batch in order.split(128):
            optimizer.zero_grad()
            loss = model.loss(train[batch])
            loss.backward()
            optimizer.step()
            total += loss.item()
        with torch.no_grad():
            evaluated = sum(model.loss(batch).item() for batch in test.split(500))
        print(json.dumps({"seconds": time.perf_counter() - started, "train": total / 60000, "test": evaluated / 10000}))


def peer_seconds(form: str, threads: int, data: str | None) -> float:
    command = [sys.executable, __file__, "--peer", form, "--threads", str(threads)] + (["--data", data] if data else [])
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return statistics.median(json.loads(line)["seconds"] for line in lines[1:])


def elbo_seconds(n: int, threads: int, data: str | None) -> float:
    """Seconds of an epoch per model, in a cohort of `n`."""
    cells = [
        {
            "dataset": {"name": "mnist" if data else "glyphs"},
            "model": {"hidden": [400], "latent_dim": 20},
            "objective": {},
            "optimizer": {"adam": {"learning_rate": 1e-3}},
            "training": {"epochs": EPOCHS, "batch_size": 128, "seed": seed},
        }
        for seed in range(n)
    ]
    with tempfile.TemporaryDirectory() as results:
        program = str(BIN / "elbo-train")
        told = subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout
        version, protocol = re.fullmatch(r"elbo-train (\S+) \(protocol (\d+)\)\n", told).groups()
        settings = {"results": results, "data": data, "threads": {"count": threads, "asked": True}, "device": "cpu", "checkpoint_every_seconds": 10}
        job = {"version": {"protocol": int(protocol), "program": version}, "settings": settings, "task": "train", "cells": cells}
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        worker = subprocess.run(
            [program], check=True, capture_output=True, text=True, input=json.dumps(job), env=environment
        )
    events = [message["event"] for message in map(json.loads, worker.stdout.splitlines()) if "event" in message]
    epochs = [e["seconds"] for e in events if e["event"] == "epoch" and e["run_id"] == events[0]["run_id"]]
    return statistics.median(epochs[1:]) / n


def start_milliseconds(command: list[str]) -> float:
    def once() -> float:
        started = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        return 1e3 * (time.perf_counter() - started)

    return statistics.median(once() for _ in range(20))


def line(name: str, row: list[float]) -> str:
    return f"{name:>5} " + " ".join(f"{value:>13.3f}" for value in row[:4]) + " |" + "".join(f"{v:>9.3f}" for v in row[4:])


def compare_epochs(rounds: int, threads: int, data: str | None) -> None:
    heads = ["torch sigmoid", "torch logits", "single", "of four"]
    ratios = [("single", 2, 0), ("of four", 3, 0), ("single", 2, 1), ("of four", 3, 1)]
    print(f"seconds of an epoch per model, {threads} threads; then ratios to torch sigmoid and to torch logits")
    print("round " + " ".join(f"{head:>13}" for head in heads) + " |" + "".join(f"{name:>9}" for name, _, _ in ratios), flush=True)
    rows = []
    for i in range(rounds):
        row = [peer_seconds(form, threads, data) for form in ("sigmoid", "logits")]
        row += [elbo_seconds(n, threads, data) for n in (1, 4)]
        row += [row[ours] / row[theirs] for _, ours, theirs in ratios]
        rows.append(row)
        print(line(str(i + 1), row), flush=True)
    for name, choose in [("min", min), ("med", statistics.median), ("max", max)]:
        print(line(name, [choose(column) for column in zip(*rows)]))


def compare_starts() -> None:
    elbo = start_milliseconds([str(BIN / "elbo"), "list"])
    python = start_milliseconds([sys.executable, "-S", "-c", "pass"])
    print(f"\nstart of `elbo list` {elbo:.1f} ms, of an empty Python {python:.1f} ms: ratio {elbo / python:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--data", default=os.environ.get("ELBO_DATA"), help="folder with MNIST; without it, the glyphs")
    parser.add_argument("--only", choices=["epochs", "nll", "start"], help="time nothing else")
    parser.add_argument("--peer", metavar="FORM|WEIGHTS", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer in ("sigmoid", "logits"):
        return peer(options.peer, options.threads, options.data)
    if options.peer:
        return bench_nll.peer(Path(options.peer), images(options.data)[1], options.threads)

    if options.data:
        images(options.data)  # says what is missing before anything is timed
    else:
        subprocess.run([str(BIN / "elbo"), "data", "prepare", "glyphs"], check=True, stdout=subprocess.DEVNULL)
    if options.only in (None, "epochs"):
        compare_epochs(options.rounds, options.threads, options.data)
    if options.only in (None, "nll"):
        bench_nll.compare(BIN / "elbo", options.rounds, options.threads, options.data, images(options.data)[0])
    if options.only in (None, "start"):
        compare_starts()


if __name__ == "__main__":
    main()
