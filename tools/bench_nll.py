"""Time −log p(x) by importance sampling against pythae's `get_nll`: the same weights, images and number of samples, in turns.

The model is 784-400-20-400-784 with a Bernoulli decoder, trained for two epochs in PyTorch. What is timed is a sample of an image:
of `elbo evaluate --weights` the difference of two calls with more and with fewer images, so that start-up and loading cancel; of
pythae a call of `get_nll` with its defaults. Both estimates are printed: they are of the same number.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SAMPLES = 5000
PEER_IMAGES = 10
EXPERIMENT = """\
name: bench-nll
dataset: {{ name: {dataset} }}
model: {{ hidden: [400], latent_dim: 20 }}
"""


def network():
    """Encoder and decoder of pythae's kinds, named as in elbo's files."""
    import torch
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder
    from torch import nn

    class Encoder(BaseEncoder):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = nn.Sequential(nn.Linear(784, 400), nn.ReLU())
            self.mean, self.log_variance = nn.Linear(400, 20), nn.Linear(400, 20)

        def forward(self, x):
            h = self.encoder(x.reshape(len(x), -1))
            return ModelOutput(embedding=self.mean(h), log_covariance=self.log_variance(h))

    class Decoder(BaseDecoder):
        def __init__(self) -> None:
            super().__init__()
            self.decoder = nn.Sequential(nn.Linear(20, 400), nn.ReLU(), nn.Linear(400, 784))

        def forward(self, z):
            return ModelOutput(reconstruction=torch.sigmoid(self.decoder(z)).reshape(-1, 1, 28, 28))

    return Encoder(), Decoder()


def train(path: Path, images, threads: int) -> None:
    import torch
    from safetensors.torch import save_file
    from torch.nn import functional as F

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    encoder, decoder = network()
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=1e-3)
    images = torch.from_numpy(images)
    for _ in range(2):
        for batch in torch.randperm(len(images)).split(128):
            x = images[batch]
            q = encoder(x)
            z = q.embedding + torch.exp(0.5 * q.log_covariance) * torch.randn_like(q.embedding)
            kl = 0.5 * (q.embedding**2 + q.log_covariance.exp() - 1 - q.log_covariance).sum()
            loss = F.binary_cross_entropy_with_logits(decoder.decoder(z), x, reduction="sum") + kl
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    save_file({**encoder.state_dict(), **decoder.state_dict()}, str(path))


def peer(weights: Path, images, threads: int) -> None:
    """pythae's side; prints the seconds of a sample of an image and the estimate."""
    import torch
    from pythae.models import VAE, VAEConfig
    from safetensors.torch import load_file

    torch.set_num_threads(threads)
    encoder, decoder = network()
    state = load_file(str(weights))
    encoder.load_state_dict({name: value for name, value in state.items() if not name.startswith("decoder")})
    decoder.load_state_dict({name: value for name, value in state.items() if name.startswith("decoder")})
    model = VAE(VAEConfig(input_dim=(1, 28, 28), latent_dim=20, reconstruction_loss="bce"), encoder, decoder)
    x = torch.from_numpy(images[:PEER_IMAGES]).reshape(-1, 1, 28, 28)
    with torch.no_grad():
        model.get_nll(x[:1], n_samples=SAMPLES)
        started = time.perf_counter()
        log_p = model.get_nll(x, n_samples=SAMPLES)
    print(json.dumps({"seconds": (time.perf_counter() - started) / (SAMPLES * PEER_IMAGES), "nll": -float(log_p)}))


def peer_told(weights: Path, threads: int, data: str | None) -> dict:
    """pythae in a process of its own."""
    command = [sys.executable, str(Path(__file__).with_name("bench.py")), "--peer", str(weights), "--threads", str(threads)]
    command += ["--data", data] if data else []
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def elbo(program: Path, folder: Path, weights: Path, n_images: int, threads: int, data: str | None) -> dict:
    """Wall-clock seconds of `elbo evaluate --weights`, its peak memory in MB and its estimate."""
    experiment = folder / "bench-nll.yaml"
    experiment.write_text(EXPERIMENT.format(dataset="mnist" if data else "glyphs"))
    command = [str(program), "evaluate", str(experiment), "--weights", str(weights), "--json", "--threads", str(threads)]
    command += ["--importance-samples", str(SAMPLES), "--images", str(n_images), "--results", str(folder / "results")]
    command += ["--data", data] if data else []
    started = time.perf_counter()
    worker = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    told = worker.stdout.read()
    _, status, usage = os.wait4(worker.pid, 0)
    if status != 0:
        sys.exit(f"error: `{' '.join(command)}` failed")
    row = next(row for row in json.loads(told)["rows"] if re.fullmatch(r"(pseudo_)?nll", row["metric"]))
    return {"seconds": time.perf_counter() - started, "nll": row["value"], "megabytes": usage.ru_maxrss / 1024}


def compare(program: Path, rounds: int, threads: int, data: str | None, train_images) -> None:
    """One line a round, then what 10,000 images would take."""
    few, many = 40, 440
    print(f"\nmicroseconds of an importance sample of an image, {SAMPLES} an image, {threads} threads")
    print(f"round {'pythae':>13} {'elbo':>13} |{'ratio':>9}", flush=True)
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        weights = folder / "model.safetensors"
        train(weights, train_images, threads)
        for i in range(rounds):
            theirs = peer_told(weights, threads, data)
            runs = {n: elbo(program, folder, weights, n, threads, data) for n in (few, many)}
            ours = (runs[many]["seconds"] - runs[few]["seconds"]) / (SAMPLES * (many - few))
            rows.append((theirs["seconds"], ours))
            print(f"{i + 1:>5} {theirs['seconds'] * 1e6:>13.2f} {ours * 1e6:>13.2f} |{theirs['seconds'] / ours:>9.1f}", flush=True)
        same = elbo(program, folder, weights, PEER_IMAGES, threads, data)
    ours = sorted(ours for _, ours in rows)[len(rows) // 2]
    print(f"10,000 images at the median: {ours * SAMPLES * 10_000:.0f} s; {runs[many]['megabytes']:.0f} MB at most")
    print(f"−log p(x) of the same {PEER_IMAGES} images: pythae {theirs['nll']:.2f}, elbo {same['nll']:.2f} nats")
