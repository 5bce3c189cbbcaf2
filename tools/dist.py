"""Install elbo into a prefix, or make one archive of it that runs on a Linux machine that has nothing but a C library.

Usage: dist.py install [PREFIX]      into PREFIX; default `~/.local`
       dist.py uninstall [PREFIX]    remove what `install` put there, and nothing else
       dist.py archive               prints the archive's path, in `target/dist`

Both are built with the release profile and have one layout: `bin/`, `lib/elbo/` with libtorch, `share/` with manual pages, completions
and experiments. The archive also has the compiler's run-time libraries and every licence notice (`licences.py`). `bin/` finds `lib/elbo` by a relative
run path. With a CUDA libtorch, which is too large to copy, what is installed finds it where it lies, and there is no archive.
"""

import gzip
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import licences
from setup import ROOT, choose_platform, fail

RELEASE = ROOT / "target" / "release"
PROGRAMS = ("elbo", "elbo-train")
RUN_PATH = "$ORIGIN/../lib/elbo"
# Where each shell looks for completions of a program of the same prefix.
COMPLETIONS = {
    "bash": "share/bash-completion/completions/elbo",
    "zsh": "share/zsh/site-functions/_elbo",
    "fish": "share/fish/vendor_completions.d/elbo.fish",
}
MANIFEST = "share/elbo/installed.txt"
# Belong to the machine and its kernel: a C library of another machine would not work with the loader of this one.
C_LIBRARY = re.compile(r"(linux-vdso|ld-linux[\w-]*|lib(c|m|dl|rt|pthread|util|resolv))\.so\.\d+")

Layout = dict[str, Path | bytes]


def libtorch() -> Path:
    return Path(os.environ.get("LIBTORCH") or ROOT / ".libtorch").resolve()


def is_cuda(home: Path) -> bool:
    return (home / "lib" / "libtorch_cuda.so").exists()


def build(home: Path) -> None:
    run_path = f"{home}/lib" if is_cuda(home) else RUN_PATH
    print("building with the release profile; 10 to 30 minutes at the first call", file=sys.stderr)
    command = ["cargo", "build", "--workspace", "--release", "--locked", "--quiet"]
    if subprocess.run(command, cwd=ROOT, env={**os.environ, "ELBO_RUN_PATH": run_path}).returncode != 0:
        fail("the build failed")


def needed_libraries(program: Path, search: Path) -> dict[str, Path]:
    """Name and place of every shared library that a program needs, those of others among them, but for the C library's."""
    environment = {**os.environ, "LD_LIBRARY_PATH": str(search), "LC_ALL": "C"}
    told = subprocess.run(["ldd", str(program)], env=environment, check=True, capture_output=True, text=True).stdout
    return parse_ldd(told)


def parse_ldd(told: str) -> dict[str, Path]:
    found = {}
    for line in told.splitlines():
        name, arrow, place = line.strip().partition(" => ")
        if not arrow or C_LIBRARY.fullmatch(name):
            continue
        if place.startswith("not found"):
            fail(f"no `{name}`, which elbo needs, is here\nhint: is `LIBTORCH` what elbo was built with?")
        found[name] = Path(place.rpartition(" (")[0])
    return found


def libraries(home: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """Those of libtorch, and those of the compiler."""
    needed: dict[str, Path] = {}
    for program in PROGRAMS:
        needed |= needed_libraries(RELEASE / program, home / "lib")
    of_libtorch = {name: path for name, path in needed.items() if path.resolve().is_relative_to(home)}
    return of_libtorch, {name: path for name, path in needed.items() if name not in of_libtorch}


def elbo(*arguments: str) -> bytes:
    return subprocess.run([str(RELEASE / "elbo"), *arguments], check=True, stdout=subprocess.PIPE).stdout


def common_layout(copied: dict[str, Path]) -> Layout:
    """What an installation and the archive share, each file by its path below the prefix."""
    layout: Layout = {f"bin/{program}": RELEASE / program for program in PROGRAMS}
    layout |= {f"lib/elbo/{name}": path.resolve() for name, path in copied.items()}
    layout |= {path: elbo("completions", shell) for shell, path in COMPLETIONS.items()}
    with tempfile.TemporaryDirectory() as pages:
        elbo("man", pages)
        layout |= {f"share/man/man1/{page.name}": page.read_bytes() for page in Path(pages).iterdir()}
    experiments = ROOT / "experiments"
    layout |= {f"share/elbo/experiments/{path.relative_to(experiments)}": path for path in experiments.rglob("*.yaml")}
    return layout


def mode(path: str) -> int:
    return 0o755 if path.startswith(("bin/", "lib/")) else 0o644


def put(source: Path | bytes, target: Path, permissions: int) -> None:
    """By a rename, so that a program that runs is not written into; libraries as hard links where that is possible."""
    target.parent.mkdir(parents=True, exist_ok=True)
    new = target.with_name(f".{target.name}.new")
    new.unlink(missing_ok=True)
    if isinstance(source, bytes):
        new.write_bytes(source)
        new.chmod(permissions)
    elif not (".so" in source.name and is_linked(source, new)):
        shutil.copyfile(source, new)
        new.chmod(permissions)
    os.replace(new, target)


def is_linked(source: Path, new: Path) -> bool:
    try:
        os.link(source, new)
    except OSError:
        return False
    return True


def installed(prefix: Path) -> set[str]:
    manifest = prefix / MANIFEST
    return set(manifest.read_text().splitlines()) if manifest.exists() else set()


def remove(prefix: Path, paths: set[str]) -> None:
    """These files, and the folders that are empty without them."""
    for path in paths:
        (prefix / path).unlink(missing_ok=True)
    for folder in sorted({parent for path in paths for parent in Path(path).parents}, key=lambda folder: -len(folder.parts)):
        if folder.parts and (prefix / folder).is_dir() and not any((prefix / folder).iterdir()):
            (prefix / folder).rmdir()


def lay_out(layout: Layout, prefix: Path) -> None:
    """Put files below a prefix, and remove those of an earlier installation that are no more."""
    paths = set(layout) | {MANIFEST}
    old = installed(prefix)
    # Named before they are there, so that a broken installation can be removed too.
    put("".join(f"{path}\n" for path in sorted(paths | old)).encode(), prefix / MANIFEST, 0o644)
    for path, source in layout.items():
        put(source, prefix / path, mode(path))
    remove(prefix, old - paths)
    put("".join(f"{path}\n" for path in sorted(paths)).encode(), prefix / MANIFEST, 0o644)


def install(prefix: Path) -> None:
    home = libtorch()
    build(home)
    copied = {} if is_cuda(home) else libraries(home)[0]
    try:
        lay_out(common_layout(copied), prefix)
    except PermissionError as error:
        fail(f"`{error.filename}` cannot be written\nhint: name a prefix of your own, as in `./just install ~/.local`")
    print(f"installed {', '.join(PROGRAMS)} into {prefix / 'bin'}; `./just uninstall {prefix}` removes them")
    if str(prefix / "bin") not in os.environ.get("PATH", "").split(os.pathsep):
        print(f'hint: your shell does not look there; put `export PATH="{prefix}/bin:$PATH"` into its start-up file')


def uninstall(prefix: Path) -> None:
    paths = installed(prefix)
    if not paths:
        fail(f"nothing that `./just install` put there is in `{prefix}`")
    remove(prefix, paths)
    print(f"removed {len(paths)} files from {prefix}")


def newest_glibc(files: list[Path]) -> str:
    """The newest version of the C library's symbols that these files name."""
    versions = {match for file in files for match in re.findall(rb"GLIBC_2\.(\d+)", file.read_bytes())}
    return f"2.{max(map(int, versions))}"


README = """# elbo

Variational autoencoders as experiments: plan, train, compare and draw. For {platform} with glibc {glibc} or newer; nothing else is needed.
Built from commit {commit}.

    bin/elbo --help
    bin/elbo sweep sweep            # the default sweep: 12 models on the embedded digits, then figures and a report in results/
    bin/elbo list                   # the runs there are

This folder may lie anywhere; put its `bin` into `PATH`. `share/elbo/experiments` has experiments, which `elbo sweep` and the others
know by name; `share/man` the manual pages (`man -M share/man elbo`); `share/bash-completion`, `share/zsh` and `share/fish` what completes commands
in shells. To remove elbo, remove this folder.

`lib/elbo` has libtorch and the compiler's run-time libraries. Licences of elbo and of everything it is built with: `share/licenses/elbo`.
"""


def git(*arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""


def archive() -> None:
    here = choose_platform(os.uname().sysname, os.uname().machine)
    home = libtorch()
    if is_cuda(home):
        fail("an archive has the CPU's libtorch, and this is CUDA's\nhint: `ELBO_LIBTORCH=cpu ./just dist`")
    build(home)
    of_libtorch, of_compiler = libraries(home)
    layout = common_layout(of_libtorch | of_compiler)
    layout |= {f"share/licenses/elbo/{path}": text for path, text in licences.notices(home, of_compiler).items()}
    binaries = [source for path, source in layout.items() if mode(path) == 0o755 and isinstance(source, Path)]
    commit = git("rev-parse", "HEAD") + (" with changes" if git("status", "--porcelain") else "")
    layout["README.md"] = README.format(platform=here.name, glibc=newest_glibc(binaries), commit=commit or "unknown").encode()
    version = elbo("--version").decode().split()[1]
    name = f"elbo-{version}-{here.name}"
    path = ROOT / "target" / "dist" / f"{name}.tar.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    pack(layout, name, int(git("log", "-1", "--format=%ct") or 0), path)
    print(path)


def pack(layout: Layout, name: str, time: int, path: Path) -> None:
    """One archive whose bytes depend on its files alone, and not on who packs them when."""
    unfinished = path.with_name(f".{path.name}.new")
    with open(unfinished, "wb") as file, gzip.GzipFile("", "wb", 6, file, 0) as zipped, tarfile.open(fileobj=zipped, mode="w") as tar:
        for inner, source in sorted(layout.items()):
            entry = tarfile.TarInfo(f"{name}/{inner}")
            entry.mode, entry.mtime = mode(inner), time
            if isinstance(source, bytes):
                entry.size = len(source)
                tar.addfile(entry, io.BytesIO(source))
            else:
                entry.size = source.stat().st_size
                with open(source, "rb") as content:
                    tar.addfile(entry, content)
    os.replace(unfinished, path)


def main() -> None:
    match sys.argv[1:]:
        case ["archive"]:
            archive()
        case ["install" | "uninstall" as command, *rest] if len(rest) < 2:
            prefix = Path(rest[0] if rest and rest[0] else "~/.local").expanduser().absolute()
            (install if command == "install" else uninstall)(prefix)
        case _:
            fail("unknown arguments\nhint: use `install [PREFIX]`, `uninstall [PREFIX]` or `archive`")


if __name__ == "__main__":
    main()
