//! Datasets that a user registers: a small YAML file that says where the images are and what they are.
//!
//! `datasets/leaves.yaml`, beside an experiment or one folder above, or `leaves.yaml` in the data folder, makes `leaves` a
//! dataset's name:
//!
//! ```yaml
//! images: { folder: leaves }   # as `dataset.name`, relative to this file's folder
//! size: 28                     # for a folder, as is `fit`
//! classes: [oak, elm]          # names of the labels 0, 1, …
//! what: 1,200 photographs of leaves
//! citation: Ada (2026), Leaves
//! licence: CC BY 4.0
//! digest: "…"                  # pins the images, as `dataset.digest`
//! ```
//!
//! Runs are known by what the images hold, as those on any images of the user's own.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::check::Checks;
use crate::dataset::{Dataset, Fit, OwnKind, OwnSource, Source};
use crate::de;
use crate::diagnostic::{Problem, Source as Text, Sources, Span, SpecError, quote};
use crate::known::{KNOWN_DATASETS, KnownDataset};
use crate::node::{Entry, Node, Value};
use crate::{paths, suggest, yaml};

/// The folder of registered datasets, beside experiments or one above.
const DATASETS: &str = "datasets";

/// A dataset that a user registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// The file or folder of the images; never another registered dataset.
    pub images: OwnSource,
    /// Height and width that a folder's images are brought to.
    pub size: Option<usize>,
    /// How they are brought to it.
    pub fit: Fit,
    /// Names of the labels 0, 1, …; empty where the images have names of their own, or none.
    pub classes: Vec<String>,
    /// SHA-256 of what the images hold, in hexadecimal, where they are pinned.
    pub digest: Option<String>,
    /// What they are, in a line.
    pub what: Option<String>,
    /// Whom to cite.
    pub citation: Option<String>,
    /// Under which terms they are given.
    pub licence: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    images: Source,
    size: Option<usize>,
    #[serde(default)]
    fit: Fit,
    #[serde(default)]
    classes: Vec<String>,
    digest: Option<String>,
    what: Option<String>,
    citation: Option<String>,
    licence: Option<String>,
}

impl Registered {
    /// Reads a file that registers a dataset.
    ///
    /// # Errors
    /// If the file cannot be read, or holds anything else; every problem is in the error.
    pub fn load(file: &Path) -> Result<Registered, SpecError> {
        let mut text = String::new();
        let read = match fs_err::read(file) {
            Ok(bytes) if bytes.len() as u64 > yaml::MAX_BYTES => Err(vec![
                Problem::new("the file is larger than 1 MiB").hint("a registered dataset is a few lines of YAML"),
            ]),
            Ok(bytes) => {
                text = String::from_utf8_lossy(&bytes).trim_start_matches('\u{feff}').to_owned();
                parse(&text, file)
            }
            Err(error) => Err(vec![
                Problem::new(format!("cannot read the dataset's file: {}", error.kind()))
                    .hint("check the path, and whether you may read it"),
            ]),
        };
        let sources = || Sources(vec![Text { name: file.display().to_string(), text: text.clone() }]);
        read.map_err(|problems| SpecError::new(problems, &sources()))
    }
}

fn parse(text: &str, file: &Path) -> Result<Registered, Vec<Problem>> {
    let tree = yaml::parse(text, 0, 0).map_err(|problem| vec![problem])?;
    let top = tree.entries().first().map_or(Span::new(0, 0, 0), |entry| entry.key_span);
    let raw: Raw = de::read(&tree, "dataset", top).map_err(|problem| vec![problem])?;
    let Raw { images, size, fit, classes, digest, what, citation, licence } = raw;
    let at = tree.nearest_span(&["images"]);
    let images = match images.resolved_in(&paths::folder_of(file)) {
        Source::Own(OwnSource { kind: OwnKind::Set, .. }) | Source::Known(_) => {
            let hint = "give `images` a file or a folder, as in `{ folder: leaves }`";
            return Err(vec![
                Problem::new("a dataset is registered for images of your own, not for another dataset")
                    .at(at)
                    .hint(hint),
            ]);
        }
        Source::Own(own) => own,
    };
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    if KnownDataset::named(&name).is_some() {
        let problem = Problem::new(format!("`{name}` is a known dataset's name")).at(top);
        return Err(vec![problem.hint("give the file another name")]);
    }
    let plain = Dataset { size, fit, digest, ..Dataset::plain(Source::Own(images)) };
    let mut checks = Checks { complaints: Vec::new() };
    plain.check(&mut checks);
    if !checks.complaints.is_empty() {
        let problem = |complaint: &crate::check::Complaint| {
            let path = complaint.path.strip_prefix("dataset.").unwrap_or(&complaint.path).replacen("name", "images", 1);
            let span = tree.nearest_span(&path.split('.').collect::<Vec<_>>());
            Problem::new(complaint.message.replace("`dataset.", "`")).at(span).path(path).hint(&*complaint.hint)
        };
        return Err(checks.complaints.iter().map(problem).collect());
    }
    let Dataset { name: Source::Own(images), digest, .. } = plain else { return Err(Vec::new()) };
    Ok(Registered { images, size, fit, classes, digest, what, citation, licence })
}

/// The folders that a name is looked for in, for experiments in `experiments`: `datasets` in it and beside it, and the data folder.
pub fn folders(experiments: &Path, data: Option<&Path>) -> Vec<PathBuf> {
    let beside = [Some(experiments), experiments.parent()].into_iter().flatten().map(|folder| folder.join(DATASETS));
    beside.chain(data.map(paths::absolute)).collect()
}

/// The file that registers this name.
pub fn find(name: &str, folders: &[PathBuf]) -> Option<PathBuf> {
    let is_name = !name.is_empty() && !name.contains(['/', '\\']) && KnownDataset::named(name).is_none();
    folders.iter().filter(|_| is_name).map(|folder| folder.join(format!("{name}.yaml"))).find(|file| file.is_file())
}

/// What a file or folder beside the experiment may be that stands where a name should.
fn form_of(word: &str, folders: &[PathBuf]) -> Option<OwnKind> {
    if word.is_empty() || KnownDataset::named(word).is_some() || OwnKind::named(word).is_some() {
        return None;
    }
    let path = folders.first()?.parent()?.join(word);
    match path.extension().and_then(|extension| extension.to_str()) {
        _ if path.is_dir() => Some(OwnKind::Folder),
        Some(extension) if path.is_file() => match extension {
            "npy" => Some(OwnKind::Npy),
            "npz" => Some(OwnKind::Npz),
            "h5" | "hdf5" => Some(OwnKind::Hdf5),
            "yaml" => Some(OwnKind::Set),
            _ => None,
        },
        _ => None,
    }
}

/// Every registered name with its file, in order. In a data folder other YAML files may lie: those without `images` are none.
pub fn list(folders: &[PathBuf]) -> Vec<(String, PathBuf)> {
    let mut found: Vec<(String, PathBuf)> = Vec::new();
    for folder in folders {
        let mut files: Vec<PathBuf> =
            std::fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path()).collect();
        files.sort();
        for file in files {
            let Some(name) = file.file_name().and_then(|name| name.to_str()?.strip_suffix(".yaml")) else { continue };
            let says_images = || {
                let text = std::fs::read_to_string(&file).ok()?;
                text.lines().any(|line| line.trim_start().starts_with("images:")).then_some(())
            };
            if !found.iter().any(|(other, _)| other == name) && says_images().is_some() {
                found.push((name.to_owned(), file.clone()));
            }
        }
    }
    found
}

/// Puts the files of registered datasets where their names stand as `dataset.name`, swept ones included; `path` is that of
/// the node.
///
/// # Errors
/// For a name that is like a registered one.
pub(crate) fn put_in(node: &mut Node, path: &str, folders: &[PathBuf]) -> Result<(), Problem> {
    match &mut node.value {
        Value::Map(entries) => {
            for entry in entries {
                let below = match (path, entry.key.as_str()) {
                    ("dataset", "name") => "dataset.name",
                    (_, key) => key,
                };
                let below = below.to_owned();
                put_in(&mut entry.value, &below, folders)?;
            }
            Ok(())
        }
        Value::List(items) => items.iter_mut().try_for_each(|item| put_in(item, path, folders)),
        Value::Text(text) if path == "dataset.name" => {
            let (word, span) = (text.text.clone(), node.span);
            if let Some(file) = find(&word, folders) {
                let text = file.to_string_lossy().into_owned();
                let value = Node { value: Value::Text(crate::node::Text { text, quoted: true }), span };
                let entry = Entry { key: OwnKind::Set.word().to_owned(), key_span: span, value };
                node.value = Value::Map(vec![entry]);
                return Ok(());
            }
            let registered = list(folders);
            let known = KNOWN_DATASETS.iter().map(|known| known.name).chain(OwnKind::all().map(OwnKind::word));
            if suggest::nearest(&word, known).is_none()
                && let Some(near) = suggest::nearest(&word, registered.iter().map(|(name, _)| name.as_str()))
            {
                let problem = Problem::new(format!("unknown dataset `{}`", quote(&word))).at(span).path("dataset.name");
                return Err(problem.value(quote(&word)).hint(format!("did you mean `{near}`?")));
            }
            match form_of(&word, folders) {
                Some(kind) => {
                    let problem =
                        Problem::new(format!("unknown dataset `{}`", quote(&word))).at(span).path("dataset.name");
                    let hint = format!(
                        "for the {} of this name write `{{ {}: {word} }}`",
                        kind.place().to_lowercase(),
                        kind.word()
                    );
                    Err(problem.value(quote(&word)).hint(hint))
                }
                None => Ok(()),
            }
        }
        _ => Ok(()),
    }
}
