//! A rule's bytes, checked and compiled.

use crate::binary::Binary;
use crate::describe::{Description, World};
use crate::engine::Inner;
use crate::instance::{ExportIndexes, Instance, Setup};
use crate::limits::{Limits, LoadLimits};
use crate::open::{Capability, OpenError, StepConfig};
use crate::plan;
use crate::state::HostState;
use crate::text::clean_line;
use crate::wire::names;
use sluice_batch::digest_hex;
use sluice_ports::{RuleId, RulePlan};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use wasmtime::component::InstancePre;

/// A file that is no rule: what is wrong with it and the way out, as a clause that begins with `it` or names a part.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LoadError(String);

impl LoadError {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// A rule, compiled. It can be opened for any number of steps; cheap to clone.
#[derive(Clone)]
pub struct Component {
    compiled: Arc<Compiled>,
    description: Arc<Description>,
    id: RuleId,
}

/// A component as wasmtime runs it. What instances are made of.
pub(crate) struct Compiled {
    pub(crate) sandbox: Arc<Inner>,
    pub(crate) pre: InstancePre<HostState>,
    pub(crate) exports: ExportIndexes,
    pub(crate) world: World,
    /// Capabilities that it uses.
    pub(crate) imports: BTreeSet<Capability>,
}

impl Component {
    pub(crate) fn load(sandbox: &Arc<Inner>, bytes: &[u8], limits: &LoadLimits) -> Result<Self, LoadError> {
        let compiled = Compiled::new(sandbox, bytes, limits).map_err(LoadError::new)?;
        let description = compiled.describe().map_err(LoadError::new)?;
        let id =
            RuleId { name: description.name.clone(), version: description.version.clone(), digest: digest_hex(bytes) };
        Ok(Self { compiled, description: Arc::new(description), id })
    }

    /// Which rule: name and version as it gives them, and the digest of the bytes that it was loaded from.
    pub fn id(&self) -> &RuleId {
        &self.id
    }

    /// What it says about itself.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// The world that it exports.
    pub fn world(&self) -> World {
        self.compiled.world
    }

    /// Capabilities that it uses. Each must be granted where it is opened.
    pub fn imports(&self) -> &BTreeSet<Capability> {
        &self.compiled.imports
    }

    /// Opens the rule for one step: hands it its configuration on a fresh instance and holds the signature that it
    /// gives against what the manifest grants.
    ///
    /// # Errors
    /// What the rule found wrong in its configuration, or what the host refuses.
    pub fn open(&self, config: StepConfig) -> Result<Arc<dyn RulePlan>, OpenError> {
        plan::open(&self.compiled, &self.id, self.description.kind, config)
    }
}

impl fmt::Debug for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Component").field("id", &self.id).field("world", &self.compiled.world).finish_non_exhaustive()
    }
}

impl Compiled {
    /// # Errors
    /// The bytes are no rule, or over a limit.
    pub(crate) fn new(sandbox: &Arc<Inner>, bytes: &[u8], limits: &LoadLimits) -> Result<Arc<Self>, String> {
        check_size(bytes.len(), limits.component_bytes)?;
        // what can be told without compiling is told at once
        let binary = Binary::read(bytes)?;
        binary.check_imports()?;
        let world = binary.world()?;
        let component = sandbox.compile(bytes, limits)?;
        let pre = sandbox.linker.instantiate_pre(&component).map_err(|error| refused(&error))?;
        let exports = ExportIndexes::find(&component, world)?;
        let imports = capabilities(&component);
        Ok(Arc::new(Self { sandbox: sandbox.clone(), pre, exports, world, imports }))
    }

    /// Asks a fresh instance what it is.
    ///
    /// # Errors
    /// It does not start, does not answer, or says what cannot be.
    pub(crate) fn describe(self: &Arc<Self>) -> Result<Description, String> {
        let clause = |wrong: crate::failure::Wrong| wrong.clause("while it was asked what it is");
        // no step has said yet what it may have
        let limits = Limits { table_elements: Limits::TABLE_ELEMENTS, ..Limits::default() };
        let mut instance = Instance::start(self, &Setup { limits, ..Setup::default() }).map_err(clause)?;
        let out = instance.describe().map_err(clause)?;
        Description::check(out, self.world)
    }
}

/// # Errors
/// The file is over the limit.
fn check_size(size: usize, limit: usize) -> Result<(), String> {
    if size <= limit {
        return Ok(());
    }
    Err(format!(
        "it has {size} bytes and a rule may have {limit}; build it with optimisation and without debug information, or \
         raise `component` under `limits`"
    ))
}

/// What it imports as the linker sees it.
fn capabilities(component: &wasmtime::component::Component) -> BTreeSet<Capability> {
    let ty = component.component_type();
    let imports: BTreeSet<String> = ty.imports(component.engine()).map(|(name, _)| name.to_owned()).collect();
    Capability::ALL.into_iter().filter(|capability| imports.contains(capability.interface())).collect()
}

/// What wasmtime says of a file that it does not take.
pub(crate) fn refused(error: &wasmtime::Error) -> String {
    format!("it is refused: {}", clean_line(&format!("{error:#}"), 500))
}

impl Capability {
    /// The interface that a component imports to use it.
    pub(crate) fn interface(self) -> &'static str {
        match self {
            Self::Log => names::LOG,
            Self::Lookup => names::LOOKUP,
            Self::Token => names::TOKEN,
        }
    }
}
