"""Fetch what elbo needs, for this kind of machine: pinned libtorch into the user's cache, `just`, CMake and Python packages into the checkout.

Usage: setup.py                what building needs; SHA-256 of every wheel stands in `tools/*.txt`
       setup.py notebooks      also `.tools/notebooks/python`, an interpreter with `notebooks/requirements.txt`
       setup.py paper          also `.tools/paper/python`, an interpreter with `tools/paper.txt`, which sets pages
       setup.py torch          also `.tools/torch/python`, an interpreter with `tools/torch.txt`, for golden numbers
       setup.py bench          also `.tools/bench/python`, one with `tools/pythae.txt` as well, for benchmarks

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
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".tools"
LINK = ROOT / ".libtorch"
TORCH_VERSION = "2.11.0"
# libtorch is the same in the wheels of every Python, so one is named: a user's own Python then does not matter.
WHEEL_OPTIONS = ["--no-deps", "--only-binary=:all:", "--require-hashes"]
PYTHON_TAGS = ["--python-version", "3.11", "--implementation", "cp", "--abi", "cp311", "--abi", "none"]
CPU_LIBRARIES = ("libtorch_cpu.so", "libc10.so", "libgomp.so.1", "libcudart.so.13", "libcupti.so.13")


@dataclass(frozen=True)
class Platform:
    """A kind of machine whose wheels have their digests in `tools/*.txt`; requirements have one for each kind."""

    name: str
    tags: tuple[str, ...]  # of its wheels, as pip calls them
    libraries: tuple[str, ...]  # what of a wheel `libtorch_cpu.so` needs, itself among it
    kinds: tuple[str, ...]  # of libtorch

    def wheel_target(self) -> list[str]:
        return PYTHON_TAGS + [option for tag in self.tags for option in ("--platform", tag)]


def manylinux(machine: str) -> tuple[str, ...]:
    return tuple(f"manylinux{glibc}_{machine}" for glibc in ("_2_28", "_2_27", "_2_25", "_2_18", "_2_17", "2014", "2010", "1"))


ARM_LIBRARIES = ("libarm_compute.so", "libarm_compute_graph.so") + tuple(
    f"libnvpl_{part}.so.0" for part in ("blas_core", "blas_lp64_gomp", "lapack_core", "lapack_lp64_gomp")
)
PLATFORMS = {
    ("Linux", "x86_64"): Platform("linux-x86_64", manylinux("x86_64"), CPU_LIBRARIES, ("cpu", "cuda")),
    ("Linux", "aarch64"): Platform("linux-aarch64", manylinux("aarch64"), CPU_LIBRARIES + ARM_LIBRARIES, ("cpu",)),
}


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


def install_interpreter(name: str) -> None:
    """An executable `.tools/NAME/python` that finds these packages."""
    folders = []
    for part, (requirements, options) in INTERPRETERS[name].items():
        folders.append(str(TOOLS / f"{part}-packages"))
        install(requirements, TOOLS / f"{part}-packages", "--only-binary=:all:", *options)
    launcher = TOOLS / name / "python"
    text = f'#!/bin/sh\nPYTHONPATH="{":".join(folders)}" exec "{sys.executable}" "$@"\n'
    if not launcher.exists() or launcher.read_text() != text:
        launcher.parent.mkdir(exist_ok=True)
        launcher.write_text(text)
        launcher.chmod(0o755)


def wheels(requirements: Path, here: Platform, into: Path) -> list[Path]:
    print(f"setup: fetching libtorch {TORCH_VERSION} ({requirements.stem}, {here.name}); once for all clones", file=sys.stderr)
    pip("download", "--disable-pip-version-check", *WHEEL_OPTIONS, *here.wheel_target(), "--dest", str(into), "-r", str(requirements))
    return sorted(into.glob("*.whl"))


def unpacked_cpu(path: Path, libraries: tuple[str, ...]) -> Path | None:
    """Where a wheel's file is put: libraries, headers and licences; `None` for the others."""
    if path.name in libraries and "lib" in path.parts:
        return Path("lib", path.name)
    if path.parts[:2] == ("torch", "include"):
        return Path(*path.parts[1:])
    if path.parts[0].endswith(".dist-info") and path.stem.lower() in ("license", "notice"):
        return Path("licenses", path.parts[0].removesuffix(".dist-info"), path.name)
    return None


def unpack_cpu(archive: zipfile.ZipFile, libraries: tuple[str, ...], into: Path) -> None:
    for entry in archive.infolist():
        place = unpacked_cpu(Path(entry.filename), libraries)
        if place is not None and not entry.is_dir():
            (into / place).parent.mkdir(parents=True, exist_ok=True)
            with archive.open(entry) as source, open(into / place, "wb") as copy:
                shutil.copyfileobj(source, copy)


def build_libtorch(kind: str, here: Platform, into: Path) -> None:
    """Lay out a folder that `LIBTORCH` may name."""
    requirements = ROOT / "tools" / f"libtorch-{kind}.txt"
    with tempfile.TemporaryDirectory(dir=into.parent) as download:
        for wheel in wheels(requirements, here, Path(download)):
            with zipfile.ZipFile(wheel) as archive:
                if kind == "cpu":
                    unpack_cpu(archive, here.libraries, into)
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


def libtorch(kind: str, here: Platform) -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "elbo"
    cache.mkdir(parents=True, exist_ok=True)
    # Machines of several kinds may share a home.
    place = cache / f"libtorch-{TORCH_VERSION}-{kind}-{here.name}"
    home = place if kind == "cpu" else place / "torch"
    with open(cache / f".libtorch-{kind}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "build-version").exists():
            shutil.rmtree(place, ignore_errors=True)
            unfinished = Path(tempfile.mkdtemp(prefix=".libtorch-", dir=cache))
            try:
                build_libtorch(kind, here, unfinished)
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


# Of each interpreter the folders of packages that it finds: their requirements, and options of pip.
TORCH = {"torch": (ROOT / "tools" / "torch.txt", ())}
INTERPRETERS = {
    "notebooks": {"notebooks": (ROOT / "notebooks" / "requirements.txt", ())},
    "paper": {"paper": (ROOT / "tools" / "paper.txt", ())},
    "torch": TORCH,
    # Its wheel asks for `dataclasses`, which would hide Python's own; so all that it needs is named.
    "bench": {**TORCH, "pythae": (ROOT / "tools" / "pythae.txt", ("--no-deps",))},
}


def choose_platform(system: str, machine: str) -> Platform:
    """The one whose wheels fit; where none does, pip would only say that digests differ."""
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(machine.lower(), machine.lower())
    if (system, machine) not in PLATFORMS:
        fail(
            f"elbo is built on {' and '.join(sorted(platform.name for platform in PLATFORMS.values()))}, and this is {system} on {machine}\n"
            "hint: use a Linux machine, a virtual one or a container; or try `cargo build --workspace` with a libtorch\n"
            f"{TORCH_VERSION} of your own in `LIBTORCH` and a CMake in `CMAKE`, which nobody has done here"
        )
    return PLATFORMS[system, machine]


def choose_kind(here: Platform, wanted: str) -> str:
    """Of libtorch: `cpu` or `cuda`."""
    if wanted not in here.kinds:
        fail(f"`ELBO_LIBTORCH` is `{wanted}`\nhint: on {here.name} use {' or '.join(f'`{kind}`' for kind in here.kinds)}")
    return wanted


def main() -> None:
    here = choose_platform(platform.system(), platform.machine())
    wanted = sys.argv[1:]
    if any(name not in INTERPRETERS for name in wanted):
        fail(f"unknown argument in `{' '.join(wanted)}`\nhint: use {' or '.join(INTERPRETERS)}, or none")
    TOOLS.mkdir(exist_ok=True)
    with open(TOOLS / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        install_build_tools()
        for name in wanted:
            install_interpreter(name)
        own = os.environ.get("LIBTORCH")
        if own:
            if not (Path(own) / "lib").is_dir():
                fail(f"`LIBTORCH` is `{own}`, which has no folder `lib`\nhint: unset it, and setup fetches libtorch")
            return
        kind = choose_kind(here, os.environ.get("ELBO_LIBTORCH", "cpu"))
        point_checkout_at(libtorch(kind, here))


if __name__ == "__main__":
    main()
