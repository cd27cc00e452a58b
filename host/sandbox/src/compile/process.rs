//! The host's side of a process that compiles.

use super::Code;
use super::child::whole_seconds;
use super::frame::{Reply, Request, TEXT_BYTES, read_reply};
use crate::cache::environment;
use crate::limits::{LoadLimits, bytes_text};
use crate::text::clean_line;
use rustix::process::Signal;
use std::io::{self, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};
use wasmtime::Engine;

/// Time by the clock for each second of processor time: on a machine as crowded as that, rules are late anyway.
const CLOCK_TIMES: u32 = 4;

/// Time by the clock for starting the process and for what goes through its pipes.
const CLOCK_SLACK: Duration = Duration::from_secs(10);

/// Bytes of code for each byte of the file. Real rules have about 3, files of many empty functions 35.
const CODE_RATIO: usize = 64;

/// What comes of the smallest file, and more.
const CODE_BASE: usize = 1 << 20;

/// Time in which a process that said all it had to say must be gone.
const ENDING: Duration = Duration::from_secs(5);

/// Compiles a file in a process of its own.
///
/// # Errors
/// It is no rule, or it took more than it may; the way out.
pub(super) fn compile(mut command: Command, engine: &Engine, request: &Request<&[u8]>) -> Result<Code, String> {
    let program = command.get_program().display().to_string();
    let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child =
        spawned.map_err(|error| format!("no process to compile it could be started from `{program}`: {error}"))?;
    let exchanged = exchange(&mut child, request);
    let (code, of) = match exchanged.reply {
        Some(Ok(reply)) => reply?,
        Some(Err(error)) if error.kind() == io::ErrorKind::FileTooLarge => {
            return Err(too_much_code(request.file.len()));
        }
        Some(Err(error)) => return Err(exchanged.end.clause(&request.limits, &error)),
        None => return Err(too_slow(&request.limits)),
    };
    if of != environment(engine) {
        return Err(format!("`{program}` compiles for another engine than this host's; restart the host"));
    }
    Ok(code)
}

/// What a process said, and how it ended.
struct Exchanged {
    /// `None` where it said nothing in time.
    reply: Option<io::Result<Reply>>,
    end: End,
}

struct End {
    status: Option<ExitStatus>,
    stderr: String,
}

/// Hands the request over, takes the reply and sees to it that the process is gone.
fn exchange(child: &mut Child, request: &Request<&[u8]>) -> Exchanged {
    let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(stdin), Some(stdout), Some(stderr)) = pipes else { unreachable!("all three were asked for") };
    let max_code = request.file.len().saturating_mul(CODE_RATIO).saturating_add(CODE_BASE);
    let clock = request.limits.compile_time * CLOCK_TIMES + CLOCK_SLACK;
    thread::scope(|scope| {
        // a process that ended early does not read to the end; its exit says more than that
        scope.spawn(move || _ = request.write(stdin));
        let errors = scope.spawn(move || {
            let mut bytes = Vec::new();
            // what was read before an error is still worth showing
            let _ = stderr.take(TEXT_BYTES as u64).read_to_end(&mut bytes);
            bytes
        });
        let (send, replies) = channel();
        scope.spawn(move || _ = send.send(read_reply(stdout, max_code)));
        let reply = wait(&replies, clock);
        let status = end(child, reply.is_some());
        let stderr = errors.join().unwrap_or_default();
        Exchanged { reply, end: End { status, stderr: String::from_utf8_lossy(&stderr).into_owned() } }
    })
}

fn wait(replies: &Receiver<io::Result<Reply>>, clock: Duration) -> Option<io::Result<Reply>> {
    match replies.recv_timeout(clock) {
        Ok(reply) => Some(reply),
        Err(RecvTimeoutError::Timeout) => None,
        Err(RecvTimeoutError::Disconnected) => Some(Err(io::ErrorKind::UnexpectedEof.into())),
    }
}

/// Waits for a process that is about to end by itself, and kills any other.
fn end(child: &mut Child, by_itself: bool) -> Option<ExitStatus> {
    let until = Instant::now() + if by_itself { ENDING } else { Duration::ZERO };
    while Instant::now() < until {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        thread::sleep(Duration::from_millis(1));
    }
    // fails only where it is gone already
    let _ = child.kill();
    child.wait().ok()
}

impl End {
    /// Why there is no reply.
    fn clause(&self, limits: &LoadLimits, error: &io::Error) -> String {
        let signal = self.status.and_then(|status| status.signal());
        let is = |of: Signal| signal == Some(of.as_raw());
        if is(Signal::XCPU) {
            return format!(
                "compiling it took more than {} s of processor time; raise `compile_time` under `limits`, or let it \
                 have fewer and shorter functions",
                whole_seconds(limits.compile_time)
            );
        }
        if self.stderr.contains("memory allocation of") {
            return format!(
                "compiling it took more than {} of memory; raise `compile_memory` under `limits`, or let it have \
                 shorter functions",
                bytes_text(limits.compile_memory_bytes)
            );
        }
        if self.stderr.contains("stack overflow") {
            return "it nests types or blocks so deeply that compiling it overflows the stack; no compiler makes such \
                    files"
                .to_owned();
        }
        let last = self.stderr.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
        let how = match (signal, self.status) {
            (Some(signal), _) => format!("was ended by signal {signal}"),
            (None, Some(status)) => format!("ended with {status}"),
            (None, None) => "is lost".to_owned(),
        };
        format!(
            "the process that compiled it {how} ({error}): `{}`; no rule brings the compiler down by accident, ask \
             whoever built it",
            clean_line(last, 300)
        )
    }
}

fn too_slow(limits: &LoadLimits) -> String {
    let clock = limits.compile_time * CLOCK_TIMES + CLOCK_SLACK;
    format!(
        "compiling it was not done after {} s; raise `compile_time` under `limits`, or give this machine less to do",
        clock.as_secs()
    )
}

fn too_much_code(file_bytes: usize) -> String {
    format!(
        "its code would have more than {CODE_RATIO} times the {file_bytes} bytes of the file; no compiler makes such files"
    )
}
