//! What a rule says about itself.

use crate::text::{clean_line, is_name};
use crate::wire::{DescriptionOut, names};
use serde::Serialize;
use sluice_ports::RuleKind;
use std::fmt;

/// The world that a component exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum World {
    /// Judges rows.
    Validator,
    /// Changes columns.
    Transformer,
    /// Sums rows up.
    Aggregator,
}

impl World {
    const ALL: [Self; 3] = [Self::Validator, Self::Transformer, Self::Aggregator];

    /// The interface, beside `rule`, that makes a component one of this world.
    pub(crate) fn interface(self) -> &'static str {
        match self {
            Self::Validator => names::VALIDATE,
            Self::Transformer => names::TRANSFORM,
            Self::Aggregator => names::AGGREGATE,
        }
    }

    /// The world of a component with these exports.
    ///
    /// # Errors
    /// It is of none, or of several.
    pub(crate) fn of(exports: &[String]) -> Result<Self, String> {
        let exported = |name: &str| exports.iter().any(|export| export == name);
        let worlds: Vec<_> = Self::ALL.into_iter().filter(|world| exported(world.interface())).collect();
        match worlds[..] {
            [world] if exported(names::RULE) => Ok(world),
            [_] => Err(format!("it does not export `{}`, which every rule does", names::RULE)),
            [] => Err(format!(
                "it exports none of `{}`, `{}` and `{}`; a rule exports one of them",
                names::VALIDATE,
                names::TRANSFORM,
                names::AGGREGATE
            )),
            [one, other, ..] => Err(format!(
                "it exports both `{}` and `{}`; a rule exports one of them",
                one.interface(),
                other.interface()
            )),
        }
    }

    fn is_for(self, kind: RuleKind) -> bool {
        matches!(
            (self, kind),
            (Self::Validator, RuleKind::Validate)
                | (Self::Transformer, RuleKind::Redact | RuleKind::Coerce)
                | (Self::Aggregator, RuleKind::Aggregate)
        )
    }
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Validator => "validator",
            Self::Transformer => "transformer",
            Self::Aggregator => "aggregator",
        })
    }
}

/// What a rule says about itself, checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Description {
    /// Name, as manifests write it.
    pub name: String,
    /// Semantic version.
    pub version: String,
    /// What it is for.
    pub kind: RuleKind,
    /// One line for people.
    pub summary: String,
    /// JSON Schema of its configuration, or empty.
    pub config_schema: String,
}

impl Description {
    /// # Errors
    /// Everything that is wrong with it.
    pub(crate) fn check(out: DescriptionOut, world: World) -> Result<Self, String> {
        let mut wrong = Vec::new();
        let kind = RuleKind::from(out.kind);
        if !is_name(&out.name, b'-', 64) {
            let name = clean_line(&out.name, 80);
            wrong.push(format!("its name `{name}` is none; names are 1 to 64 lower-case letters, digits and `-`"));
        }
        if let Err(error) = semver::Version::parse(&out.version) {
            wrong.push(format!("its version `{}` is no semantic version: {error}", clean_line(&out.version, 80)));
        }
        if !world.is_for(kind) {
            wrong.push(format!("it says that it is for `{kind}` and exports world `{world}`"));
        }
        if let (false, Err(error)) =
            (out.config_schema.is_empty(), serde_json::from_str::<serde::de::IgnoredAny>(&out.config_schema))
        {
            wrong.push(format!("its configuration schema is no JSON: {error}"));
        }
        if !wrong.is_empty() {
            return Err(wrong.join("; "));
        }
        let summary = clean_line(&out.summary, 200);
        Ok(Self { name: out.name, version: out.version, kind, summary, config_schema: out.config_schema })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::WireKind;

    fn out() -> DescriptionOut {
        DescriptionOut {
            name: "pii".into(),
            version: "1.2.0".into(),
            kind: WireKind::Redact,
            summary: "hides\nthings ".into(),
            config_schema: "{}".into(),
        }
    }

    #[test]
    fn a_good_description_passes_with_its_summary_in_one_line() {
        assert_eq!(Description::check(out(), World::Transformer).unwrap().summary, "hides things");
    }

    #[test]
    fn everything_wrong_is_said_at_once() {
        let bad = DescriptionOut { name: "P".into(), version: "1".into(), config_schema: "{".into(), ..out() };
        let text = Description::check(bad, World::Validator).unwrap_err();
        for part in ["name `P`", "version `1`", "for `redact` and exports world `validator`", "schema is no JSON"] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn a_component_is_of_exactly_one_world() {
        let of = |names: &[&str]| World::of(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!(of(&[names::RULE, names::TRANSFORM, "wasi:cli/run@0.2.0"]), Ok(World::Transformer));
        assert!(of(&[names::RULE]).unwrap_err().starts_with("it exports none of"));
        assert!(of(&[names::VALIDATE]).unwrap_err().contains("does not export `sluice:rules/rule@0.1.0`"));
        assert!(of(&[names::RULE, names::VALIDATE, names::TRANSFORM]).unwrap_err().starts_with("it exports both"));
    }
}
