"""Run the default sweep from an archive of elbo in a root that has nothing else, and see that it does well.

Usage: dist_check.py ARCHIVE [options of `elbo sweep`, such as `--set training.epochs=1`]

The root is an empty folder, without checkout, Python, compiler, shell or network. What every Linux has is put there: the C library and its loader,
copied from this machine, which stands for another one, and `/proc`. Needs `unshare` and `chroot`; where you are not root, also a kernel that lets users
have namespaces of their own.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from setup import fail

EXPERIMENT = "sweep"


def namespace() -> list[str]:
    """The command that gives another one a root, processes and a network of its own."""
    command = ["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child"]
    command += [] if os.geteuid() == 0 else ["--map-root-user"]
    if shutil.which("unshare") is None or shutil.which("chroot") is None:
        fail("`unshare` and `chroot` are not both here\nhint: they are in util-linux and coreutils")
    if subprocess.run([*command, "true"], capture_output=True).returncode != 0:
        fail(f"`{' '.join(command)}` is not allowed here\nhint: run this as root, or where users may have namespaces")
    return command


def unpack(archive: Path, root: Path) -> str:
    """Returns the folder in the root that the archive holds."""
    subprocess.run(["tar", "-xzf", str(archive), "-C", str(root)], check=True)
    (folder,) = root.iterdir()
    return folder.name


def add_c_library(root: Path, folder: str) -> list[str]:
    """Copies what the programs need of this machine to where they look for it: the C library alone, or the archive lacks something."""
    added = set()
    for program in ("elbo", "elbo-train"):
        told = subprocess.run(["ldd", str(root / folder / "bin" / program)], check=True, capture_output=True, text=True).stdout
        if "not found" in told:
            fail(f"the archive lacks a library\n{told}")
        places = [line.split(" => ")[-1].strip().rpartition(" (")[0] for line in told.splitlines()]
        added |= {place for place in places if place.startswith("/") and not Path(place).is_relative_to(root)}
    for place in sorted(added):
        target = root / place.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(place, target)
        target.chmod(0o755)
    return sorted(Path(place).name for place in added)


def check(archive: Path, root: Path, options: list[str]) -> None:
    folder = unpack(archive, root)
    added = add_c_library(root, folder)
    for name in ("proc", "tmp", "home"):
        (root / name).mkdir()
    print(f"root: {folder}, /proc, and of this machine {', '.join(added)}")

    def inside(*arguments: str, **more) -> subprocess.CompletedProcess:
        script = 'mount -t proc proc "$1/proc" && exec env -i HOME=/home "$0" "$@"'
        command = [*namespace(), "sh", "-c", script, shutil.which("chroot"), str(root), f"/{folder}/bin/elbo", *arguments]
        return subprocess.run(command, **more)

    started = time.perf_counter()
    if inside("sweep", EXPERIMENT, *options).returncode != 0:
        fail("the sweep failed")
    seconds = time.perf_counter() - started
    listed = inside("list", "--json", check=True, stdout=subprocess.PIPE).stdout
    statuses = Counter(run["status"] for run in json.loads(listed)["runs"])
    reports = list((root / "results" / "sweeps").glob("*/report.html"))
    if set(statuses) != {"done"} or len(reports) != 1:
        fail(f"runs are {dict(statuses)}, and there are {len(reports)} reports; expected all done, and one report")
    print(f"{statuses['done']} runs done, and their report, in {seconds:.0f} s; the archive has {archive.stat().st_size / 1e6:.0f} MB")


def main() -> None:
    if len(sys.argv) < 2:
        fail("which archive?\nhint: `./just dist-check` makes one and checks it")
    namespace()
    with tempfile.TemporaryDirectory(prefix="elbo-root-") as root:
        check(Path(sys.argv[1]), Path(root), sys.argv[2:])


if __name__ == "__main__":
    main()
