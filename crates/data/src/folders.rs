//! Where images are looked for, and where prepared ones are kept.

use std::env;
use std::path::PathBuf;

use crate::error::DataError;

/// The folders that data lives in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folders {
    /// The user's folder of datasets: `--data` or `ELBO_DATA`; only read.
    pub data: Option<PathBuf>,
    /// The user's cache folder for this project, where downloads and prepared datasets are kept.
    pub cache: PathBuf,
}

impl Folders {
    /// `data` as the command line gave it, else `ELBO_DATA`; the cache is `elbo` in the user's cache folder.
    ///
    /// # Errors
    /// When the environment names neither a cache folder nor a home.
    pub fn from_env(data: Option<PathBuf>) -> Result<Folders, DataError> {
        let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let cache = if cfg!(windows) {
            set("LOCALAPPDATA")
        } else if cfg!(target_os = "macos") {
            set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join("Library/Caches")))
        } else {
            set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")))
        };
        Ok(Folders {
            data: data.or_else(|| set("ELBO_DATA")),
            cache: cache.ok_or(DataError::NoCacheFolder)?.join("elbo"),
        })
    }
}
