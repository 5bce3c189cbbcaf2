//! What this machine has to offer: cores and free memory, inside a container too.

use std::path::Path;

/// Cores and memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Processors this process may use.
    pub n_cores: usize,
    /// Bytes of memory that can be had without swapping; `None` where it cannot be found out.
    pub free_memory: Option<u64>,
}

impl Machine {
    /// Looks at the machine.
    pub fn here() -> Machine {
        let read = |path: &str| fs_err::read_to_string(Path::new(path)).ok();
        let system = read("/proc/meminfo").and_then(|text| available(&text));
        let limit = read("/sys/fs/cgroup/memory.max").and_then(|text| text.trim().parse::<u64>().ok());
        let used = read("/sys/fs/cgroup/memory.current").and_then(|text| text.trim().parse::<u64>().ok());
        let container = limit.zip(used).map(|(limit, used)| limit.saturating_sub(used));
        Machine {
            n_cores: std::thread::available_parallelism().map_or(1, usize::from),
            free_memory: system.into_iter().chain(container).min(),
        }
    }
}

/// Bytes of `MemAvailable` in the text of `/proc/meminfo`.
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_available_memory() {
        let text = "MemTotal:       24689764 kB\nMemFree:         1000 kB\nMemAvailable:   2048 kB\n";
        assert_eq!(available(text), Some(2 * 1024 * 1024));
        assert_eq!(available("MemFree: 1 kB\n"), None);
    }

    #[test]
    fn a_machine_has_a_core() {
        assert!(Machine::here().n_cores >= 1);
    }
}
