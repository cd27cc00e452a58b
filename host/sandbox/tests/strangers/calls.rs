//! One stranger: compiled, instantiated with stubs, every export called, all under the guard that rules run under.

use crate::archive::File;
use crate::opened::opened;
use crate::stubs::{self, Values};
use crate::usage::processor_time;
use sluice_sandbox::{Guard, Limits, Sandbox};
use std::fmt;
use std::time::Duration;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, ComponentExportIndex};
use wasmtime::{Engine, ExternType, Module};

/// Of an ordinary step.
pub(crate) const DEADLINE: Duration = Duration::from_millis(250);

/// What came of all files.
#[derive(Default)]
pub(crate) struct Run {
    /// Files of which no instance came about.
    pub(crate) refused: usize,
    pub(crate) ran: usize,
    pub(crate) calls: usize,
    /// Calls that did not return.
    pub(crate) stopped: usize,
    /// Most processor time of a call or a start.
    pub(crate) longest: Duration,
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { refused, ran, calls, stopped, longest } = self;
        write!(f, "{refused} refused, {ran} ran, {calls} calls, {stopped} of them stopped, the longest {longest:?}")
    }
}

/// A function that a file exports: where it is.
trait Stranger {
    type Function;

    fn functions(&self) -> Vec<Self::Function>;

    /// Makes an instance, `None` where that fails.
    fn start(&self, guard: &mut Guard, limits: &Limits) -> Result<Self::Instance, String>;

    type Instance;

    fn call(
        &self,
        guard: &mut Guard,
        limits: &Limits,
        instance: &Self::Instance,
        function: &Self::Function,
        values: Values,
    ) -> Result<(), String>;
}

/// Calls every export of a file with values of its types, and of a module its other functions too.
pub(crate) fn every_export(sandbox: &Sandbox, file: &File, run: &mut Run) {
    let limits = Limits { deadline: DEADLINE, ..Limits::default() };
    let engine = Guard::bare(sandbox, &limits).engine().clone();
    let ran = if wasmparser::Parser::is_component(&file.bytes) {
        Guard::compile(sandbox, &file.bytes).ok().is_some_and(|component| {
            let stranger = OfComponent { functions: exports(&engine, &component), component };
            call_all(sandbox, &limits, &stranger, run)
        })
    } else {
        module(sandbox, &engine, file).is_some_and(|module| {
            let within = opened(&file.bytes).and_then(|bytes| Module::new(&engine, bytes).ok());
            within.map(|module| call_all(sandbox, &limits, &OfModule(module), run));
            call_all(sandbox, &limits, &OfModule(module), run)
        })
    };
    *(if ran { &mut run.ran } else { &mut run.refused }) += 1;
}

/// A core module, which is also taken as a part of a component, as rules are.
fn module(sandbox: &Sandbox, engine: &Engine, file: &File) -> Option<Module> {
    let module = Module::new(engine, &file.bytes).ok();
    let length =
        [0, 7, 14, 21, 28].map(|shift| (file.bytes.len() >> shift) as u8 & 0x7f | if shift < 28 { 0x80 } else { 0 });
    let component = [b"\0asm\x0d\0\x01\0\x01".as_slice(), &length, &file.bytes].concat();
    let apart = Guard::compile(sandbox, &component);
    match (&module, apart) {
        // within a component no two imports may have one name
        (Some(_), Err(wrong)) => assert!(wrong.contains("is not allowed in components"), "{}: {wrong}", file.name),
        (module, apart) => assert_eq!(module.is_some(), apart.is_ok(), "{}", file.name),
    }
    module
}

fn call_all<S: Stranger>(sandbox: &Sandbox, limits: &Limits, stranger: &S, run: &mut Run) -> bool {
    let fresh = |run: &mut Run| {
        let mut guard = Guard::bare(sandbox, limits);
        let instance = timed(run, || stranger.start(&mut guard, limits));
        instance.ok().map(|instance| (guard, instance))
    };
    let Some(mut running) = fresh(run) else { return false };
    for function in stranger.functions() {
        for values in Values::ALL {
            let (guard, instance) = &mut running;
            let result = timed(run, || stranger.call(guard, limits, instance, &function, values));
            run.calls += 1;
            if result.is_err() {
                run.stopped += 1;
                // as a step does after any failure
                match fresh(run) {
                    Some(another) => running = another,
                    None => return true,
                }
            }
        }
    }
    true
}

fn timed<R>(run: &mut Run, work: impl FnOnce() -> R) -> R {
    let start = processor_time();
    let result = work();
    run.longest = run.longest.max(processor_time() - start);
    result
}

struct OfModule(Module);

impl Stranger for OfModule {
    type Function = String;
    type Instance = wasmtime::Instance;

    fn functions(&self) -> Vec<String> {
        let functions = self.0.exports().filter(|export| matches!(export.ty(), ExternType::Func(_)));
        functions.map(|export| export.name().to_owned()).collect()
    }

    fn start(&self, guard: &mut Guard, limits: &Limits) -> Result<Self::Instance, String> {
        guard.call(limits, |store| {
            // by place and not by name: several may have one name
            let imports = self.0.imports().map(|import| import.ty().default_value(&mut *store));
            let imports = imports.collect::<wasmtime::Result<Vec<_>>>()?;
            wasmtime::Instance::new(store, &self.0, &imports)
        })
    }

    fn call(
        &self,
        guard: &mut Guard,
        limits: &Limits,
        instance: &Self::Instance,
        function: &String,
        values: Values,
    ) -> Result<(), String> {
        guard.call(limits, |store| {
            let function = instance.get_func(&mut *store, function).expect("it is exported");
            let ty = function.ty(&*store);
            let Some(params) = ty.params().map(|ty| values.core(&ty)).collect::<Option<Vec<_>>>() else {
                return Ok(());
            };
            let mut results = vec![wasmtime::Val::I32(0); ty.results().len()];
            function.call(store, &params, &mut results)
        })
    }
}

struct OfComponent {
    component: Component,
    functions: Vec<ComponentExportIndex>,
}

/// All functions, those of instances too.
fn exports(engine: &Engine, component: &Component) -> Vec<ComponentExportIndex> {
    let mut found = Vec::new();
    for (name, item) in component.component_type().exports(engine) {
        let Some(index) = component.get_export_index(None, name) else { continue };
        note(engine, component, index, &item.ty, &mut found);
    }
    found
}

fn note(
    engine: &Engine,
    component: &Component,
    index: ComponentExportIndex,
    item: &ComponentItem,
    found: &mut Vec<ComponentExportIndex>,
) {
    match item {
        ComponentItem::ComponentFunc(_) => found.push(index),
        ComponentItem::ComponentInstance(instance) => {
            for (name, inner) in instance.exports(engine) {
                let Some(index) = component.get_export_index(Some(&index), name) else { continue };
                note(engine, component, index, &inner.ty, found);
            }
        }
        _ => {}
    }
}

impl Stranger for OfComponent {
    type Function = ComponentExportIndex;
    type Instance = wasmtime::component::Instance;

    fn functions(&self) -> Vec<ComponentExportIndex> {
        self.functions.clone()
    }

    fn start(&self, guard: &mut Guard, limits: &Limits) -> Result<Self::Instance, String> {
        let engine = guard.engine().clone();
        let mut linker = wasmtime::component::Linker::new(&engine);
        guard.call(limits, |store| {
            stubs::define(&mut linker.root(), &engine, self.component.component_type().imports(&engine))?;
            linker.instantiate(store, &self.component)
        })
    }

    fn call(
        &self,
        guard: &mut Guard,
        limits: &Limits,
        instance: &Self::Instance,
        function: &ComponentExportIndex,
        values: Values,
    ) -> Result<(), String> {
        guard.call(limits, |store| {
            let function = instance.get_func(&mut *store, function).expect("it is exported");
            let ty = function.ty(&*store);
            let params = ty.params().map(|(_, ty)| values.of(&ty)).collect::<Option<Vec<_>>>();
            let Some(params) = params else { return Ok(()) };
            let mut results = vec![wasmtime::component::Val::Bool(false); ty.results().len()];
            function.call(store, &params, &mut results)
        })
    }
}
