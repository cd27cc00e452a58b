//! The engine: one for the process.

use crate::binary::{Binary, FileKind};
use crate::cache::{CodeCache, Key};
use crate::compile::{Bounds, Compiler};
use crate::component::{Component, LoadError};
use crate::encode::encode;
use crate::import;
use crate::inspect::{self, Inspection};
use crate::limits::{Limits, LoadLimits};
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
    /// Who compiles. Default: the thread that loads.
    pub compiler: Compiler,
    /// Limits of loading a rule for which nothing else is said.
    pub load: LoadLimits,
}

impl Default for SandboxConfig {
    fn default() -> Self {
        Self { cache_dir: None, workers: 1, steps: 8, compiler: Compiler::InProcess, load: LoadLimits::default() }
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
    compiler: Compiler,
    bounds: Bounds,
    pub(crate) load: LoadLimits,
}

impl Sandbox {
    /// Sets the engine up.
    ///
    /// # Errors
    /// This machine cannot run it.
    pub fn new(config: SandboxConfig) -> Result<Self, SandboxError> {
        let fail = |error: &dyn std::fmt::Display| SandboxError(error.to_string());
        let (engine, bounds) = engine(pool_size(config.workers, config.steps)).map_err(|error| fail(&error))?;
        let linker = import::linker(&engine).map_err(|error| fail(&error))?;
        let ticker = Ticker::start(engine.clone()).map_err(|error| fail(&error))?;
        let cache = config.cache_dir.and_then(CodeCache::open);
        let SandboxConfig { compiler, load, .. } = config;
        Ok(Self(Arc::new(Inner { engine, linker, ticker, cache, compiler, bounds, load })))
    }

    /// Makes a rule of a file's bytes: a component, or a core module that says which world it is for. Finds it
    /// compiled, or has it compiled within [`SandboxConfig::load`]; then asks it what it is.
    ///
    /// # Errors
    /// It is no rule, or over a limit: what is wrong with it and the way out.
    pub fn load(&self, bytes: &[u8]) -> Result<Component, LoadError> {
        self.load_within(bytes, &self.0.load)
    }

    /// The same within other limits.
    ///
    /// # Errors
    /// As [`Sandbox::load`].
    pub fn load_within(&self, bytes: &[u8], limits: &LoadLimits) -> Result<Component, LoadError> {
        Component::load(&self.0, bytes, limits)
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
        inspect::inspect(&self.0, bytes, &self.0.load)
    }
}

impl Inner {
    /// A file as wasmtime runs it, from the cache where it is there.
    ///
    /// # Errors
    /// It is no component, none can be made of it, or a limit was passed.
    pub(crate) fn compile(&self, file: &[u8], limits: &LoadLimits) -> Result<wasmtime::component::Component, String> {
        let key = Key::new(file, &self.engine);
        if let Some(compiled) = self.cache.as_ref().and_then(|cache| cache.load(key, &self.engine)) {
            return Ok(compiled);
        }
        let code = self.compiler.run(&self.engine, self.bounds, file, limits)?;
        debug!(file_bytes = file.len(), code_bytes = code.bytes().len(), "compiled a rule");
        let loaded = code.load(&self.engine).map_err(|error| crate::component::refused(&error))?;
        if let Some(cache) = &self.cache {
            cache.store(key, code.bytes());
        }
        Ok(loaded)
    }
}

fn pool_size(workers: usize, steps: usize) -> u32 {
    // twice, since a rule that is being exchanged stands beside the one that it replaces
    let instances = workers.saturating_mul(steps).saturating_mul(2);
    u32::try_from(instances).unwrap_or(u32::MAX).saturating_add(SPARE_INSTANCES).min(MOST_INSTANCES)
}

fn engine(instances: u32) -> wasmtime::Result<(Engine, Bounds)> {
    let mut pooled = config(Bounds::Reserved);
    pooled.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(instances)));
    match Engine::new(&pooled) {
        Ok(engine) => Ok((engine, Bounds::Reserved)),
        Err(error) => {
            warn!(
                "no address space for {instances} instances: {error:#}; rules run with checks of their bounds, and \
                 slower"
            );
            Ok((Engine::new(&config(Bounds::Checked))?, Bounds::Checked))
        }
    }
}

/// An engine that makes the same code and has no room to run it. It compiles on one thread: one function after another
/// takes the least memory, and processor time counts alike on every machine.
pub(crate) fn compiling_engine(bounds: Bounds) -> wasmtime::Result<Engine> {
    let mut config = config(bounds);
    config.parallel_compilation(false);
    Engine::new(&config)
}

/// Everything here is part of what compiled code is for. How instances are allocated and how many threads compile is
/// not.
fn config(bounds: Bounds) -> Config {
    let mut config = Config::new();
    // a deadline costs a check at every loop and call: 1.2 times; counting fuel would cost 1.7 times
    config.epoch_interruption(true).consume_fuel(false);
    config.max_wasm_stack(WASM_STACK);
    config.cranelift_opt_level(OptLevel::Speed);
    // same input, same bytes, on every machine
    config.cranelift_nan_canonicalization(true);
    config.wasm_simd(true).wasm_relaxed_simd(false);
    config.wasm_memory64(false).wasm_multi_memory(false);
    match bounds {
        Bounds::Reserved => config.memory_reservation(RESERVATION).memory_may_move(false),
        Bounds::Checked => config.memory_reservation(0).memory_guard_size(0).memory_may_move(true),
    };
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
