//! The versions that both programs must agree on.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Raised when a job or a message changes in a way that the other program would misread.
const PROTOCOL: u32 = 2;

/// The version of a program and of the protocol it speaks. This form never changes, so that every version can read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// The protocol's version.
    pub protocol: u32,
    /// The program's version, as `--version` prints it.
    pub program: String,
}

impl Version {
    /// The version of the running program.
    pub fn own() -> Version {
        Version { protocol: PROTOCOL, program: env!("CARGO_PKG_VERSION").to_owned() }
    }

    /// Compares the version that the program `peer` told with the running program's.
    ///
    /// # Errors
    /// If they differ.
    pub fn check(&self, peer: &'static str) -> Result<(), OtherVersion> {
        let own = Version::own();
        if *self == own { Ok(()) } else { Err(OtherVersion { peer, found: self.clone(), own }) }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (protocol {})", self.program, self.protocol)
    }
}

/// The other program is of another version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{peer}` is version {found}, and this program needs version {own}\nhint: `elbo` and `elbo-train` belong together: build both anew with `./just build`"
)]
pub struct OtherVersion {
    /// The other program.
    pub peer: &'static str,
    /// Its version.
    pub found: Version,
    /// The running program's version.
    pub own: Version,
}
