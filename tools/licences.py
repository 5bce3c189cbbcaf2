"""Gather the licence notices of all that is in an archive of elbo: its own, those of crates, of libtorch, of Rust's and the compiler's libraries."""

import json
import re
import subprocess
from pathlib import Path

from setup import ROOT, fail

NOTICE = re.compile(r"(un)?licen[sc]e|copying|copyright|notice", re.IGNORECASE)
# Where distributions keep the GPL and its exception for the run-time libraries: Debian and its kin, Fedora, Arch.
COMPILER_PATTERNS = {
    "usr/share/doc": ("libstdc++6/copyright", "libgcc-s1/copyright"),
    "usr/share/common-licenses": ("GPL-3",),
    "usr/share/licenses": ("libstdc++/COPYING*", "libgcc/COPYING*", "gcc-libs/*"),
}


def shipped_packages(metadata: dict) -> list[dict]:
    """The crates of others that are linked into the two programs, and the macros that wrote parts of them."""
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    queue = list(metadata["workspace_members"])
    seen = set(queue)
    while queue:
        for edge in nodes[queue.pop()]["deps"]:
            if edge["pkg"] not in seen and any(kind["kind"] is None for kind in edge["dep_kinds"]):
                seen.add(edge["pkg"])
                queue.append(edge["pkg"])
    others = [packages[key] for key in seen if packages[key]["source"]]
    return sorted(others, key=lambda package: (package["name"], package["version"]))


def texts_in(folder: Path) -> list[str]:
    """Licences and notices in a package's folder, those of C code in it too; each once, in the order of their paths."""
    files = sorted(path for path in folder.rglob("*") if NOTICE.match(path.name) and path.is_file() and path.suffix != ".rs")
    return list(dict.fromkeys(path.read_text("utf-8", "replace").strip() for path in files))


def crates_notice(packages: list[dict]) -> str:
    """One text: each crate with its licence, its source and the numbers of its texts; then the texts, each once."""
    own = {package["id"]: texts_in(Path(package["manifest_path"]).parent) for package in packages}
    numbers: dict[str, int] = {}
    listed = []
    for package in packages:
        texts = own[package["id"]]
        if not texts:
            # A crate that leaves its licence out has that of its repository's other crates.
            beside = [other for other in packages if other["repository"] and other["repository"] == package["repository"]]
            texts = list(dict.fromkeys(text for other in beside for text in own[other["id"]]))
        refer = ", ".join(str(numbers.setdefault(text, len(numbers) + 1)) for text in texts)
        terms = package["license"] or f"as in its file {package['license_file']}"
        listed.append(f"{package['name']} {package['version']}\n  {terms}\n  {package['repository'] or 'no repository named'}")
        listed.append(f"  texts: {refer}\n" if refer else "  its package has no text; that of its licence is below\n")
    head = "elbo is built with these crates. Their licences and notices follow by number; of several joined by OR, elbo takes whichever is free of copyleft.\n"
    bodies = [f"{'=' * 30} text {number} {'=' * 30}\n\n{text}\n" for text, number in numbers.items()]
    return "\n".join([head, *listed, *bodies])


def compiler_notices(root: Path) -> dict[str, bytes]:
    """Licences of libstdc++ and libgcc as this machine's distribution has them."""
    found = {}
    for folder, patterns in COMPILER_PATTERNS.items():
        for path in (path for pattern in patterns for path in sorted((root / folder).glob(pattern))):
            found["-".join(path.relative_to(root / folder).parts)] = path.read_bytes()
    return found


def tree(folder: Path, name: str) -> dict[str, bytes]:
    return {f"{name}/{path.relative_to(folder)}": path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def notices(libtorch: Path, of_compiler: dict[str, Path]) -> dict[str, bytes]:
    """Every file by its name in the folder of licences."""

    def said(*command: str) -> str:
        return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout

    host = next(line.removeprefix("host: ") for line in said("rustc", "-vV").splitlines() if line.startswith("host: "))
    metadata = json.loads(said("cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", host))
    found = {"LICENSE": (ROOT / "LICENSE").read_bytes(), "crates.txt": crates_notice(shipped_packages(metadata)).encode()}
    of_libtorch = tree(libtorch / "licenses", "libtorch")
    if not of_libtorch:
        fail(f"`{libtorch}` has no folder `licenses`, which an archive needs\nhint: unset `LIBTORCH`; `./just setup` fetches one that has it")
    of_rust = Path(said("rustc", "--print", "sysroot").strip()) / "share" / "doc" / "rust" / "COPYRIGHT-library.html"
    if not of_rust.exists():
        fail(f"there is no `{of_rust}`, the licences of Rust's standard library\nhint: install Rust by rustup, which puts it there")
    of_gcc = {f"gcc/{name}": text for name, text in compiler_notices(Path("/")).items()}
    if of_compiler and not of_gcc:
        fail(
            f"no licence of {', '.join(sorted(of_compiler))} was found\n"
            f"hint: put the distribution's text into one of {', '.join(f'`/{folder}`' for folder in COMPILER_PATTERNS)}"
        )
    return found | of_libtorch | {f"rust/{of_rust.name}": of_rust.read_bytes()} | of_gcc
