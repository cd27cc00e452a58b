//! A rule's bytes made into code of this machine.
//!
//! Compiling is the most that the host does with bytes that nobody looked at: a few megabytes can take minutes and
//! gigabytes. [`Compiler::Process`] bounds both (host/docs/decisions/0010-compile-in-a-process.md).

mod child;
mod frame;
mod process;

pub use child::compile_rule;

use crate::binary::{Binary, FileKind};
use crate::component::refused;
use crate::encode::encode;
use crate::limits::LoadLimits;
use frame::Request;
use std::borrow::Cow;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use wasmtime::Engine;
use wasmtime::component::Component;

/// Who compiles.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Compiler {
    /// The thread that loads. Of the [`LoadLimits`] only the size of the file is kept: for tests, and for files that
    /// their operator made.
    #[default]
    InProcess,
    /// A process for each file, which ends when it is done or over a limit.
    Process {
        /// A program that calls [`compile_rule`] on its standard input and output and does nothing else.
        program: PathBuf,
        /// What makes it do so.
        args: Vec<OsString>,
        /// Its whole environment. An allocator that reserves address space in advance is to be told here not to: what
        /// it has when it begins is not counted.
        env: Vec<(OsString, OsString)>,
    },
}

impl Compiler {
    /// This very program with these arguments and this environment. Where the system allows it, the program that is running is started, not
    /// the file of its name: that may have been exchanged for another version since.
    ///
    /// # Errors
    /// The system does not say which program this is.
    pub fn this_program(args: &[&str], env: &[(&str, &str)]) -> std::io::Result<Self> {
        let running = Path::new("/proc/self/exe");
        let program = if running.exists() { running.to_owned() } else { std::env::current_exe()? };
        let args = args.iter().map(Into::into).collect();
        Ok(Self::Process { program, args, env: env.iter().map(|(name, value)| (name.into(), value.into())).collect() })
    }

    /// # Errors
    /// The bytes are no rule, or over a limit.
    pub(crate) fn run(
        &self,
        engine: &Engine,
        bounds: Bounds,
        bytes: &[u8],
        limits: &LoadLimits,
    ) -> Result<Code, String> {
        match self {
            Self::InProcess => code_of(engine, bytes),
            Self::Process { program, args, env } => {
                let mut command = Command::new(program);
                command.args(args).env_clear().envs(env.iter().cloned());
                process::compile(command, engine, &Request { bounds, limits: *limits, file: bytes })
            }
        }
    }
}

/// How a rule's accesses to its memory are bounded; part of what it is compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bounds {
    /// By address space.
    Reserved,
    /// By a check at each.
    Checked,
}

/// Compiled code that came out of a compiler of this program in this run: nothing that lay about in a file, and nothing
/// that a stranger wrote.
pub(crate) struct Code(Vec<u8>);

impl Code {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Makes it runnable.
    ///
    /// # Errors
    /// It is for another engine.
    pub(crate) fn load(&self, engine: &Engine) -> wasmtime::Result<Component> {
        // SAFETY: a `Code` is made in two places only. `code_of` takes it from wasmtime's compiler here. `process` takes
        // it from the same compiler in a process of the same program, over a pipe that only the two of them hold, and
        // compares digests: it is what that compiler wrote, whole. A file that gets the compiler to write what it should
        // not would have done so here as well; there, it has one process less in its hands.
        unsafe { Component::deserialize(engine, &self.0) }
    }
}

/// Makes a component of the bytes where they are a module, checks and compiles it.
fn code_of(engine: &Engine, bytes: &[u8]) -> Result<Code, String> {
    let component = as_component(bytes)?;
    engine.precompile_component(&component).map(Code).map_err(|error| refused(&error))
}

fn as_component(bytes: &[u8]) -> Result<Cow<'_, [u8]>, String> {
    let binary = Binary::read(bytes)?;
    match binary.kind {
        FileKind::Component => Ok(Cow::Borrowed(bytes)),
        FileKind::CoreModule => encode(bytes, &binary).map(Cow::Owned),
    }
}
