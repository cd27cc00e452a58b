//! Starting the program and judging how it ended.

use serde_json::Value;
use std::ffi::OsStr;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Once;
use std::time::{Duration, Instant};

/// How long anything is waited for before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A command line in the making.
pub(crate) struct Sluice(Command);

impl Sluice {
    /// The program with a subcommand.
    pub(crate) fn new(subcommand: &str) -> Self {
        Self::of(Path::new(env!("CARGO_BIN_EXE_sluice")), subcommand)
    }

    /// Another build of the program.
    pub(crate) fn of(program: &Path, subcommand: &str) -> Self {
        let mut command = Command::new(program);
        for name in ["SLUICE_FAILPOINT", "SLUICE_THREADS", "SLUICE_RULES", "SLUICE_TOKEN_KEY"] {
            command.env_remove(name);
        }
        command.env("SLUICE_CACHE_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"));
        command.arg(subcommand).stdin(Stdio::null());
        Self(command)
    }

    /// `sluice run PIPELINE --data-dir DIR --json`, with the rules of the repository.
    pub(crate) fn run(pipeline: &Path, data_dir: &Path) -> Self {
        build_rules();
        Self::new("run").arg(pipeline).arg("--data-dir").arg(data_dir).arg("--json").repository_rules()
    }

    /// The same with another build of the program.
    pub(crate) fn run_with(program: &Path, pipeline: &Path, data_dir: &Path) -> Self {
        build_rules();
        Self::of(program, "run").arg(pipeline).arg("--data-dir").arg(data_dir).arg("--json").repository_rules()
    }

    /// Manifests in temporary folders cannot name the repository's rules by a relative path.
    fn repository_rules(mut self) -> Self {
        self.0.env("SLUICE_RULES", super::root().join("plugins"));
        self
    }

    pub(crate) fn rules(mut self, folder: &Path) -> Self {
        self.0.env("SLUICE_RULES", folder);
        self
    }

    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.0.arg(arg);
        self
    }

    pub(crate) fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.0.args(args);
        self
    }

    pub(crate) fn input(self, path: &Path) -> Self {
        self.arg("--input").arg(path)
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.0.env(name, value);
        self
    }

    /// Dies at the n-th time that it comes by a failpoint.
    pub(crate) fn dying_at(self, name: &str, nth: u64) -> Self {
        self.env("SLUICE_FAILPOINT", &format!("{name}:{nth}"))
    }

    /// Runs to the end.
    pub(crate) fn output(mut self) -> Outcome {
        let shown = format!("{:?}", self.0);
        let output = self.0.output().unwrap_or_else(|error| panic!("{shown}: {error}"));
        Outcome {
            shown,
            status: output.status,
            stdout: String::from_utf8(output.stdout).expect("standard output is UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("standard error is UTF-8"),
        }
    }

    /// Runs on by itself.
    pub(crate) fn spawn(mut self) -> Running {
        let shown = format!("{:?}", self.0);
        self.0.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = self.0.spawn().unwrap_or_else(|error| panic!("{shown}: {error}"));
        Running { shown, child: Some(child) }
    }
}

/// Builds the standard rules once, so that no test's clock runs meanwhile and no two tests build at once.
pub(crate) fn build_rules() {
    static BUILT: Once = Once::new();
    BUILT.call_once(|| {
        for name in ["orders", "online-retail"] {
            Sluice::new("check").arg(super::pipeline(name)).output().ok();
        }
    });
}

/// How the program ended.
pub(crate) struct Outcome {
    shown: String,
    status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    /// Its exit code, none where a signal ended it.
    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// The signal that ended it.
    pub(crate) fn signal(&self) -> Option<i32> {
        self.status.signal()
    }

    /// Insists on an exit code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(
            self.code(),
            Some(code),
            "{}\nended with {}:\n{}{}",
            self.shown,
            self.status,
            self.stderr,
            self.stdout
        );
        self
    }

    /// Insists on success.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        self.exits(0)
    }

    /// Insists that standard error holds all of these.
    #[track_caller]
    pub(crate) fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.stderr.contains(part), "{}\ndoes not say `{part}`:\n{}", self.shown, self.stderr);
        }
        self
    }

    /// The JSON object that `run --json` ends with.
    #[track_caller]
    pub(crate) fn account(&self) -> Value {
        let last = self.stdout.lines().last().unwrap_or_default();
        serde_json::from_str(last).unwrap_or_else(|error| panic!("{}: {error}: `{last}`\n{}", self.shown, self.stderr))
    }

    /// Everything that it printed.
    pub(crate) fn printed(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

/// A program under way; killed when it is dropped.
pub(crate) struct Running {
    shown: String,
    child: Option<Child>,
}

impl Running {
    pub(crate) fn id(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// Asks it to stop.
    pub(crate) fn terminate(&self) {
        let id = rustix::process::Pid::from_raw(self.id() as i32).expect("a process has an id");
        rustix::process::kill_process(id, rustix::process::Signal::TERM).expect("it can be told");
    }

    /// Ends it at once, as a loss of power would.
    pub(crate) fn kill(mut self) -> Outcome {
        self.child.as_mut().expect("it runs").kill().expect("it can be killed");
        self.wait()
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.as_mut().expect("it runs").try_wait().expect("it can be asked").is_some()
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> Outcome {
        let output = self.child.take().expect("it runs").wait_with_output().expect("it can be waited for");
        Outcome {
            shown: std::mem::take(&mut self.shown),
            status: output.status,
            stdout: String::from_utf8(output.stdout).expect("standard output is UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("standard error is UTF-8"),
        }
    }

    /// Waits until something holds, while it runs.
    #[track_caller]
    pub(crate) fn until(&mut self, what: &str, mut holds: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !holds() {
            if self.has_ended() || begun.elapsed() > PATIENCE {
                let child = self.child.as_mut().expect("it runs");
                let _ = child.kill();
                let output = self.child.take().expect("it runs").wait_with_output().expect("it can be waited for");
                panic!("{what} did not come about: {}: {}", self.shown, String::from_utf8_lossy(&output.stderr));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // it may have ended by itself
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Rows of a query as JSON objects.
#[track_caller]
pub(crate) fn query(pipeline: &Path, data_dir: &Path, sql: &str) -> Vec<Value> {
    let text = query_text(pipeline, data_dir, sql, "--json");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{sql}: {error}: {text}"))
}

/// What a query prints in a form (`--json`, `--csv`): with all digits that the warehouse gave.
#[track_caller]
pub(crate) fn query_text(pipeline: &Path, data_dir: &Path, sql: &str, form: &str) -> String {
    build_rules();
    let query = Sluice::new("query").arg(pipeline).arg(sql).arg("--data-dir").arg(data_dir).arg(form);
    query.repository_rules().output().ok().stdout
}

/// A pipeline in a folder of its own: a manifest of the repository with something added.
pub(crate) fn variant(of: &str, folder: &Path, added: &str) -> PathBuf {
    let manifest = std::fs::read_to_string(super::pipeline(of).join("pipeline.yaml")).expect("the pipeline is there");
    write_pipeline(folder, &format!("{manifest}\n{added}\n"))
}

/// A pipeline in a folder of its own.
pub(crate) fn write_pipeline(folder: &Path, manifest: &str) -> PathBuf {
    std::fs::create_dir_all(folder).expect("a folder can be made");
    std::fs::write(folder.join("pipeline.yaml"), manifest).expect("a manifest can be written");
    folder.to_owned()
}
