//! The bytes of an experiment file.

use std::io::Read as _;
use std::path::Path;

use crate::diagnostic::Problem;
use crate::suggest;
use crate::yaml;

/// The folder whose experiments are known by name.
const EXPERIMENTS: &str = "experiments";
/// The most names that a hint lists.
const MOST_LISTED: usize = 12;

pub(super) fn too_large() -> Problem {
    Problem::new(format!("the file is larger than {} MiB", yaml::MAX_BYTES >> 20))
        .hint("an experiment file is a page of YAML; is this another file?")
}

/// The file's bytes; a file that is too large is not read.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Problem> {
    let cannot = |error: &std::io::Error| {
        Problem::new(format!("cannot read the experiment file: {}", io_reason(error)))
            .hint("check the path, and whether you may read it")
    };
    let metadata = fs_err::metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            let hint = match similar_file(path) {
                Some(similar) => format!("did you mean `{similar}`?"),
                None => match named(Path::new(EXPERIMENTS)).as_slice() {
                    [] => "give the path of a YAML file".to_owned(),
                    names => {
                        let more = names.len().saturating_sub(MOST_LISTED);
                        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                        let names = suggest::list(names.iter().take(MOST_LISTED).map(|name| stem(name)));
                        format!("give the path of a YAML file, or a name in `{EXPERIMENTS}/`: {names}{more}")
                    }
                },
            };
            Problem::new("there is no such experiment file").hint(hint)
        }
        _ => cannot(&error),
    })?;
    if metadata.is_dir() {
        let hint = "give the path of a YAML file in it";
        return Err(Problem::new("this is a folder, not an experiment file").hint(hint));
    }
    if metadata.len() > yaml::MAX_BYTES {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    // A pipe or a device has no length beforehand.
    let file = fs_err::File::open(path).map_err(|error| cannot(&error))?;
    file.take(yaml::MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| cannot(&error))?;
    Ok(bytes)
}

/// The system's reason, without the path, which the place names already.
fn io_reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        kind => kind.to_string(),
    }
}

/// An experiment file whose name is like that of `path`: beside it, or in the folder where experiments have names.
fn similar_file(path: &Path) -> Option<String> {
    let wanted = stem(path.file_name()?.to_str()?);
    let own = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let beside = named(own.unwrap_or(Path::new(".")));
    let by_name = if own.is_none() { named(Path::new(EXPERIMENTS)) } else { Vec::new() };
    let stems = beside.iter().chain(&by_name).map(|name| stem(name));
    let near = stems.clone().find(|other| *other == wanted).or_else(|| suggest::nearest(wanted, stems))?;
    match beside.iter().find(|name| stem(name) == near) {
        Some(name) => Some(path.with_file_name(name).display().to_string()),
        None => Some(near.to_owned()),
    }
}

/// Names of the YAML files in a folder, in order; none if it cannot be listed.
fn named(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().take(1000);
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".yaml") || name.ends_with(".yml"))
        .collect();
    names.sort();
    names
}

fn stem(name: &str) -> &str {
    name.trim_end_matches(".yaml").trim_end_matches(".yml")
}
