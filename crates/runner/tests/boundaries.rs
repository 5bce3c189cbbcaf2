//! Holds the borders between the crates: who may use whom, and which crate alone may use a heavy dependency.
//!
//! The tables are those of ARCHITECTURE.md. Whoever changes them here changes the architecture, and says so there.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

/// Each crate, in the order of the data, and the crates it may use.
const EDGES: [(&str, &[&str]); 9] = [
    ("spec", &[]),
    ("protocol", &["spec"]),
    ("measure", &["spec"]),
    ("data", &["spec"]),
    ("model", &["spec"]),
    ("record", &["spec", "protocol"]),
    ("train", &["spec", "protocol", "measure", "data", "model", "record"]),
    ("figures", &["spec", "record"]),
    ("runner", &["spec", "protocol", "data", "record", "figures"]),
];

/// Each heavy dependency, and the crates that may name it.
const HEAVY: [(&str, &[&str]); 22] = [
    ("serde-saphyr", &["spec"]),
    ("rustfft", &["measure"]),
    ("hdf5-metno", &["data", "record"]),
    ("image", &["data"]),
    ("ureq", &["data"]),
    ("tch", &["model", "train"]),
    ("polars", &["record"]),
    ("polars-parquet-format", &["record"]),
    ("safetensors", &["record"]),
    ("tar", &["record"]),
    ("zstd", &["record"]),
    ("plotters", &["figures"]),
    ("png", &["figures"]),
    ("base64", &["figures"]),
    ("krilla", &["figures"]),
    ("krilla-svg", &["figures"]),
    ("resvg", &["figures"]),
    ("clap", &["runner"]),
    ("clap_complete", &["runner"]),
    ("clap_mangen", &["runner"]),
    ("indicatif", &["runner"]),
    ("cc", &["train"]),
];

/// What cargo knows, for this machine's kind of system: packages for others need not be here.
fn metadata() -> &'static Metadata {
    static METADATA: OnceLock<Metadata> = OnceLock::new();
    METADATA.get_or_init(|| {
        let said = Command::new("rustc").arg("-vV").output().unwrap().stdout;
        let said = String::from_utf8(said).unwrap();
        let host = said.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
        let options = ["--locked", "--offline", "--filter-platform", host].map(str::to_owned);
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml");
        MetadataCommand::new().manifest_path(manifest).other_options(options).exec().unwrap()
    })
}

/// Names of what a crate depends on directly, of these kinds.
fn direct<'a>(package: &'a Package, kinds: &[DependencyKind]) -> BTreeSet<&'a str> {
    package.dependencies.iter().filter(|edge| kinds.contains(&edge.kind)).map(|edge| edge.name.as_str()).collect()
}

#[test]
fn crates_use_only_the_crates_they_may() {
    let metadata = metadata();
    let members: BTreeMap<&str, &Package> =
        metadata.workspace_packages().into_iter().map(|package| (package.name.as_str(), package)).collect();
    let known: BTreeSet<&str> = EDGES.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        members.keys().copied().collect::<BTreeSet<_>>(),
        known,
        "a crate was added or removed: name it in EDGES"
    );
    for (name, allowed) in EDGES {
        let kinds = [DependencyKind::Normal, DependencyKind::Build, DependencyKind::Development];
        for used in direct(members[name], &kinds) {
            assert!(
                !known.contains(used) || allowed.contains(&used),
                "`{name}` must not use `{used}`: see ARCHITECTURE.md"
            );
        }
    }
}

#[test]
fn heavy_dependencies_stay_in_their_crates() {
    for package in metadata().workspace_packages() {
        for used in direct(package, &[DependencyKind::Normal, DependencyKind::Build]) {
            for (heavy, allowed) in HEAVY {
                let name = package.name.as_str();
                assert!(
                    heavy != used || allowed.contains(&name),
                    "`{name}` must not use `{heavy}`: see ARCHITECTURE.md"
                );
            }
        }
    }
}

#[test]
fn every_heavy_dependency_is_still_used() {
    let metadata = metadata();
    for (heavy, allowed) in HEAVY {
        for name in allowed {
            let package = metadata.workspace_packages().into_iter().find(|package| package.name == *name).unwrap();
            let used = direct(package, &[DependencyKind::Normal, DependencyKind::Build]);
            assert!(used.contains(heavy), "`{name}` no longer uses `{heavy}`: take it out of HEAVY");
        }
    }
}

#[test]
fn the_runner_reaches_no_libtorch_by_any_path() {
    let metadata = metadata();
    let resolve = metadata.resolve.as_ref().unwrap();
    let runner = metadata.workspace_packages().into_iter().find(|package| package.name == "runner").unwrap();
    // From each package to the one that brought it in, so that a forbidden path can be shown.
    let mut from = BTreeMap::from([(&runner.id, None)]);
    let mut queue = vec![&runner.id];
    while let Some(id) = queue.pop() {
        let node = resolve.nodes.iter().find(|node| node.id == *id).unwrap();
        for edge in &node.deps {
            let is_built_in = edge.dep_kinds.iter().any(|kind| kind.kind != DependencyKind::Development);
            if is_built_in && !from.contains_key(&edge.pkg) {
                from.insert(&edge.pkg, Some(id));
                queue.push(&edge.pkg);
            }
        }
    }
    for forbidden in ["tch", "torch-sys", "model", "train"] {
        let reached = from.keys().find(|id| metadata[id].name == forbidden);
        let path = reached.map(|id| {
            let steps = std::iter::successors(Some(*id), |id| from[id]);
            steps.map(|id| metadata[id].name.as_str()).collect::<Vec<_>>().join(" ← ")
        });
        assert_eq!(path, None, "`elbo` must start without libtorch");
    }
}

#[test]
fn crates_share_the_settings_of_the_workspace() {
    for package in metadata().workspace_packages() {
        let name = package.name.as_str();
        assert_eq!(package.version.to_string(), "0.0.0", "`{name}` has a version of its own");
        let folder = package.manifest_path.parent().unwrap();
        assert_eq!(folder.file_name(), Some(name), "a crate's folder bears its name");
        let manifest = std::fs::read_to_string(&package.manifest_path).unwrap();
        assert!(manifest.contains("[lints]\nworkspace = true"), "`{name}` does not take the workspace's lints");
        for line in manifest.lines().filter(|line| line.contains("version =")) {
            assert!(line.starts_with("rust-version"), "`{name}` pins a version beside the root manifest: {line}");
        }
    }
}

#[test]
fn elbo_links_no_libtorch() {
    let bytes = std::fs::read(env!("CARGO_BIN_EXE_elbo")).unwrap();
    let Some(needed) = elf_needed(&bytes) else {
        assert_ne!(std::env::consts::OS, "linux", "this test does not understand its own system's executables");
        return;
    };
    assert!(needed.iter().any(|name| name.starts_with("libc.so")), "no C library found among {needed:?}");
    for name in &needed {
        let is_heavy = ["libtorch", "libc10", "libgomp", "libcud"].iter().any(|heavy| name.starts_with(heavy));
        assert!(!is_heavy, "`elbo` is linked with `{name}`, all of it: {needed:?}");
    }
}

/// Names of the shared libraries that a 64-bit little-endian ELF file needs; `None` for any other file.
fn elf_needed(bytes: &[u8]) -> Option<Vec<String>> {
    const LOAD: u64 = 1;
    const DYNAMIC: u64 = 2;
    const NEEDED: u64 = 1;
    const STRING_TABLE: u64 = 5;
    let number = |at: u64, n_bytes: u64| -> Option<u64> {
        let field = bytes.get(usize::try_from(at).ok()?..usize::try_from(at + n_bytes).ok()?)?;
        Some(field.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    };
    if !bytes.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    // Of each program header: type, offset in the file, virtual address, size in the file.
    let (headers, header_size, n_headers) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
    let segments: Vec<[u64; 4]> = (0..n_headers)
        .filter_map(|index| {
            let at = headers + index * header_size;
            Some([number(at, 4)?, number(at + 8, 8)?, number(at + 16, 8)?, number(at + 32, 8)?])
        })
        .collect();
    let [_, start, _, size] = *segments.iter().find(|segment| segment[0] == DYNAMIC)?;
    let entries: Vec<(u64, u64)> = (0..size / 16)
        .filter_map(|index| Some((number(start + 16 * index, 8)?, number(start + 16 * index + 8, 8)?)))
        .collect();
    let address = entries.iter().find(|(tag, _)| *tag == STRING_TABLE)?.1;
    let [_, offset, base, _] =
        *segments.iter().find(|[kind, _, base, size]| *kind == LOAD && (*base..base + size).contains(&address))?;
    let strings = offset + address - base;
    let names = entries.iter().filter(|(tag, _)| *tag == NEEDED).map(|(_, name)| {
        let text = bytes.get(usize::try_from(strings + name).ok()?..)?;
        let end = text.iter().position(|byte| *byte == 0)?;
        Some(String::from_utf8_lossy(&text[..end]).into_owned())
    });
    names.collect()
}
