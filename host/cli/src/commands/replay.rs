//! `sluice replay`: what was committed and is not in the warehouse is delivered again.

use crate::args::ReplayArgs;
use crate::aws::Account;
use crate::aws::warehouse::{Gap, Warehouse, read};
use crate::bind;
use anyhow::{Context, Result};
use arrow_array::cast::AsArray;
use arrow_array::{BooleanArray, RecordBatch};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::json;
use sluice_batch::{Commit, Layer};
use sluice_ports::{Delivery, ObjectStore, Parcel, Receipt};
use std::collections::BTreeSet;
use std::process::ExitCode;

pub(crate) fn replay(args: &ReplayArgs) -> Result<ExitCode> {
    let bound = bind::bind(&args.pipeline, None, bind::Purpose::Check, false)?;
    super::runtime()?.block_on(async {
        let account = Account::connect(&bound).await?;
        let name = &bound.environment.name;
        let delivery = account.delivery(&bound).with_context(|| {
            format!("environment `{name}` delivers nothing; what it commits is in the lake, and `sluice load` loads it")
        })?;
        delivery.check().await?;
        let warehouse = Warehouse::of(&bound, &account)?;
        let warehouse = warehouse.with_context(|| format!("environment `{name}` has no warehouse to compare with"))?;
        let mut gaps = warehouse.open_gaps(&account).await?;
        if let Some(commit) = args.commit {
            gaps.retain(|gap| gap.commit == commit);
        }
        let mut total = Receipt::default();
        for gap in &gaps {
            let rows = missing(&account, &warehouse, gap).await?;
            if args.dry_run {
                total.rows += rows.iter().map(|batch| batch.num_rows() as u64).sum::<u64>();
                continue;
            }
            let cut = read(&account, gap.commit).await?.cut;
            let parcel = Parcel { table: "silver", commit: gap.commit, cut: &cut[..16], batches: &rows };
            total.add(&delivery.deliver(parcel).await?);
        }
        show(args, &gaps, &total);
        Ok(ExitCode::SUCCESS)
    })
}

fn show(args: &ReplayArgs, gaps: &[Gap], total: &Receipt) {
    if args.json {
        return println!("{}", json!({ "gaps": gaps, "delivered": total, "dry_run": args.dry_run }));
    }
    for Gap { commit, committed, loaded } in gaps {
        println!("commit {commit}: {loaded} of {committed} silver rows are in the warehouse");
    }
    let done = if args.dry_run { "would be delivered" } else { "delivered again; they are loaded when they arrive" };
    println!("{} rows {done}", total.rows);
}

/// Silver rows of a segment that are not in the warehouse, from the lake.
async fn missing(account: &Account, warehouse: &Warehouse, gap: &Gap) -> Result<Vec<RecordBatch>> {
    let there = warehouse.ids(gap.commit).await?;
    let commit: Commit = read(account, gap.commit).await?;
    let mut rows = Vec::new();
    for object in commit.objects.iter().filter(|object| object.layer == Layer::Silver) {
        let bytes = account.store.get(&object.name).await?;
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).and_then(|builder| builder.build());
        for batch in reader.with_context(|| object.name.clone())? {
            rows.extend(without(&batch.with_context(|| object.name.clone())?, &there)?);
        }
    }
    Ok(rows)
}

/// The rows of a batch whose ids are not there.
fn without(batch: &RecordBatch, there: &BTreeSet<String>) -> Result<Option<RecordBatch>> {
    let ids = batch.column_by_name("_sluice_id").context("silver has a column `_sluice_id`")?;
    let ids = ids.as_string::<i32>();
    let keep: BooleanArray = ids.iter().map(|id| Some(id.is_some_and(|id| !there.contains(id)))).collect();
    let kept = arrow_select::filter::filter_record_batch(batch, &keep)?;
    Ok((kept.num_rows() > 0).then_some(kept))
}
