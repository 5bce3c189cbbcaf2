//! What a sweep's folder stands for: the experiment as it was written, the command, and the runs that it is made of.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use spec::RunId;

use crate::error::RecordError;
use crate::files;
use crate::format::FormatVersion;
use crate::store::Store;

/// The content of `sweeps/<name>/sweep.json`; the experiment file itself lies beside it as `experiment.yaml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeptSweep {
    /// Version of the store's files.
    pub format_version: FormatVersion,
    /// The experiment file, absolute.
    pub file: PathBuf,
    /// What `--set` changed of it, each as `path=value`.
    pub set: Vec<String>,
    /// The command, as it can be pasted into a shell.
    pub command: String,
    /// SHA-256 of the experiment's claims, of each version that the folder has stood for, the present one last; empty without claims.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<String>,
    /// The hours that the sweep was given, where it was: epochs are then fewer than in the file if `set` has a share of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<f64>,
    /// Its runs, in the order of the experiment.
    pub runs: Vec<KeptRun>,
}

/// A run of a sweep.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeptRun {
    /// Its id.
    pub run_id: RunId,
    /// Its readable name.
    pub name: String,
    /// All its settings, defaults included.
    pub cell: Value,
}

/// A sweep's folder, and what it is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SweepFolder {
    /// Where it is.
    pub path: PathBuf,
    /// The runs it is made of; `None` for a folder of an earlier version that does not say.
    pub runs: Option<BTreeSet<RunId>>,
}

/// The part that every version of sweep.json has.
#[derive(Deserialize)]
struct VersionOnly {
    format_version: FormatVersion,
}

impl KeptSweep {
    /// The ids of its runs.
    pub fn ids(&self) -> BTreeSet<RunId> {
        self.runs.iter().map(|run| run.run_id.clone()).collect()
    }

    fn read(path: &Path) -> Result<KeptSweep, RecordError> {
        let bytes = fs_err::read(path)?;
        let found = serde_json::from_slice::<VersionOnly>(&bytes);
        if let Ok(VersionOnly { format_version }) = found {
            RecordError::refuse_newer(path, format_version)?;
        }
        serde_json::from_slice(&bytes).map_err(|error| RecordError::Damaged {
            path: path.to_owned(),
            reason: error.to_string(),
            hint: "remove it, and draw the figures of its experiment again with `elbo figures`".to_owned(),
        })
    }
}

impl Store {
    /// `sweeps/<name>/sweep.json`.
    pub fn kept_file(&self, sweep: &str) -> PathBuf {
        self.sweep_dir(sweep).join("sweep.json")
    }

    /// `sweeps/<name>/experiment.yaml`: the experiment file as it was, byte for byte; without what `--set` changed.
    pub fn kept_experiment_file(&self, sweep: &str) -> PathBuf {
        self.sweep_dir(sweep).join("experiment.yaml")
    }

    /// What a sweep's folder stands for; `None` where nothing was kept.
    ///
    /// # Errors
    /// If the file is damaged or of a newer major version.
    pub fn kept_sweep(&self, sweep: &str) -> Result<Option<KeptSweep>, RecordError> {
        match KeptSweep::read(&self.kept_file(sweep)) {
            Ok(kept) => Ok(Some(kept)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Keeps what a sweep's folder stands for, and the text of its experiment file.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn keep_sweep(&self, sweep: &str, kept: &KeptSweep, text: &str) -> Result<(), RecordError> {
        files::create_folder(&self.sweep_dir(sweep))?;
        files::write_bytes_atomically(&self.kept_experiment_file(sweep), text.as_bytes())?;
        let path = self.kept_file(sweep);
        let mut json = serde_json::to_vec_pretty(kept)
            .map_err(|error| RecordError::Write { path: path.clone(), cause: error.into() })?;
        json.push(b'\n');
        files::write_bytes_atomically(&path, &json)
    }

    /// The runs that a sweep's folder is made of: what was kept, or else what an earlier version noted when it drew.
    /// `None` for a folder that holds something and does not say.
    ///
    /// # Errors
    /// If a file in it cannot be read.
    pub fn sweep_runs(&self, sweep: &str) -> Result<Option<BTreeSet<RunId>>, RecordError> {
        if let Some(kept) = self.kept_sweep(sweep)? {
            return Ok(Some(kept.ids()));
        }
        let folder = self.sweep_dir(sweep);
        match fs_err::read_to_string(folder.join(".drawn.json")) {
            Ok(text) => return Ok(Some(ids_in(&text))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
        let is_empty = files::names(&folder)?.iter().all(|name| name.starts_with('.'));
        Ok(is_empty.then(BTreeSet::new))
    }

    /// Whether anything is drawn in a sweep's folder.
    pub fn is_drawn(&self, sweep: &str) -> bool {
        let folder = self.sweep_dir(sweep);
        ["figures", "tables", "report.html"].iter().any(|name| folder.join(name).exists())
    }

    /// Moves a sweep's folder with all that is drawn in it to `sweeps/<name>-earlier-<n>`, and says where that is.
    ///
    /// # Errors
    /// If it cannot be moved.
    pub fn set_aside(&self, sweep: &str) -> Result<PathBuf, RecordError> {
        let mut n = 1;
        let mut place = self.sweep_dir(&format!("{sweep}-earlier-{n}"));
        while place.exists() {
            n += 1;
            place = self.sweep_dir(&format!("{sweep}-earlier-{n}"));
        }
        fs_err::rename(self.sweep_dir(sweep), &place)?;
        Ok(place)
    }

    /// All sweeps' folders, by name.
    ///
    /// # Errors
    /// If a folder or a file in it cannot be read.
    pub fn sweeps(&self) -> Result<Vec<SweepFolder>, RecordError> {
        let mut sweeps = Vec::new();
        for name in files::names(&self.root().join("sweeps"))? {
            let path = self.sweep_dir(&name);
            if path.is_dir() && !name.starts_with('.') {
                sweeps.push(SweepFolder { path, runs: self.sweep_runs(&name)? });
            }
        }
        Ok(sweeps)
    }
}

/// Every word of a text that may be a run's id.
fn ids_in(text: &str) -> BTreeSet<RunId> {
    text.split(|c: char| !c.is_ascii_alphanumeric()).filter_map(|word| word.parse().ok()).collect()
}
