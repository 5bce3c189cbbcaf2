//! Finds out which code and which machine a run is trained with.

use std::path::Path;
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};
use spec::RunId;

use crate::manifest::{Git, Host, Provenance};

impl Provenance {
    /// What can be found out here: the repository of the working directory, this program's version and the machine.
    /// `device` is `cpu` or `cuda`, `cohort` the runs trained together. Whoever links libtorch adds its version to
    /// `versions`, and whoever loads the images their digest as `data_sha256`. Starts `git`, so gather once per process.
    pub fn gather(device: &str, threads: usize, cohort: Vec<RunId>) -> Provenance {
        let elbo = ("elbo".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
        Provenance {
            git: git(Path::new(".")),
            versions: [elbo].into(),
            host: Host::here(),
            device: device.to_owned(),
            threads,
            data_sha256: String::new(),
            neighbour_distance: None,
            cohort,
        }
    }
}

/// The commit checked out in the repository around `folder` and a digest of what differs from it; `None` where there
/// is no repository, no commit, or no git.
fn git(folder: &Path) -> Option<Git> {
    let run = |arguments: &[&str]| {
        let output = Command::new("git").arg("-C").arg(folder).args(arguments).stderr(Stdio::null()).output().ok()?;
        output.status.success().then_some(output.stdout)
    };
    let commit = String::from_utf8(run(&["rev-parse", "HEAD"])?).ok()?.trim().to_owned();
    let top = String::from_utf8(run(&["rev-parse", "--show-toplevel"])?).ok()?.trim_end().to_owned();
    let difference = run(&["diff", "--no-ext-diff", "--no-textconv", "--binary", "HEAD"])?;
    let untracked = run(&["ls-files", "--others", "--exclude-standard", "--full-name", "-z", ":/"])?;
    if difference.is_empty() && untracked.is_empty() {
        return Some(Git { commit, dirty_patch_sha256: None });
    }
    let mut digest = Sha256::new();
    digest.update(&difference);
    for name in untracked.split(|&byte| byte == 0).filter(|name| !name.is_empty()) {
        digest.update(name);
        digest.update([0]);
        // A large file, such as a data set someone put here, counts by its name and size.
        let path = Path::new(&top).join(&*String::from_utf8_lossy(name));
        let size = fs_err::metadata(&path).map_or(0, |data| data.len());
        digest.update(size.to_le_bytes());
        if size <= 1 << 20 {
            digest.update(fs_err::read(&path).unwrap_or_default());
        }
    }
    Some(Git { commit, dirty_patch_sha256: Some(spec::hexadecimal(&digest.finalize())) })
}

impl Host {
    /// The machine at hand.
    pub fn here() -> Host {
        let read = |path: &str| fs_err::read_to_string(path).unwrap_or_default();
        let cpuinfo = read("/proc/cpuinfo");
        let cpu =
            cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':')).map(|(_, name)| name);
        let name = read("/proc/sys/kernel/hostname");
        let from_environment =
            || std::env::var("HOSTNAME").or_else(|_| std::env::var("COMPUTERNAME")).unwrap_or_default();
        Host {
            name: if name.trim().is_empty() { from_environment() } else { name.trim().to_owned() },
            platform: format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH),
            cpu: cpu.unwrap_or_default().trim().to_owned(),
            cpus: std::thread::available_parallelism().map_or(0, usize::from),
        }
    }
}
