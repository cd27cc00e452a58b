//! `sluice plugin publish`: from a package or a component to a version in a registry.

use crate::commands::compile_rule::compiler;
use crate::exit::FINDINGS;
use crate::guest_build;
use crate::registry;
use crate::registry::built::{self, Built};
use anyhow::{Context, Result, bail};
use arrow_array::temporal_conversions::timestamp_s_to_datetime;
use sluice_registry::{KeyPair, Publication, Published, Registry, RuleVersion};
use sluice_sandbox::{Sandbox, SandboxConfig};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

pub(super) fn publish(
    path: &Path,
    to: Option<&Path>,
    cases: Option<&Path>,
    key: Option<&Path>,
    publisher: Option<String>,
) -> Result<ExitCode> {
    // before anything is put there: a key that cannot be read is to leave no version without its signature
    let key = key.map(KeyPair::read_file).transpose()?;
    let found = if path.is_dir() { Found::package(path, to)? } else { Found::component(path, to)? };
    let inspection =
        Sandbox::new(SandboxConfig { compiler: compiler()?, ..SandboxConfig::default() })?.inspect(&found.component);
    if let Some(refusal) = inspection.refusal {
        eprintln!("{}: {refusal}", path.display());
        return Ok(ExitCode::from(FINDINGS));
    }
    let about = inspection.description.context("a rule that is not refused has a description")?;
    let rule = RuleVersion::new(&about.name, &about.version)?;
    found.check_name(&rule)?;
    let cases = match (cases, found.cases.as_deref()) {
        (Some(folder), _) if !folder.is_dir() => bail!("{}: no folder of test cases", folder.display()),
        (Some(folder), _) | (None, Some(folder)) => built::cases(folder)?,
        (None, None) => vec![],
    };
    let count = cases.len();
    let publication =
        Publication { rule: rule.clone(), bytes: found.component.into(), cases, published_at: now(), publisher };
    let registry = registry::create(&found.registry)?;
    let published = registry::wait(registry.publish(&publication))?;
    if let Some(pair) = &key {
        registry::wait(registry.add_signature(&rule, &pair.sign(&rule, &inspection.digest)))?;
    }
    let state = match published {
        Published::New => "published",
        Published::Already => "was published already",
    };
    let signed = key.map_or(String::new(), |pair| format!(", signed by key {}", pair.public().id()));
    println!("{rule}: {state} in {}: digest {}, {count} files of cases{signed}", registry.place(), inspection.digest);
    Ok(ExitCode::SUCCESS)
}

/// What is to be published, and where.
struct Found {
    component: Vec<u8>,
    registry: PathBuf,
    cases: Option<PathBuf>,
    /// Name and version that the package has.
    package: Option<(String, String)>,
}

impl Found {
    fn package(path: &Path, to: Option<&Path>) -> Result<Self> {
        let beside = path.join("../registry");
        let registry = to.map_or_else(|| beside.clone(), Path::to_owned);
        let (package, module) = guest_build::build(&[path.to_owned()])?.pop().context("the package that was built")?;
        let component = Sandbox::componentize(&module)?;
        if is_same_folder(&registry, &beside) {
            // what was built there before is not published and gives way; what is published is held against this next
            Built::new(&registry, &package.name).put(&package.version, &component, path, None)?;
        }
        let package = Some((package.name, package.version));
        Ok(Self { component, registry, cases: Some(path.join("cases")), package })
    }

    fn component(path: &Path, to: Option<&Path>) -> Result<Self> {
        let component = std::fs::read(path).with_context(|| format!("{}", path.display()))?;
        let registry = to.context("which registry? a component is published with `--to DIR`")?.to_owned();
        Ok(Self { component, registry, cases: None, package: None })
    }

    /// What a component says of itself is what manifests get; a package that is called otherwise is a mistake.
    fn check_name(&self, rule: &RuleVersion) -> Result<()> {
        match &self.package {
            Some((name, version)) if (name.as_str(), version) != (rule.name.as_str(), &rule.version.to_string()) => {
                bail!(
                    "package `{name}@{version}` builds a rule that says it is `{rule}`; give both one name and version"
                )
            }
            _ => Ok(()),
        }
    }
}

fn is_same_folder(one: &Path, other: &Path) -> bool {
    one == other || one.canonicalize().ok().zip(other.canonicalize().ok()).is_some_and(|(one, other)| one == other)
}

/// The time, RFC 3339, to the second.
fn now() -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
    timestamp_s_to_datetime(seconds).map_or_else(String::new, |time| format!("{time:?}Z"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_time_is_written_as_rfc_3339() {
        let now = super::now();
        assert_eq!((now.len(), &now[..2], &now[10..11], &now[19..]), (20, "20", "T", "Z"), "{now}");
    }
}
