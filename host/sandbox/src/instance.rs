//! One instance of a rule in a store of its own.

use crate::component::Compiled;
use crate::describe::World;
use crate::failure::Wrong;
use crate::guard::{Budget, Guard};
use crate::limits::Limits;
use crate::log::LogBook;
use crate::lookup::Lookups;
use crate::state::HostState;
use crate::text::clean_line;
use crate::token::Pseudonyms;
use crate::wire::{
    BatchIn, ChangesOut, ColumnIn, ColumnOut, DescriptionOut, FieldIn, FindingOut, RejectionsOut, SignatureOut, names,
};
use std::sync::Arc;
use std::time::Duration;
use wasmtime::component::{Component, ComponentExportIndex, ComponentNamedList, Lift, Lower, TypedFunc};
use wasmtime::{Result, Store};

// The lifetime is that of what one call lends. A function is kept for `'static` and used for less.
type Describe = TypedFunc<(), (DescriptionOut,)>;
type Open<'a> = TypedFunc<(&'a str, &'a [FieldIn<'a>]), (Result<SignatureOut, Vec<FindingOut>>,)>;
type Check<'a> = TypedFunc<(BatchIn<'a>,), (RejectionsOut,)>;
type Apply<'a> = TypedFunc<(BatchIn<'a>,), (ChangesOut,)>;
type FoldRows<'a> = TypedFunc<(&'a [ColumnIn<'a>], BatchIn<'a>, &'a [u32], u32), (Vec<ColumnOut>,)>;
type Merge<'a> = TypedFunc<(&'a [ColumnIn<'a>], &'a [u32], u32), (Vec<ColumnOut>,)>;
type Finish<'a> = TypedFunc<(&'a [ColumnIn<'a>],), (Vec<ColumnOut>,)>;

/// Where a component has its functions. Found once when it is loaded.
pub(crate) struct ExportIndexes {
    describe: ComponentExportIndex,
    open: ComponentExportIndex,
    calls: Vec<ComponentExportIndex>,
}

impl ExportIndexes {
    /// # Errors
    /// An interface lacks a function.
    pub(crate) fn find(component: &Component, world: World) -> Result<Self, String> {
        let functions: &[&str] = match world {
            World::Validator => &["check"],
            World::Transformer => &["apply"],
            World::Aggregator => &["fold", "merge", "finish"],
        };
        let find = |interface: &str, function: &str| {
            let index = component.get_export_index(None, interface);
            let index = index.and_then(|index| component.get_export_index(Some(&index), function));
            index.ok_or_else(|| format!("its `{interface}` has no function `{function}`"))
        };
        Ok(Self {
            describe: find(names::RULE, "describe")?,
            open: find(names::RULE, "open")?,
            calls: functions.iter().map(|function| find(world.interface(), function)).collect::<Result<_, _>>()?,
        })
    }
}

/// What an instance is given.
#[derive(Default)]
pub(crate) struct Setup {
    pub(crate) limits: Limits,
    pub(crate) log: Option<Arc<crate::log::Speaker>>,
    pub(crate) token: Option<Arc<Pseudonyms>>,
    pub(crate) lookups: Lookups,
}

/// A running rule. After any error it must be thrown away.
pub(crate) struct Instance {
    guard: Guard,
    describe: Describe,
    open: Open<'static>,
    calls: Calls,
    open_deadline: Duration,
}

/// The functions of its world.
#[derive(Clone, Copy)]
enum Calls {
    Validate(Check<'static>),
    Transform(Apply<'static>),
    Aggregate { fold: FoldRows<'static>, merge: Merge<'static>, finish: Finish<'static> },
}

impl Instance {
    /// Makes the instance and runs its start functions.
    ///
    /// # Errors
    /// It broke a limit or trapped; or its functions have other types than the contract's.
    pub(crate) fn start(compiled: &Arc<Compiled>, setup: &Setup) -> Result<Self, Wrong> {
        let log = setup.log.clone().map_or_else(LogBook::silent, LogBook::new);
        let mut state = HostState::new(&setup.limits, log, setup.token.clone());
        state.lookups = setup.lookups.clone();
        let mut guard = Guard::new(&compiled.sandbox, state);
        let budget = Budget { deadline: setup.limits.open_deadline, output: Limits::TEXT };
        let (started, _) = guard.run(budget, |store| compiled.pre.instantiate(store));
        // what wasmtime refuses before any code has run is no answer of the rule's
        let refused =
            |wrong| if let Wrong::Answer(text) = wrong { Wrong::Start(format!("was refused: {text}")) } else { wrong };
        let instance = started.map_err(refused)?;
        let exports = &compiled.exports;
        let describe = typed(&instance, guard.store(), &exports.describe)?;
        let open = typed(&instance, guard.store(), &exports.open)?;
        let calls = Calls::find(&instance, guard.store(), compiled)?;
        let open_deadline = setup.limits.open_deadline;
        Ok(Self { guard, describe, open, calls, open_deadline })
    }

    pub(crate) fn describe(&mut self) -> Result<DescriptionOut, Wrong> {
        let describe = self.describe;
        let budget = self.text_budget();
        self.guard.run(budget, |store| describe.call(store, ())).0.map(|(description,)| description)
    }

    /// # Errors
    /// Outer: the rule broke. Inner: what it found wrong in its configuration.
    pub(crate) fn open(
        &mut self,
        config: &str,
        inputs: &[FieldIn<'_>],
    ) -> Result<Result<SignatureOut, Vec<FindingOut>>, Wrong> {
        let open: Open<'_> = self.open;
        let budget = self.text_budget();
        self.guard.run(budget, |store| open.call(store, (config, inputs))).0.map(|(result,)| result)
    }

    /// Calls a validator or transformer. A validator returns no columns.
    pub(crate) fn batch(
        &mut self,
        rows: u32,
        columns: &[ColumnIn<'_>],
        budget: Budget,
    ) -> (Result<(RejectionsOut, Vec<ColumnOut>), Wrong>, Duration) {
        let batch = BatchIn { rows, columns };
        match self.calls {
            Calls::Validate(check) => {
                let check: Check<'_> = check;
                self.guard
                    .run(budget, |store| check.call(store, (batch,)).map(|(rejections,)| (rejections, Vec::new())))
            }
            Calls::Transform(apply) => {
                let apply: Apply<'_> = apply;
                self.guard.run(budget, |store| {
                    apply.call(store, (batch,)).map(|(changes,)| (changes.rejections, changes.columns))
                })
            }
            Calls::Aggregate { .. } => (Err(not_a("step")), Duration::ZERO),
        }
    }

    pub(crate) fn fold(
        &mut self,
        partials: &[ColumnIn<'_>],
        batch: BatchIn<'_>,
        (groups, count): (&[u32], u32),
        budget: Budget,
    ) -> (Result<Vec<ColumnOut>, Wrong>, Duration) {
        let Calls::Aggregate { fold, .. } = self.calls else { return (Err(not_a("fold")), Duration::ZERO) };
        let fold: FoldRows<'_> = fold;
        self.guard.run(budget, |store| fold.call(store, (partials, batch, groups, count)).map(|(partials,)| partials))
    }

    pub(crate) fn merge(
        &mut self,
        partials: &[ColumnIn<'_>],
        (groups, count): (&[u32], u32),
        budget: Budget,
    ) -> (Result<Vec<ColumnOut>, Wrong>, Duration) {
        let Calls::Aggregate { merge, .. } = self.calls else { return (Err(not_a("fold")), Duration::ZERO) };
        let merge: Merge<'_> = merge;
        self.guard.run(budget, |store| merge.call(store, (partials, groups, count)).map(|(partials,)| partials))
    }

    pub(crate) fn finish(
        &mut self,
        partials: &[ColumnIn<'_>],
        budget: Budget,
    ) -> (Result<Vec<ColumnOut>, Wrong>, Duration) {
        let Calls::Aggregate { finish, .. } = self.calls else { return (Err(not_a("fold")), Duration::ZERO) };
        let finish: Finish<'_> = finish;
        self.guard.run(budget, |store| finish.call(store, (partials,)).map(|(columns,)| columns))
    }

    fn text_budget(&self) -> Budget {
        Budget { deadline: self.open_deadline, output: Limits::TEXT }
    }
}

impl Calls {
    fn find(
        instance: &wasmtime::component::Instance,
        store: &mut Store<HostState>,
        compiled: &Compiled,
    ) -> Result<Self, Wrong> {
        let calls = &compiled.exports.calls;
        Ok(match compiled.world {
            World::Validator => Self::Validate(typed(instance, store, &calls[0])?),
            World::Transformer => Self::Transform(typed(instance, store, &calls[0])?),
            World::Aggregator => Self::Aggregate {
                fold: typed(instance, store, &calls[0])?,
                merge: typed(instance, store, &calls[1])?,
                finish: typed(instance, store, &calls[2])?,
            },
        })
    }
}

/// Not reached: a plan gives steps and folds of its own world only.
fn not_a(what: &str) -> Wrong {
    Wrong::Start(format!("was called as a {what}, which its world is not"))
}

/// A function of the type that the contract gives it.
fn typed<Params, Results>(
    instance: &wasmtime::component::Instance,
    store: &mut Store<HostState>,
    index: &ComponentExportIndex,
) -> Result<TypedFunc<Params, Results>, Wrong>
where
    Params: ComponentNamedList + Lower,
    Results: ComponentNamedList + Lift,
{
    let wrong = |error: wasmtime::Error| {
        let text = clean_line(&format!("{error:#}"), 300);
        Wrong::Start(format!("has a function of another type than the contract's: {text}"))
    };
    instance.get_typed_func(store, index).map_err(wrong)
}
