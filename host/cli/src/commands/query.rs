//! `sluice query`.

use crate::args::QueryArgs;
use crate::aws::Account;
use crate::bind::Bound;
use crate::{bind, lake};
use anyhow::{Context, Result, bail};
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use sluice_local::{DirLog, DirStore};
use sluice_ports::Warehouse;
use sluice_sql::{LakeWarehouse, format};
use std::process::ExitCode;
use std::sync::Arc;

pub(crate) fn query(args: &QueryArgs) -> Result<ExitCode> {
    let bound = bind::bind(&args.pipeline, None, bind::Purpose::Check, false)?;
    let (schema, batches) = super::runtime()?.block_on(async {
        match bound.environment.aws {
            Some(_) => on_aws(args, &bound).await,
            None => embedded(args, &bound).await,
        }
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

/// Over what is committed in the lake's folder.
async fn embedded(args: &QueryArgs, bound: &Bound) -> Result<(SchemaRef, Vec<RecordBatch>)> {
    let dataset = &bound.checked.plan.dataset;
    let data_dir = lake::data_dir(args.data_dir.as_deref(), &bound.environment, dataset);
    let store = DirStore::open(&data_dir)?;
    let tables = lake::tables(&DirLog::new(&data_dir), dataset, bound.pipeline.tables()?).await?;
    let warehouse = LakeWarehouse::new(Arc::new(store), Some(data_dir.clone()), tables);
    let warehouse = warehouse.with_rows(lake::OBJECTS, lake::objects(&DirLog::new(&data_dir)).await?);
    Ok(warehouse.query(&args.sql).await?)
}

/// Of the environment's warehouse.
async fn on_aws(args: &QueryArgs, bound: &Bound) -> Result<(SchemaRef, Vec<RecordBatch>)> {
    let name = &bound.environment.name;
    if args.data_dir.is_some() {
        bail!("`--data-dir` is for a lake on this machine; environment `{name}` has a warehouse of its own");
    }
    let account = Account::connect(bound).await?;
    let loader = account.loader()?.with_context(|| format!("environment `{name}` has no warehouse to ask"))?;
    Ok(loader.query(&args.sql).await?)
}
