//! Everything that can be said about a file without a manifest.

use crate::binary::{Binary, FileKind};
use crate::component::Compiled;
use crate::describe::{Description, World};
use crate::engine::Inner;
use crate::limits::LoadLimits;
use crate::text::clean_line;
use serde::Serialize;
use sluice_batch::digest_hex;
use std::sync::Arc;

/// What a file is. Filled in as far as it is a rule; `refusal` says where it stops being one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Inspection {
    /// SHA-256 of the file, hexadecimal.
    pub digest: String,
    /// Size of the file in bytes.
    pub bytes: usize,
    /// Component or core module; `None` where it is neither.
    pub kind: Option<FileKind>,
    /// Names of imports. What could rewrite a terminal is replaced, here and below.
    pub imports: Vec<String>,
    /// Names of exports; of a core module its functions, memories and so on.
    pub exports: Vec<String>,
    /// The world that it exports.
    pub world: Option<World>,
    /// What it says about itself.
    pub description: Option<Description>,
    /// Why no manifest could use it; `None` for a rule.
    pub refusal: Option<String>,
}

pub(crate) fn inspect(sandbox: &Arc<Inner>, bytes: &[u8], limits: &LoadLimits) -> Inspection {
    let mut inspection = Inspection { digest: digest_hex(bytes), bytes: bytes.len(), ..Inspection::default() };
    inspection.refusal = inspection.look(sandbox, bytes, limits).err();
    inspection
}

impl Inspection {
    fn look(&mut self, sandbox: &Arc<Inner>, bytes: &[u8], limits: &LoadLimits) -> Result<(), String> {
        let binary = Binary::read(bytes)?;
        self.kind = Some(binary.kind);
        let shown = |names: Vec<String>| names.iter().map(|name| clean_line(name, 200)).collect();
        self.imports = shown(binary.imports);
        self.exports = shown(binary.exports);
        let compiled = Compiled::new(sandbox, bytes, limits)?;
        self.world = Some(compiled.world);
        self.description = Some(compiled.describe()?);
        Ok(())
    }
}
