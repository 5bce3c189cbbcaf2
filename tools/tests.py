"""Tests of setup.py, dist.py, licences.py, bench.py, publish.py and paper.py that fetch and build nothing; run by `cargo test`, or by hand: python3 tools/tests.py."""

import contextlib
import io
import os
import re
import tarfile
import tempfile
import unittest
from pathlib import Path

import bench
import dist
import licences
import paper
import publish
import setup


def said(action, *arguments) -> str:
    """What the action ends with."""
    try:
        action(*arguments)
    except SystemExit as ended:
        return str(ended.code)
    raise AssertionError("it did not end")


class Papers(unittest.TestCase):
    def test_numbers_have_the_digits_that_their_intervals_leave(self):
        self.assertEqual(paper.shown("-137.497903", "", paper.decimals(["-137.497903", "5.3"])), "−137.5")
        self.assertEqual(paper.shown("8.738412", "0.0177", 2), "8.738 ± 0.018")
        self.assertEqual(paper.shown("742.8", "12.3", 2), "743 ± 12")
        self.assertEqual(paper.shown("14.0", "0.0", paper.decimals(["14.0", "8.0"])), "14")
        self.assertEqual(paper.shown("", "", 2), "–")

    def test_heads_are_words_and_ends_tell_what_differs(self):
        self.assertEqual(paper.title("latent_log_density (test, components 10, 2 dimensions)"), "latent log density (components 10, 2 dimensions)")
        self.assertEqual(paper.title("kl (train, closed form)"), "KL (train, closed form)")
        ends = [{"objective.beta": 0.5, "model.latent_dim": 20}, {"objective.beta": 2, "model.latent_dim": 20}]
        self.assertEqual(paper.differing(*ends), ["β = 0.5", "β = 2"])

    def test_wide_tables_are_cut_into_parts_that_name_their_lines(self):
        with tempfile.TemporaryDirectory() as folder:
            heads = [f"m{index},m{index}_half_width_95" for index in range(9)]
            rows = [f"gray-bce,,{beta},2,3," + ",".join("1.5,0.25" for _ in heads) for beta in (0.5, 1)]
            Path(folder, "images.csv").write_text("\n".join(["scale,variant,beta,latent_dim,n_seeds," + ",".join(heads), *rows]) + "\n")
            Path(folder, "claims.csv").write_text("claim\na\n")
            parts = paper.tables(Path(folder))
            self.assertEqual([len(part["heads"]) for part in parts], [3 + 7, 3 + 2])
            self.assertEqual(parts[1]["lines"][0], ["0.5", "2", "3", "1.50 ± 0.25", "1.50 ± 0.25"])

    def test_a_published_page_tells_verdicts_and_how_to_draw_it_again(self):
        part = {"metric": "kl", "effect": 4.77, "half_width_95": 0.125, "delta": 1}
        judged = {"rule": "ab12", "claims": [{"text": "A larger β lowers the KL.", "verdict": "holds", "comparisons": [part]}]}
        about = dict(name="tiny", question="Why?", source=None, launch="./just study tiny", n_cells=4, n_runs=3, seconds=5400, processors=["some CPU"])
        text = publish.page({**about, "started": "2026-01-02T", "ended": "2026-01-03T", "bytes": 1_250_000}, "tiny.yaml", judged, [Path("a/kl.png")])
        for line in ("| A larger β lowers the KL. | holds | kl: 4.77 ± 0.125 | 1 |", "3 of 4 runs, 1 h 30 min of training on some CPU, 2026-01-02 to 2026-01-03", "(1.2 MB)", "![kl](figures/kl.png)"):
            self.assertIn(line, text)
        self.assertNotIn("None", text)


class Platforms(unittest.TestCase):
    def test_wheels_are_those_of_the_machine(self):
        for machine, name in [("x86_64", "linux-x86_64"), ("AMD64", "linux-x86_64"), ("aarch64", "linux-aarch64"), ("arm64", "linux-aarch64")]:
            here = setup.choose_platform("Linux", machine)
            self.assertEqual(here.name, name)
            tags = [tag for tag in here.wheel_target() if tag.startswith("manylinux")]
            self.assertTrue(tags and all(tag.endswith(name.removeprefix("linux-")) for tag in tags), tags)

    def test_other_machines_are_refused_with_those_that_would_do(self):
        for system, machine in [("Darwin", "arm64"), ("Darwin", "x86_64"), ("Windows", "AMD64"), ("Linux", "riscv64")]:
            told = said(setup.choose_platform, system, machine)
            self.assertIn("linux-aarch64 and linux-x86_64", told)
            self.assertIn(system, told)
            self.assertIn("hint: ", told)

    def test_every_requirement_has_a_digest_for_each_machine(self):
        for kind in ("cpu", "cuda"):
            machines = [here for here in setup.PLATFORMS.values() if kind in here.kinds]
            for file in ["build-tools.txt", "paper.txt"] * (kind == "cpu") + [f"libtorch-{kind}.txt"]:
                lines = [line for line in (setup.ROOT / "tools" / file).read_text().splitlines() if not line.startswith("#")]
                for line in lines:
                    digests = re.findall(r" --hash=sha256:[0-9a-f]{64}(?= |$)", line)
                    self.assertEqual(len(set(digests)), len(machines), f"{file}: {line}")

    def test_cuda_is_refused_where_its_wheels_are_not_pinned(self):
        arm = setup.choose_platform("Linux", "aarch64")
        self.assertEqual(setup.choose_kind(arm, "cpu"), "cpu")
        self.assertIn("on linux-aarch64 use `cpu`", said(setup.choose_kind, arm, "cuda"))
        self.assertIn("use `cpu` or `cuda`", said(setup.choose_kind, setup.choose_platform("Linux", "x86_64"), "gpu"))

    def test_of_a_wheel_libraries_headers_and_licences_are_kept(self):
        arm = setup.choose_platform("Linux", "aarch64")
        for path, place in [
            ("torch/lib/libtorch_cpu.so", "lib/libtorch_cpu.so"),
            ("torch/lib/libarm_compute.so", "lib/libarm_compute.so"),
            ("nvidia/cu13/lib/libcudart.so.13", "lib/libcudart.so.13"),
            ("torch/lib/libtorch_cuda.so", None),
            ("torch/include/ATen/ATen.h", "include/ATen/ATen.h"),
            ("torch-2.11.0.dist-info/licenses/NOTICE", "licenses/torch-2.11.0/NOTICE"),
            ("nvidia_cuda_cupti-13.0.85.dist-info/licenses/License.txt", "licenses/nvidia_cuda_cupti-13.0.85/License.txt"),
            ("torch/nn/functional.py", None),
        ]:
            self.assertEqual(setup.unpacked_cpu(Path(path), arm.libraries), place and Path(place), path)


class Installing(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.prefix = self.folder / "prefix"

    def files(self) -> set[str]:
        return {str(path.relative_to(self.prefix)) for path in self.prefix.rglob("*") if path.is_file()}

    def test_what_is_installed_is_replaced_and_removed_and_nothing_else_is(self):
        library = self.folder / "libtorch_cpu.so"
        library.write_bytes(b"library")
        (self.prefix / "bin").mkdir(parents=True)
        (self.prefix / "bin" / "other").write_text("another's")
        dist.lay_out({"bin/elbo": b"old", "lib/elbo/libold.so": library, "share/man/man1/elbo-old.1": b""}, self.prefix)
        dist.lay_out({"bin/elbo": b"new", "lib/elbo/libtorch_cpu.so": library}, self.prefix)
        self.assertEqual(self.files(), {"bin/elbo", "bin/other", "lib/elbo/libtorch_cpu.so", dist.MANIFEST})
        self.assertEqual((self.prefix / "bin" / "elbo").read_bytes(), b"new")
        self.assertTrue(os.access(self.prefix / "bin" / "elbo", os.X_OK))
        library.unlink()
        self.assertEqual((self.prefix / "lib" / "elbo" / "libtorch_cpu.so").read_bytes(), b"library", "it does not need the cache")
        with contextlib.redirect_stdout(io.StringIO()):
            dist.uninstall(self.prefix)
        self.assertEqual([str(path.relative_to(self.prefix)) for path in self.prefix.rglob("*")], ["bin", "bin/other"])
        self.assertIn("nothing", said(dist.uninstall, self.prefix))

    def test_an_archive_has_the_same_bytes_whenever_it_is_packed(self):
        program = self.folder / "elbo"
        program.write_bytes(b"program")
        packed = [self.folder / name for name in ("one.tar.gz", "another.tar.gz")]
        for path in packed:
            os.utime(program, (0, len(path.name)))
            dist.pack({"share/a": b"text", "bin/elbo": program}, "elbo-1", 12, path)
        self.assertEqual(packed[0].read_bytes(), packed[1].read_bytes())
        with tarfile.open(packed[0]) as tar:
            entries = {entry.name: (entry.mode, entry.mtime, entry.uid) for entry in tar}
            self.assertEqual(entries, {"elbo-1/bin/elbo": (0o755, 12, 0), "elbo-1/share/a": (0o644, 12, 0)})
            self.assertEqual(tar.extractfile("elbo-1/bin/elbo").read(), b"program")

    def test_the_c_library_is_the_machines_and_all_else_is_taken_along(self):
        told = """\tlinux-vdso.so.1 (0x00007f)
\tlibtorch_cpu.so => /cache/lib/libtorch_cpu.so (0x00007f)
\tlibstdc++.so.6 => /lib/x86_64-linux-gnu/libstdc++.so.6 (0x00007f)
\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f)
\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f)
\t/lib64/ld-linux-x86-64.so.2 (0x00007f)
"""
        found = {"libtorch_cpu.so": Path("/cache/lib/libtorch_cpu.so"), "libstdc++.so.6": Path("/lib/x86_64-linux-gnu/libstdc++.so.6")}
        self.assertEqual(dist.parse_ldd(told), found)
        self.assertIn("no `libc10.so`", said(dist.parse_ldd, "\tlibc10.so => not found\n"))


class Benchmark(unittest.TestCase):
    def test_a_folder_without_mnist_is_named_with_what_would_do(self):
        with tempfile.TemporaryDirectory() as folder:
            told = said(bench.images, folder)
        self.assertIn(f"no `train-images-idx3-ubyte` below `{folder}`", told)
        self.assertIn("glyphs", told)


class Licences(unittest.TestCase):
    def test_every_linked_crate_is_named_with_its_texts(self):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)

            def package(crate: str, **texts: str) -> dict:
                (folder / crate / "vendored").mkdir(parents=True)
                for path, text in texts.items():
                    (folder / crate / path.replace("__", "/")).write_text(text)
                manifest = str(folder / crate / "Cargo.toml")
                return {"id": crate, "name": crate, "version": "1.0", "license": "MIT", "license_file": None, "source": "registry",
                        "repository": "a-repository" if crate in ("bare", "beside") else None, "manifest_path": manifest}

            own = package("own") | {"source": None}
            packages = [own, package("bare"), package("beside", LICENSE="beside's"), package("c-code", vendored__COPYING="of C"),
                        package("builds", LICENSE="not linked"), package("tests", LICENSE="not linked")]
            edges = {"own": [("bare", None), ("c-code", None), ("builds", "build"), ("tests", "dev")], "bare": [("beside", None)]}
            nodes = [
                {"id": key["id"], "deps": [{"pkg": to, "dep_kinds": [{"kind": kind}]} for to, kind in edges.get(key["id"], [])]}
                for key in packages
            ]
            shipped = licences.shipped_packages({"packages": packages, "resolve": {"nodes": nodes}, "workspace_members": ["own"]})
            self.assertEqual([found["name"] for found in shipped], ["bare", "beside", "c-code"])
            notice = licences.crates_notice(shipped)
            for part in ["bare 1.0\n  MIT\n  a-repository\n  texts: 1", "beside 1.0\n  MIT\n  a-repository\n  texts: 1", "texts: 2"]:
                self.assertIn(part, notice)
            self.assertEqual((notice.count("beside's"), notice.count("of C"), notice.count("not linked")), (1, 1, 0))


if __name__ == "__main__":
    unittest.main()
