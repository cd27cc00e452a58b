//! `sluice query`.

use crate::args::QueryArgs;
use crate::{bind, lake};
use anyhow::{Context, Result};
use sluice_local::{DirLog, DirStore};
use sluice_ports::Warehouse;
use sluice_sql::{LakeWarehouse, format};
use std::process::ExitCode;
use std::sync::Arc;

pub(crate) fn query(args: &QueryArgs) -> Result<ExitCode> {
    let bound = bind::bind(&args.pipeline, None, bind::Purpose::Check, false)?;
    let dataset = bound.checked.plan.dataset.clone();
    let data_dir = lake::data_dir(args.data_dir.as_deref(), &bound.environment, &dataset);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("the runtime could not be started")?;
    let (schema, batches) = runtime.block_on(async {
        let store = DirStore::open(&data_dir)?;
        let tables = lake::tables(&DirLog::new(&data_dir), &dataset, bound.pipeline.tables()?).await?;
        let warehouse = LakeWarehouse::new(Arc::new(store), Some(data_dir.clone()), tables);
        anyhow::Ok(warehouse.query(&args.sql).await?)
    })?;
    let out = &mut std::io::stdout().lock();
    let written = if args.csv {
        format::csv(out, &schema, &batches)
    } else if args.json {
        format::json(out, &schema, &batches)
    } else {
        format::table(out, &schema, &batches)
    };
    match written {
        // whoever read the rows has seen enough of them
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        done => done.map(|()| ExitCode::SUCCESS).context("standard output"),
    }
}
