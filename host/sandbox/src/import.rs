//! What a component may import: the capabilities, and nothing else.

use crate::lookup::Asked;
use crate::state::HostState;
use crate::wire::{AnswerOut, ColumnOut, TableOut, WireLevel, names};
use wasmtime::component::Linker;
use wasmtime::{Engine, Result, StoreContextMut};

/// Defines the host's side of every capability. Whether a component may use one is decided before, by name.
pub(crate) fn linker(engine: &Engine) -> Result<Linker<HostState>> {
    let mut linker = Linker::new(engine);
    linker.instance(names::LOG)?.func_wrap("write", write)?;
    let mut lookup = linker.instance(names::LOOKUP)?;
    // on the rule's own time: it is to ask once
    lookup.func_wrap("tables", |store, (): ()| Ok((tables(&store),)))?;
    lookup.func_wrap("find", find)?;
    linker.instance(names::TOKEN)?.func_wrap("pseudonyms", pseudonyms)?;
    Ok(linker)
}

fn write(mut store: StoreContextMut<'_, HostState>, (level, message): (WireLevel, String)) -> Result<()> {
    store.data_mut().log.write(level, &message);
    Ok(())
}

fn tables(store: &StoreContextMut<'_, HostState>) -> Vec<TableOut> {
    store.data().lookups.tables()
}

fn find(
    mut store: StoreContextMut<'_, HostState>,
    (table, rows, key, columns): (String, u32, Vec<ColumnOut>, Vec<String>),
) -> Result<(AnswerOut,)> {
    let room = store.hostcall_fuel();
    let asked = Asked { table, rows, key, columns };
    store.data_mut().host_call(|state, by| Ok((state.lookups.find(asked, room, by)?,)))
}

fn pseudonyms(
    mut store: StoreContextMut<'_, HostState>,
    (domain, values): (String, ColumnOut),
) -> Result<(ColumnOut,)> {
    let call = |state: &HostState, by| match &state.token {
        Some(token) => token.column(&domain, values, by).map(|column| (column,)),
        None => Err(crate::failure::Wrong::Trap("asked for pseudonyms before it was opened".into())),
    };
    store.data_mut().host_call(call)
}
