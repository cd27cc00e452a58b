//! `sluice plugin`: build, inspect, publish and vouch for rules.

mod publish;
mod vouch;

use crate::args::PluginCommand;
use crate::commands::compile_rule::compiler;
use crate::exit::FINDINGS;
use crate::guest_build;
use crate::registry::built::{self, Built, Put};
use anyhow::{Context, Result, bail};
use sluice_sandbox::{Inspection, Sandbox, SandboxConfig};
use std::path::Path;
use std::process::ExitCode;

pub(crate) fn plugin(command: &PluginCommand) -> Result<ExitCode> {
    match command {
        PluginCommand::Build { path, out } => build(path, out.as_deref()),
        PluginCommand::Publish { path, to, cases, key, publisher } => {
            publish::publish(path, to.as_deref(), cases.as_deref(), key.as_deref(), publisher.clone())
        }
        PluginCommand::Sign { rule, key, registry } => vouch::sign(rule, key, registry),
        PluginCommand::Verify { rule, registry, trust, json } => vouch::verify(rule, registry, trust, *json),
        PluginCommand::Keygen { file } => vouch::keygen(file),
        PluginCommand::Inspect { file, json } => inspect(file, *json),
    }
}

fn build(path: &Path, out: Option<&Path>) -> Result<ExitCode> {
    for (package, module) in guest_build::build(&[path.to_owned()])? {
        let component = Sandbox::componentize(&module)?;
        let rule = format!("{}@{}", package.name, package.version);
        let file = match out {
            Some(file) => {
                built::write(file, &component)?;
                file.to_owned()
            }
            None => {
                let built = Built::new(&path.join("../registry"), &package.name);
                let file = built.component(&package.version);
                if built.put(&package.version, &component, path, None)? == Put::Published {
                    bail!(
                        "{}: `{rule}` is published with another component, and a version never changes; raise the version in \
                         {}, or name another file with `--out`",
                        file.display(),
                        path.join("Cargo.toml").display()
                    );
                }
                file
            }
        };
        println!("{rule}: {} kB, {}", component.len().div_ceil(1000), file.display());
    }
    Ok(ExitCode::SUCCESS)
}

fn inspect(file: &Path, json: bool) -> Result<ExitCode> {
    let bytes = std::fs::read(file).with_context(|| format!("{}", file.display()))?;
    let inspection = Sandbox::new(SandboxConfig { compiler: compiler()?, ..SandboxConfig::default() })?.inspect(&bytes);
    if json {
        println!("{}", serde_json::to_string_pretty(&inspection).context("the inspection")?);
    } else {
        print!("{}", text(&inspection));
    }
    Ok(if inspection.refusal.is_none() { ExitCode::SUCCESS } else { ExitCode::from(FINDINGS) })
}

fn text(inspection: &Inspection) -> String {
    let mut lines = Vec::new();
    if let Some(about) = &inspection.description {
        lines.push(("rule", format!("{}@{} ({})", about.name, about.version, about.kind)));
        lines.push(("summary", about.summary.clone()));
    }
    if let Some(world) = &inspection.world {
        lines.push(("world", world.to_string()));
    }
    if let Some(kind) = &inspection.kind {
        lines.push(("file", kind.to_string()));
    }
    lines.push(("size", format!("{} bytes", inspection.bytes)));
    lines.push(("digest", inspection.digest.clone()));
    let list = |names: &[String]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    lines.push(("imports", list(&inspection.imports)));
    lines.push(("exports", list(&inspection.exports)));
    lines.extend(inspection.refusal.clone().map(|refusal| ("refused", refusal)));
    lines.iter().map(|(name, value)| format!("{name:<8} {value}\n")).collect()
}
