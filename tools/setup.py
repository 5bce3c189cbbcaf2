"""Fetch what elbo needs: pinned libtorch into the user's cache, `just`, CMake and Python packages into the checkout.

Usage: setup.py                what building needs; SHA-256 of every wheel stands in `tools/*.txt`
       setup.py notebooks      also `.tools/notebooks/python`, an interpreter with `notebooks/requirements.txt`
       setup.py torch          also `.tools/torch/python`, an interpreter with `tools/torch.txt`, for benchmarks and golden numbers

Running this again when all is in place takes milliseconds. Environment: `LIBTORCH` (use this libtorch, fetch none), `ELBO_LIBTORCH` (`cpu` or `cuda`; default `cpu`),
`XDG_CACHE_HOME` (where the shared copy lies; default `~/.cache`).
"""

import fcntl
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".tools"
LINK = ROOT / ".libtorch"
TORCH_VERSION = "2.11.0"
# libtorch is the same in the wheels of every Python, so one is named: a user's own Python then does not matter.
WHEEL_OPTIONS = ["--no-deps", "--only-binary=:all:", "--require-hashes"]
WHEEL_TARGET = ["--python-version", "3.11", "--implementation", "cp", "--abi", "cp311", "--abi", "none"] + [
    option
    for tag in ("_2_28", "_2_27", "_2_25", "_2_18", "_2_17", "2014", "2010", "1")
    for option in ("--platform", f"manylinux{tag}_x86_64")
]
CPU_LIBRARIES = ("libtorch_cpu.so", "libc10.so", "libgomp.so.1", "libcudart.so.13", "libcupti.so.13")


def fail(message: str) -> None:
    sys.exit(f"error: {message}")


def pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", *arguments]
    if subprocess.run(command, stdout=sys.stderr).returncode != 0:
        fail(f"`{' '.join(command)}` failed\nhint: is pip installed, and does a package index answer?")


def install(requirements: Path, target: Path, *options: str) -> None:
    """Install packages into a folder of their own; no root and no virtual environment needed."""
    stamp = target.with_suffix(".stamp")
    if stamp.exists() and stamp.read_text() == requirements.read_text():
        return
    print(f"setup: installing {requirements.relative_to(ROOT)} into {target.relative_to(ROOT)}", file=sys.stderr)
    shutil.rmtree(target, ignore_errors=True)
    pip("install", "--disable-pip-version-check", "--root-user-action=ignore", *options, "--target", str(target), "-r", str(requirements))
    stamp.write_text(requirements.read_text())


def install_build_tools() -> None:
    install(ROOT / "tools" / "build-tools.txt", TOOLS / "python", *WHEEL_OPTIONS)


def install_interpreter(requirements: Path, name: str) -> None:
    """An executable `.tools/NAME/python` that finds these packages."""
    packages = TOOLS / f"{name}-packages"
    install(requirements, packages, "--only-binary=:all:")
    launcher = TOOLS / name / "python"
    text = f'#!/bin/sh\nPYTHONPATH="{packages}" exec "{sys.executable}" "$@"\n'
    if not launcher.exists() or launcher.read_text() != text:
        launcher.parent.mkdir(exist_ok=True)
        launcher.write_text(text)
        launcher.chmod(0o755)


def wheels(requirements: Path, into: Path) -> list[Path]:
    print(f"setup: fetching libtorch {TORCH_VERSION} ({requirements.stem}); once for all clones", file=sys.stderr)
    pip("download", "--disable-pip-version-check", *WHEEL_OPTIONS, *WHEEL_TARGET, "--dest", str(into), "-r", str(requirements))
    return sorted(into.glob("*.whl"))


def unpack_cpu(archive: zipfile.ZipFile, into: Path) -> None:
    for entry in archive.infolist():
        path = Path(entry.filename)
        if path.name in CPU_LIBRARIES and "lib" in path.parts:
            target = into / "lib" / path.name
        elif path.parts[:2] == ("torch", "include"):
            target = into / Path(*path.parts[1:])
        else:
            continue
        if not entry.is_dir():
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(entry) as source, open(target, "wb") as copy:
                shutil.copyfileobj(source, copy)


def build_libtorch(kind: str, into: Path) -> Path:
    """Lay out a folder that `LIBTORCH` may name; returns that folder."""
    requirements = ROOT / "tools" / f"libtorch-{kind}.txt"
    with tempfile.TemporaryDirectory(dir=into.parent) as download:
        for wheel in wheels(requirements, Path(download)):
            with zipfile.ZipFile(wheel) as archive:
                if kind == "cpu":
                    unpack_cpu(archive, into)
                else:
                    # The CUDA libraries find each other by run paths relative to the wheels' own layout.
                    archive.extractall(into)
            wheel.unlink()
    if kind == "cpu":
        (into / "lib" / "libtorch.so").write_text("INPUT(-ltorch_cpu)\n")
        home = into
    else:
        home = into / "torch"
    (home / "build-version").write_text(f"{TORCH_VERSION}\n")
    return home


def libtorch(kind: str) -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "elbo"
    cache.mkdir(parents=True, exist_ok=True)
    place = cache / f"libtorch-{TORCH_VERSION}-{kind}"
    home = place if kind == "cpu" else place / "torch"
    with open(cache / f".libtorch-{kind}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "build-version").exists():
            shutil.rmtree(place, ignore_errors=True)
            unfinished = Path(tempfile.mkdtemp(prefix=".libtorch-", dir=cache))
            try:
                build_libtorch(kind, unfinished)
                os.replace(unfinished, place)
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)
    return home


def point_checkout_at(home: Path) -> None:
    """`.cargo/config.toml` names `.libtorch`, so plain `cargo` needs no variable."""
    if LINK.is_symlink() and os.readlink(LINK) == str(home):
        return
    if LINK.exists() and not LINK.is_symlink():
        fail(f"`{LINK}` is not a symbolic link\nhint: move it away; setup puts a link to the libtorch in use there")
    temporary = LINK.with_name(f".libtorch-{os.getpid()}")
    temporary.symlink_to(home)
    os.replace(temporary, LINK)


INTERPRETERS = {"notebooks": ROOT / "notebooks" / "requirements.txt", "torch": ROOT / "tools" / "torch.txt"}


def check_platform() -> None:
    """The digests in `tools/*.txt` are of wheels for one platform; on another, pip would only say that they differ."""
    here = (platform.system(), platform.machine().lower())
    if here not in (("Linux", "x86_64"), ("Linux", "amd64")):
        fail(
            f"the pinned libtorch and build tools are for Linux on x86-64, and this is {here[0]} on {here[1]}\n"
            "hint: `cargo build --workspace` with a libtorch 2.11 of your own in `LIBTORCH` and a CMake in `CMAKE` may work; nobody has tried"
        )


def main() -> None:
    check_platform()
    wanted = sys.argv[1:]
    if any(name not in INTERPRETERS for name in wanted):
        fail(f"unknown argument in `{' '.join(wanted)}`\nhint: use {' or '.join(INTERPRETERS)}, or none")
    TOOLS.mkdir(exist_ok=True)
    with open(TOOLS / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        install_build_tools()
        for name in wanted:
            install_interpreter(INTERPRETERS[name], name)
        own = os.environ.get("LIBTORCH")
        if own:
            if not (Path(own) / "lib").is_dir():
                fail(f"`LIBTORCH` is `{own}`, which has no folder `lib`\nhint: unset it, and setup fetches libtorch")
            return
        kind = os.environ.get("ELBO_LIBTORCH", "cpu")
        if kind not in ("cpu", "cuda"):
            fail(f"`ELBO_LIBTORCH` is `{kind}`\nhint: use `cpu` or `cuda`")
        point_checkout_at(libtorch(kind))


if __name__ == "__main__":
    main()
