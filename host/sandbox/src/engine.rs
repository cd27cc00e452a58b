//! The engine: one for the process.

use crate::binary::{Binary, FileKind};
use crate::cache::{CodeCache, Key};
use crate::component::{Component, LoadError};
use crate::encode::encode;
use crate::import;
use crate::inspect::{self, Inspection};
use crate::limits::Limits;
use crate::state::{CORE_INSTANCES, HostState, TABLES};
use crate::ticker::Ticker;
use std::path::PathBuf;
use std::sync::Arc;
use tracing::{debug, warn};
use wasmtime::component::Linker;
use wasmtime::{Config, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig};

/// Address space of one linear memory. With it and the guard behind it no load or store of a rule needs a check of its
/// bounds: 1.85 times the speed of checked ones (host/docs/decisions/0003-sandbox.md). It is reserved, not used. Where
/// a process may not reserve so much (`ulimit -v`), rules run checked.
const RESERVATION: u64 = 4 << 30;

/// Stack of a rule's own calls. It lies on the worker's stack, which has 2 MiB by default.
const WASM_STACK: usize = 512 << 10;

/// Instances that stand ready beyond workers times steps: those that describe and open rules.
const SPARE_INSTANCES: u32 = 16;

/// Most instances in the pool. 4,096 of them take 16 TiB of address space, of the 128 TiB that a process has.
const MOST_INSTANCES: u32 = 4096;

/// How a [`Sandbox`] is set up.
#[derive(Debug, Clone)]
pub struct SandboxConfig {
    /// Folder for compiled code, made where it is not there. Default `None`: rules are compiled at every start.
    pub cache_dir: Option<PathBuf>,
    /// Threads that call rules. Default 1.
    pub workers: usize,
    /// Steps that run rules, in all datasets. Default 8.
    pub steps: usize,
    /// Largest file that is taken for a rule, in bytes. Default 16 MiB.
    pub component_bytes: usize,
}

impl Default for SandboxConfig {
    fn default() -> Self {
        Self { cache_dir: None, workers: 1, steps: 8, component_bytes: 16 << 20 }
    }
}

/// The sandbox could not be set up: the machine lacks something that wasmtime needs.
#[derive(Debug, thiserror::Error)]
#[error("the sandbox could not be set up: {0}")]
pub struct SandboxError(String);

/// Loads rules and runs them. One for the process; cheap to clone.
#[derive(Clone)]
pub struct Sandbox(pub(crate) Arc<Inner>);

/// What components and instances hold on to.
pub(crate) struct Inner {
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<HostState>,
    pub(crate) ticker: Ticker,
    cache: Option<CodeCache>,
    component_bytes: usize,
}

impl Sandbox {
    /// Sets the engine up.
    ///
    /// # Errors
    /// This machine cannot run it.
    pub fn new(config: SandboxConfig) -> Result<Self, SandboxError> {
        let fail = |error: &dyn std::fmt::Display| SandboxError(error.to_string());
        let engine = engine(pool_size(config.workers, config.steps)).map_err(|error| fail(&error))?;
        let linker = import::linker(&engine).map_err(|error| fail(&error))?;
        let ticker = Ticker::start(engine.clone()).map_err(|error| fail(&error))?;
        let cache = config.cache_dir.and_then(CodeCache::open);
        Ok(Self(Arc::new(Inner { engine, linker, ticker, cache, component_bytes: config.component_bytes })))
    }

    /// Makes a rule of a file's bytes: a component, or a core module that says which world it is for. Compiles it on
    /// the calling thread, or finds it compiled; then asks it what it is.
    ///
    /// # Errors
    /// It is no rule: what is wrong with it and the way out.
    pub fn load(&self, bytes: &[u8]) -> Result<Component, LoadError> {
        Component::load(&self.0, bytes)
    }

    /// Makes a component of a core module; a component is returned as it is.
    ///
    /// # Errors
    /// It does not say which world it is for, or imports what no rule may.
    pub fn componentize(bytes: &[u8]) -> Result<Vec<u8>, LoadError> {
        let binary = Binary::read(bytes).map_err(LoadError::new)?;
        match binary.kind {
            FileKind::Component => Ok(bytes.to_vec()),
            FileKind::CoreModule => encode(bytes, &binary).map_err(LoadError::new),
        }
    }

    /// Says everything about a file that can be said without a manifest, whether it is a rule or not.
    pub fn inspect(&self, bytes: &[u8]) -> Inspection {
        inspect::inspect(&self.0, bytes)
    }
}

impl Inner {
    /// # Errors
    /// The file is over the limit.
    pub(crate) fn check_size(&self, bytes: &[u8]) -> Result<(), String> {
        let (size, limit) = (bytes.len(), self.component_bytes);
        if size <= limit {
            return Ok(());
        }
        Err(format!(
            "it has {size} bytes and a rule may have {limit}; build it with optimisation and without debug information"
        ))
    }

    /// Compiled code for a component, from the cache where it is there.
    pub(crate) fn compile(&self, component: &[u8]) -> wasmtime::Result<wasmtime::component::Component> {
        let Some(cache) = &self.cache else {
            return wasmtime::component::Component::new(&self.engine, component);
        };
        let key = Key::new(component, &self.engine);
        if let Some(compiled) = cache.load(key, &self.engine) {
            return Ok(compiled);
        }
        let code = self.engine.precompile_component(component)?;
        debug!(component_bytes = component.len(), code_bytes = code.len(), "compiled a rule");
        cache.store(key, &code);
        // SAFETY: these bytes come from the line above, from this very engine.
        unsafe { wasmtime::component::Component::deserialize(&self.engine, &code) }
    }
}

fn pool_size(workers: usize, steps: usize) -> u32 {
    // twice, since a rule that is being exchanged stands beside the one that it replaces
    let instances = workers.saturating_mul(steps).saturating_mul(2);
    u32::try_from(instances).unwrap_or(u32::MAX).saturating_add(SPARE_INSTANCES).min(MOST_INSTANCES)
}

fn engine(instances: u32) -> wasmtime::Result<Engine> {
    let mut roomy = config();
    roomy.memory_reservation(RESERVATION).memory_may_move(false);
    roomy.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(instances)));
    Engine::new(&roomy).or_else(|error| {
        warn!(
            "no address space for {instances} instances: {error:#}; rules run with checks of their bounds, and slower"
        );
        let mut tight = config();
        tight.memory_reservation(0).memory_guard_size(0).memory_may_move(true);
        Engine::new(&tight)
    })
}

/// Everything here is part of the key of compiled code.
fn config() -> Config {
    let mut config = Config::new();
    // a deadline costs a check at every loop and call: 1.2 times; counting fuel would cost 1.7 times
    config.epoch_interruption(true).consume_fuel(false);
    config.max_wasm_stack(WASM_STACK);
    config.cranelift_opt_level(OptLevel::Speed);
    // same input, same bytes, on every machine
    config.cranelift_nan_canonicalization(true);
    config.wasm_simd(true).wasm_relaxed_simd(false);
    config.wasm_memory64(false).wasm_multi_memory(false);
    config
}

fn pool(instances: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(4))
        .total_memories(instances)
        .total_tables(instances.saturating_mul(2))
        .max_core_instances_per_component(CORE_INSTANCES as u32)
        .max_memories_per_component(1)
        .max_tables_per_component(TABLES as u32)
        .max_tables_per_module(TABLES as u32)
        .max_memory_size(RESERVATION as usize)
        .table_elements(Limits::TABLE_ELEMENTS);
    pool
}
