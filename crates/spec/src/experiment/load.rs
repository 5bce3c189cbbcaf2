//! The bytes of an experiment file.

use std::io::Read as _;
use std::path::Path;

use crate::diagnostic::Problem;
use crate::suggest;
use crate::yaml;

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
                None => "give the path of a YAML file, such as `experiments/vae.yaml`".to_owned(),
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

/// An experiment file beside `path` whose name is like it.
fn similar_file(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .ok()?
        .take(1000)
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".yaml") || name.ends_with(".yml"))
        .collect();
    names.sort();
    let stem = |name: &str| name.trim_end_matches(".yaml").trim_end_matches(".yml").to_owned();
    let near = names.iter().find(|other| stem(other) == stem(name)).map(String::as_str);
    let near = near.or_else(|| suggest::nearest(name, names.iter().map(String::as_str)))?;
    Some(path.with_file_name(near).display().to_string())
}
