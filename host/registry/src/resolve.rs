//! From a range of versions to an artefact.

use crate::artefact::Artefact;
use crate::error::{RegistryError, Result};
use crate::lock::Lock;
use crate::name::{RuleName, RuleVersion};
use crate::registry::Registry;
use semver::{Version, VersionReq};

/// The newest version within a range, by the order and the rules of semver: a pre-release is within a range only where
/// the range names one of the same version. `exclude` takes versions out, such as those that were rolled back.
pub fn newest<'a>(
    versions: &'a [Version],
    range: &VersionReq,
    exclude: &dyn Fn(&Version) -> bool,
) -> Option<&'a Version> {
    versions.iter().filter(|version| range.matches(version) && !exclude(version)).max()
}

/// A range as a manifest writes it.
///
/// # Errors
/// [`RegistryError::Refused`].
pub fn parse_range(range: &str) -> Result<VersionReq> {
    VersionReq::parse(range)
        .map_err(|error| RegistryError::Refused(format!("`{range}` is no range of versions: {error}")))
}

/// What a rule and a range stand for: what the lock file says, where it says anything of them, else the newest version
/// that `exclude` leaves.
///
/// # Errors
/// [`RegistryError::Missing`] where there is none, [`RegistryError::Locked`] where what the lock file says is not within
/// the range or not what is there, and as the registry fails.
pub async fn find(
    registry: &dyn Registry,
    lock: Option<&Lock>,
    name: &RuleName,
    range: &str,
    exclude: &(dyn Fn(&Version) -> bool + Sync),
) -> Result<Artefact> {
    let wanted = parse_range(range)?;
    if let Some(locked) = lock.and_then(|lock| lock.resolve(name, range)) {
        locked.check_range(&wanted)?;
        let rule = RuleVersion { name: name.clone(), version: locked.version.clone() };
        let artefact = match registry.artefact(&rule).await {
            Err(RegistryError::Missing(message)) => {
                return Err(RegistryError::Locked(format!("{message}, which sluice.lock names; {}", locked.way_out())));
            }
            other => other?,
        };
        locked.check_digest(&artefact)?;
        return Ok(artefact);
    }
    let there = registry.versions(name).await?;
    match newest(&there, &wanted, exclude) {
        Some(version) => registry.artefact(&RuleVersion { name: name.clone(), version: version.clone() }).await,
        None => Err(none_within(registry, name, range, &there, exclude).await?),
    }
}

async fn none_within(
    registry: &dyn Registry,
    name: &RuleName,
    range: &str,
    there: &[Version],
    exclude: &(dyn Fn(&Version) -> bool + Sync),
) -> Result<RegistryError> {
    let list = |texts: Vec<String>| texts.join(", ");
    if there.is_empty() {
        let names = list(registry.names().await?.iter().map(ToString::to_string).collect());
        let place = registry.place();
        return Ok(RegistryError::Missing(format!("no rule `{name}` in {place}; rules there: {names}")));
    }
    let shown = |version: &Version| {
        let out = if exclude(version) { " (left out)" } else { "" };
        format!("{version}{out}")
    };
    let there = list(there.iter().map(shown).collect());
    Ok(RegistryError::Missing(format!("no version of rule `{name}` is within `{range}`; versions there: {there}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pick(versions: &[&str], range: &str, exclude: &[&str]) -> Option<String> {
        let versions: Vec<Version> = versions.iter().map(|version| Version::parse(version).unwrap()).collect();
        let out = |version: &Version| exclude.contains(&version.to_string().as_str());
        newest(&versions, &parse_range(range).unwrap(), &out).map(ToString::to_string)
    }

    #[test]
    fn the_newest_version_within_the_range_is_taken_by_number_not_by_text() {
        let there = ["1.0.0", "1.9.0", "1.10.0", "2.0.0", "0.9.9"];
        assert_eq!(pick(&there, "^1", &[]).unwrap(), "1.10.0");
        assert_eq!(pick(&there, "=1.0.0", &[]).unwrap(), "1.0.0");
        assert_eq!(pick(&there, ">=1, <1.10", &[]).unwrap(), "1.9.0");
        assert_eq!(pick(&there, "*", &[]).unwrap(), "2.0.0");
        assert_eq!(pick(&there, "^3", &[]), None);
        assert_eq!(pick(&there, "^1", &["1.10.0", "1.9.0"]).unwrap(), "1.0.0");
    }

    #[test]
    fn pre_releases_are_taken_only_where_they_are_asked_for() {
        let there = ["1.0.0", "1.1.0-rc.1", "1.1.0-rc.2"];
        assert_eq!(pick(&there, "^1", &[]).unwrap(), "1.0.0");
        assert_eq!(pick(&there, "^1.1.0-rc.1", &[]).unwrap(), "1.1.0-rc.2");
    }

    #[test]
    fn a_range_that_is_none_is_told_by_itself() {
        assert!(parse_range("newest").unwrap_err().to_string().starts_with("`newest` is no range of versions"));
    }
}
