//! Which process holds a lease, and whether it is still there.

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use std::collections::BTreeSet;
use std::fs;
use std::sync::{LazyLock, Mutex};

/// Leases that this process dropped: nobody works under them any more, whether or not their release is written yet. Kept
/// for good, since what was read of a lease may be older than its release; a process drops few.
static DROPPED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Notes that the lease of an owner was dropped.
pub(super) fn dropped(owner: &str) {
    DROPPED.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).insert(owner.to_owned());
}

/// Whether this process dropped the lease of an owner.
pub(super) fn was_dropped(owner: &str) -> bool {
    DROPPED.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).contains(owner)
}

/// For people: machine and process.
pub(super) fn name() -> String {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").ok().or_else(|| std::env::var("HOSTNAME").ok());
    format!("`{}`, process {}", host.as_deref().map_or("a machine", str::trim), std::process::id())
}

/// This process among all that ever ran, where the system tells: boot, namespace of process ids, id and start.
pub(super) fn process() -> &'static str {
    static PROCESS: LazyLock<String> = LazyLock::new(|| {
        let id = std::process::id();
        place().zip(started(id)).map(|(place, start)| format!("{place}:{id}:{start}")).unwrap_or_default()
    });
    &PROCESS
}

/// Whether a process is known to have ended: one of this machine, since it started, whose id is free or belongs to
/// another now. Then its lease need not be waited for.
pub(super) fn is_gone(process: &str) -> bool {
    let Some((rest, start)) = process.rsplit_once(':') else { return false };
    let Some((there, id)) = rest.rsplit_once(':') else { return false };
    let Some(id) = id.parse().ok().filter(|_| place().as_deref() == Some(there)) else { return false };
    let Some(pid) = Pid::from_raw(id) else { return false };
    match test_kill_process(pid) {
        Err(Errno::SRCH) => true,
        // it is there, or hidden from this user: only another start tells that the id was given again
        _ => started(id.unsigned_abs()).is_some_and(|now| now != start),
    }
}

/// Where process ids mean the same: one boot and one namespace.
fn place() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{}:{}", boot.trim(), namespace.display()))
}

/// When a process started, in clock ticks after the boot (field 22 of proc_pid_stat(5); the second may hold spaces).
fn started(id: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(19).map(str::to_owned)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn only_a_process_of_this_machine_that_ended_is_gone() {
        assert!(!is_gone(process()), "this process is there");
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let token = format!("{}:{}:{}", place().unwrap(), child.id(), started(child.id()).unwrap());
        assert!(!is_gone(&token), "{token}");
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(is_gone(&token), "{token}");
        for other in ["", "x", "a:b:c", "other-boot:pid:[1]:1:1", &format!("{}:0:1", place().unwrap())] {
            assert!(!is_gone(other), "{other}");
        }
        let reused = format!("{}:{}:1", place().unwrap(), std::process::id());
        assert!(is_gone(&reused), "the id is another process's now");
    }
}
