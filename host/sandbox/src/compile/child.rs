//! The process that compiles: it reads one file, writes its code, and ends.

use super::code_of;
use super::frame::{Reply, Request, write_reply};
use crate::cache::environment;
use crate::engine::compiling_engine;
use crate::limits::LoadLimits;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs;
use std::io::{self, Read, Write};
use std::time::Duration;

/// The other end of [`Compiler::Process`](crate::Compiler::Process): takes limits and a file from `input`, keeps the
/// whole process within these limits from then on, and writes code or a refusal to `output`. Call it first thing in a
/// process that does nothing else.
///
/// # Errors
/// The pipes broke, or the system does not take the limits.
pub fn compile_rule(input: impl Read, output: impl Write) -> io::Result<()> {
    let request = Request::read(input)?;
    limit_this_process(&request.limits)?;
    write_reply(output, &reply(&request))
}

fn reply(request: &Request<Vec<u8>>) -> Reply {
    let engine = compiling_engine(request.bounds).map_err(|error| format!("there is no compiler: {error:#}"))?;
    Ok((code_of(&engine, &request.file)?, environment(&engine)))
}

/// Sets limits that the system keeps: of memory beyond what the process has already, of processor time, of files.
fn limit_this_process(limits: &LoadLimits) -> io::Result<()> {
    let memory = address_space()?.saturating_add(limits.compile_memory_bytes as u64);
    set(Resource::As, memory, memory)?;
    let seconds = whole_seconds(limits.compile_time);
    // at the first the process is told, and that ends it; the second is for one that does not listen
    set(Resource::Cpu, seconds, seconds + 1)?;
    // no picture of a stranger's file is left behind, and nothing is written to any
    set(Resource::Core, 0, 0)?;
    set(Resource::Fsize, 0, 0)
}

/// The system counts processor time in seconds.
pub(super) fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

/// A limit that is tighter already stays.
fn set(resource: Resource, soft: u64, hard: u64) -> io::Result<()> {
    let Rlimit { current, maximum } = getrlimit(resource);
    let tighter = |there: Option<u64>, wanted: u64| Some(there.map_or(wanted, |there| there.min(wanted)));
    Ok(setrlimit(resource, Rlimit { current: tighter(current, soft), maximum: tighter(maximum, hard) })?)
}

/// Bytes of address space that this process has, its program and its allocator's reserves among them.
fn address_space() -> io::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
    let kib = line.and_then(|size| size.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    Ok(kib.ok_or_else(|| io::Error::other("/proc/self/status has no VmSize"))?.saturating_mul(1024))
}
