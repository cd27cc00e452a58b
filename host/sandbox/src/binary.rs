//! What a WebAssembly file says of itself before any of it is compiled: imports, exports, component or module.

use crate::describe::World;
use crate::text::clean_line;
use crate::wire::names;
use serde::Serialize;
use std::fmt;
use wasmparser::{Parser, Payload};

/// Most imports and exports of a file together. A rule built with the SDK has a dozen; whoever looks for twins among
/// millions keeps the host busy for minutes.
const MOST_NAMES: usize = 10_000;

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    /// A component.
    Component,
    /// A core module; the host makes a component of it.
    CoreModule,
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Component => "component",
            Self::CoreModule => "core module",
        })
    }
}

/// The outside of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Binary {
    pub(crate) kind: FileKind,
    /// Names of what it imports; of a core module the names of the modules. Each once, in order.
    pub(crate) imports: Vec<String>,
    /// Names of what it exports.
    pub(crate) exports: Vec<String>,
}

impl Binary {
    /// Reads the outermost level of a file.
    ///
    /// # Errors
    /// The bytes are no WebAssembly.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, String> {
        let kind = match (Parser::is_component(bytes), Parser::is_core_wasm(bytes)) {
            (true, _) => FileKind::Component,
            (_, true) => FileKind::CoreModule,
            _ => return Err(broken("it does not begin as one")),
        };
        let mut binary = Self { kind, imports: Vec::new(), exports: Vec::new() };
        let (mut depth, mut seen) = (0u32, 0);
        for payload in Parser::new(0).parse_all(bytes) {
            match payload.map_err(broken)? {
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                payload if depth == 0 => binary.note(payload, &mut seen)?,
                _ => {}
            }
        }
        Ok(binary)
    }

    /// `seen` counts what was noted, twins too.
    fn note(&mut self, payload: Payload<'_>, seen: &mut usize) -> Result<(), String> {
        let mut push = |names: &mut Vec<String>, name: &str| {
            *seen += 1;
            if *seen > MOST_NAMES {
                return Err(format!("it has more than {MOST_NAMES} imports and exports; a rule has a dozen"));
            }
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
            Ok(())
        };
        match payload {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    push(&mut self.imports, import.map_err(broken)?.module)?;
                }
            }
            Payload::ComponentImportSection(section) => {
                for import in section {
                    push(&mut self.imports, &import.map_err(broken)?.name.full_name())?;
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    push(&mut self.exports, export.map_err(broken)?.name)?;
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section {
                    push(&mut self.exports, &export.map_err(broken)?.name.full_name())?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The world that it is for. A module exports the functions of an interface as `INTERFACE#FUNCTION`.
    ///
    /// # Errors
    /// It is for none, or for several.
    pub(crate) fn world(&self) -> Result<World, String> {
        if self.kind == FileKind::Component {
            return World::of(&self.exports);
        }
        let interfaces = self.exports.iter().filter_map(|name| name.split_once('#')).map(|(of, _)| of.to_owned());
        World::of(&interfaces.collect::<Vec<_>>())
            .map_err(|wrong| format!("it is a core module and {wrong}: build it with the SDK or with wit-bindgen"))
    }

    /// # Errors
    /// It imports something that no manifest can grant.
    pub(crate) fn check_imports(&self) -> Result<(), String> {
        let known = [names::LOG, names::LOOKUP, names::TOKEN].into_iter().chain(names::TYPES);
        let granted = |name: &String| known.clone().any(|known| known == name);
        let strange: Vec<_> =
            self.imports.iter().filter(|name| !granted(name)).map(|name| clean_line(name, 200)).collect();
        if strange.is_empty() {
            return Ok(());
        }
        Err(format!(
            "it imports `{}`; a rule may import `{}`, `{}` and `{}` and nothing else: no WASI, no clock, no chance",
            strange.join("`, `"),
            names::LOG,
            names::LOOKUP,
            names::TOKEN
        ))
    }
}

fn broken(what: impl fmt::Display) -> String {
    format!("the file is no WebAssembly component or module: {what}")
}
