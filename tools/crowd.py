"""Time trainings beside each other: two `elbo sweep` at once against one alone, for a small model and the reference model.

Usage: ./just crowd [--rounds N] [--data FOLDER]

What is timed, in turns, as `elbo` lays it out by itself: one training alone, then two at once, each in a process and a results
folder of its own. And, as what a quiet machine could do at best, one alone with a fixed number of threads that spin for each
other as long as OpenMP's library does by itself: one thread, and as many as there are cores. A time is that of all epochs,
without start-up and loading. The models are 784-100-5 on 20,000 images and 784-400-20 on 60,000, batches of 128. Other work on
the machine shows in all numbers: the load at the start of each round stands before it, and the least of each column is the one
that it disturbed least.
"""

import argparse
import json
import os
import platform
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ELBO = ROOT / "target" / "debug" / "elbo"
MODELS = {
    "small": "model: { hidden: [100], latent_dim: 5 }\ntraining: { epochs: 10 }\ndataset: { name: DATA, train_images: 20000 }\n",
    "reference": "model: { hidden: [400], latent_dim: 20 }\ntraining: { epochs: 3 }\ndataset: { name: DATA }\n",
}
CORES = len(os.sched_getaffinity(0))
# GCC's libgomp spins so often where nothing is set.
SPINNING = {"GOMP_SPINCOUNT": "300000"}


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def start(spec: str, folder: str, data: str | None, options: list[str], environment: dict[str, str]) -> subprocess.Popen:
    experiment = Path(folder) / "crowd.yaml"
    experiment.write_text("name: crowd\n" + spec.replace("DATA", "mnist" if data else "glyphs"))
    command = [str(ELBO), "sweep", str(experiment), "--no-figures", "--results", folder + "/results", *options]
    command += ["--data", data] if data else []
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment})


def seconds(process: subprocess.Popen, folder: str) -> float:
    _, said = process.communicate()
    if process.returncode != 0:
        raise SystemExit(f"error: `elbo sweep` failed: {said}")
    (log,) = Path(folder).glob("results/runs/*/log.jsonl")
    return sum(event["seconds"] for event in map(json.loads, log.read_text().splitlines()) if event["event"] == "epoch")


def together(n: int, spec: str, data: str | None, options: list[str] = [], environment: dict[str, str] = {}) -> float:
    """Seconds of the slower of `n` trainings that run at once."""
    folders = [tempfile.TemporaryDirectory() for _ in range(n)]
    started = [(start(spec, folder.name, data, options, environment), folder) for folder in folders]
    times = [seconds(process, folder.name) for process, folder in started]
    for folder in folders:
        folder.cleanup()
    return max(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--models", nargs="*", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--data", default=os.environ.get("ELBO_DATA"), help="folder with MNIST; without it, the glyphs")
    options = parser.parse_args()
    if not options.data:
        subprocess.run([str(ELBO), "data", "prepare", "glyphs"], check=True, stdout=subprocess.DEVNULL)
    print(f"{processor()}, {CORES} cores; seconds of all epochs")
    for name in options.models:
        spec, rows = MODELS[name], []
        print(f"\n{name}\n  load  1 thread {CORES:2d} threads  alone  two at once  two / alone", flush=True)
        for _ in range(options.rounds):
            load = os.getloadavg()[0]
            fixed = [together(1, spec, options.data, ["--threads", str(n)], SPINNING) for n in (1, CORES)]
            alone, two = together(1, spec, options.data), together(2, spec, options.data)
            rows.append([*fixed, alone, two])
            print(f"{load:6.1f} {fixed[0]:9.2f} {fixed[1]:10.2f} {alone:6.2f} {two:12.2f} {two / alone:12.2f}", flush=True)
        one, many, alone, two = (min(column) for column in zip(*rows))
        lost = 100 * (alone / min(one, many) - 1)
        print(f" least {one:9.2f} {many:10.2f} {alone:6.2f} {two:12.2f} {two / alone:12.2f}   alone, {lost:+.0f} % of the best fixed number")


if __name__ == "__main__":
    main()
