//! Whether this machine has the memory that the rules may take.

use crate::limits::bytes_text;
use std::fs;
use std::path::Path;

/// The rules may take more memory than there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the steps' memory limits add up to {} a worker, {} for {workers} workers; this host has {}: run fewer workers or \
     lower `memory` under `limits`",
    mib(*a_worker), mib(a_worker.saturating_mul(*workers as u64)), mib(*host)
)]
pub struct Overcommitted {
    /// Workers.
    pub workers: usize,
    /// Sum of the steps' memory caps, bytes.
    pub a_worker: u64,
    /// What the host has, bytes.
    pub host: u64,
}

fn mib(bytes: u64) -> String {
    bytes_text(usize::try_from(bytes & !((1 << 20) - 1)).unwrap_or(usize::MAX))
}

/// Holds workers times the steps' memory caps against what the host has.
///
/// # Errors
/// It has less.
pub fn check_memory(
    workers: usize,
    step_memory_bytes: impl IntoIterator<Item = usize>,
    host_bytes: u64,
) -> Result<(), Overcommitted> {
    let a_worker = step_memory_bytes.into_iter().fold(0u64, |sum, step| sum.saturating_add(step as u64));
    if a_worker.saturating_mul(workers as u64) <= host_bytes {
        return Ok(());
    }
    Err(Overcommitted { workers, a_worker, host: host_bytes })
}

/// Memory that this process may have: the least of its control groups' limits and the machine's memory. `None` where
/// the system does not say.
pub fn host_memory_bytes() -> Option<u64> {
    let machine = machine_bytes(&fs::read_to_string("/proc/meminfo").ok()?);
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    machine.into_iter().chain(group_bytes(Path::new("/sys/fs/cgroup"), &own)).min()
}

/// `MemTotal` of `/proc/meminfo`, which counts in KiB.
fn machine_bytes(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// The least `memory.max` of this process's control group and those above it (cgroup v2).
fn group_bytes(root: &Path, own: &str) -> Option<u64> {
    let path = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let limit = |folder: &Path| fs::read_to_string(root.join(folder).join("memory.max")).ok()?.trim().parse().ok();
    Path::new(path).ancestors().filter_map(limit).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_held_against_the_host() {
        assert_eq!(check_memory(2, [64 << 20, 64 << 20], 256 << 20), Ok(()));
        let error = check_memory(8, [64 << 20, 64 << 20], 512 << 20).unwrap_err();
        let text = error.to_string();
        assert!(
            text.starts_with("the steps' memory limits add up to 128 MiB a worker, 1024 MiB for 8 workers"),
            "{text}"
        );
        assert!(text.contains("this host has 512 MiB"), "{text}");
    }

    #[test]
    fn the_tightest_group_counts() {
        let root = tempfile::tempdir().unwrap();
        let inner = root.path().join("outer/inner");
        fs::create_dir_all(&inner).unwrap();
        fs::write(root.path().join("outer/memory.max"), "1000\n").unwrap();
        fs::write(inner.join("memory.max"), "max\n").unwrap();
        assert_eq!(group_bytes(root.path(), "0::/outer/inner\n"), Some(1000));
        fs::write(inner.join("memory.max"), "400\n").unwrap();
        assert_eq!(group_bytes(root.path(), "1:cpu:/x\n0::/outer/inner\n"), Some(400));
    }

    #[test]
    fn this_machine_says_how_much_it_has() {
        assert_eq!(machine_bytes("MemTotal:       16 kB\n"), Some(16 << 10));
        assert!(host_memory_bytes().is_none_or(|bytes| bytes > 64 << 20));
    }
}
