//! Keeps the tree tidy: what no lint looks at, in every Rust file and script.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

/// Lines of a Rust file, at most.
const N_LINES: usize = 500;

/// What no Rust file may hold, and why; written in two parts so that this file may hold them.
const FORBIDDEN: [(&str, &str); 7] = [
    (concat!("todo", "!("), "finish it, or leave it out"),
    (concat!("unimplemented", "!("), "finish it, or leave it out"),
    (concat!("dbg", "!("), "take it out"),
    (concat!("#[", "allow("), "use #[expect(…, reason = \"…\")]"),
    (concat!("#![", "allow("), "use #![expect(…, reason = \"…\")]"),
    (concat!("FIX", "ME"), "fix it"),
    (concat!("XX", "X"), "say what is meant"),
];

/// Folders of a person's own, which mean nothing on another machine.
const HOMES: [&str; 3] = [concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/Use", "rs/")];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// All files with this ending below a folder, but for what is built or fetched.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && !name.starts_with('.') && name != "target" && name != "results" {
                folders.push(path);
            } else if path.is_file() && name.ends_with(ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Fails with all complaints at once, each with its file.
fn judge(files: &[PathBuf], complaint: impl Fn(&str) -> Vec<String>) {
    let root = root();
    let mut complaints = Vec::new();
    for path in files {
        let text = std::fs::read_to_string(path).unwrap();
        let name = path.strip_prefix(&root).unwrap().display();
        complaints.extend(complaint(&text).into_iter().map(|what| format!("{name}: {what}")));
    }
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

fn rust_files() -> Vec<PathBuf> {
    let files = files(&root(), ".rs");
    assert!(files.len() > 20, "the Rust files were not found");
    files
}

#[test]
fn every_file_says_what_it_is() {
    judge(&rust_files(), |text| {
        let first = text.lines().next().unwrap_or_default();
        let is_said = first.strip_prefix("//! ").is_some_and(|said| said.contains(' '));
        if is_said { vec![] } else { vec!["the first line is to be `//! ` and what the file is".to_owned()] }
    });
}

#[test]
fn files_are_short() {
    judge(&rust_files(), |text| {
        let n_lines = text.lines().count();
        if n_lines <= N_LINES { vec![] } else { vec![format!("{n_lines} lines, more than {N_LINES}: cut it in two")] }
    });
}

#[test]
fn nothing_is_left_undone() {
    judge(&rust_files(), |text| {
        let found = FORBIDDEN.iter().filter(|(what, _)| text.contains(what));
        found.map(|(what, advice)| format!("`{what}`: {advice}")).collect()
    });
}

#[test]
fn no_path_leads_to_a_persons_home() {
    let endings = [".rs", ".toml", ".py", ".yaml", ".sh", "justfile", "just", "run", ".md", ".trycmd", ".snap"];
    for ending in endings {
        judge(&files(&root(), ending), |text| {
            // Ada lives in examples only.
            let text = text.replace(concat!("/ho", "me/ada"), "");
            let found = HOMES.iter().filter(|home| text.contains(*home));
            found.map(|home| format!("`{home}`: a path of one machine")).collect()
        });
    }
}

#[test]
fn lines_end_without_blanks_and_files_with_a_line() {
    for ending in [".rs", ".toml", ".py", "justfile"] {
        judge(&files(&root(), ending), |text| {
            let lines = text.lines().enumerate().filter(|(_, line)| line.ends_with([' ', '\t']));
            let mut found: Vec<String> = lines.map(|(n, _)| format!("line {} ends in blanks", n + 1)).collect();
            if !text.is_empty() && (!text.ends_with('\n') || text.ends_with("\n\n")) {
                found.push("the file is to end in one newline".to_owned());
            }
            found
        });
    }
}
