//! The version that every file of a run carries.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Version of all files of a run: `major.minor`, a string in JSON. The major number is raised when a column or field
/// changes its meaning or goes; the minor number when one is added, but for a metric's column, which readers ask for by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FormatVersion {
    /// Readers of a smaller major refuse.
    pub major: u32,
    /// Readers of a smaller minor ignore what they do not know.
    pub minor: u32,
}

impl FormatVersion {
    /// The version this program writes.
    pub const CURRENT: FormatVersion = FormatVersion { major: 1, minor: 2 };
}

impl fmt::Display for FormatVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl TryFrom<String> for FormatVersion {
    type Error = String;

    fn try_from(text: String) -> Result<FormatVersion, String> {
        let parsed = text.split_once('.').and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
        let (major, minor) = parsed.ok_or_else(|| format!("`{text}` is not a format version such as `1.0`"))?;
        Ok(FormatVersion { major, minor })
    }
}

impl From<FormatVersion> for String {
    fn from(version: FormatVersion) -> String {
        version.to_string()
    }
}
