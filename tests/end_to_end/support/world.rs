//! A pipeline with small segments, its input in files out of order, and what must come out of it.

use super::lake::Lake;
use super::oracle::Expected;
use super::sluice::{Sluice, variant};
use super::table::cell;
use super::{long, orders};
use sluice_batch::Layer;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Files of the input.
pub(crate) const FILES: usize = 5;

/// A folder with everything that a crash test needs.
pub(crate) struct World {
    folder: TempDir,
    pub(crate) pipeline: PathBuf,
    pub(crate) input: PathBuf,
    pub(crate) data: PathBuf,
}

impl World {
    /// So many records, cut into at least `segments` segments.
    pub(crate) fn new(rows: u64, segments: u64) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let batch = (rows / segments / 4).max(1);
        let segment = format!("segment: {{ rows: {}, age: 1h }}\nbatch: {{ rows: {batch} }}", batch * 3);
        let pipeline = variant("orders", &folder.path().join("orders"), &segment);
        let input = folder.path().join("input");
        orders::write_files(&input, rows, FILES, rows);
        Self { pipeline, input, data: folder.path().join("lake"), folder }
    }

    /// As large as the acceptance list wants it, or large enough to be told apart from chance.
    pub(crate) fn large(segments: u64) -> Self {
        Self::new(if long() { 1_000_000 } else { 60_000 }, segments)
    }

    /// A place beside the input.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A run with two workers.
    pub(crate) fn run(&self) -> Sluice {
        self.run_into(&self.data, 2)
    }

    pub(crate) fn run_into(&self, data: &Path, threads: u16) -> Sluice {
        Sluice::run(&self.pipeline, data).input(&self.input).arg("--threads").arg(threads.to_string())
    }

    pub(crate) fn lake(&self) -> Lake {
        Lake::new(&self.data)
    }

    /// Runs until the input ends and holds everything against what must come out.
    #[track_caller]
    pub(crate) fn finish(&self) {
        self.run().output().ok();
        self.is_right();
    }

    /// Insists that the lake holds exactly what must come out, and nothing else.
    #[track_caller]
    pub(crate) fn is_right(&self) {
        is_right(&self.lake(), &Expected::of(&self.input));
    }
}

/// Insists that a lake holds exactly what must come out, and nothing else.
#[track_caller]
pub(crate) fn is_right(lake: &Lake, expected: &Expected) {
    lake.silver_content().same(&expected.silver(), "silver");
    let quarantine = lake.quarantine();
    let mut reasons = std::collections::BTreeMap::<String, u64>::new();
    for reason in quarantine.texts("reason") {
        *reasons.entry(reason.to_owned()).or_default() += 1;
    }
    assert_eq!(reasons, expected.reasons);
    lake.gold("orders_per_minute").same(&expected.gold(), "gold");
    ids_are_unique(lake);
    let total = lake.account().total();
    assert_eq!((total.read, total.silver), (expected.read, expected.silver_rows()));
    assert_eq!(total.quarantined_rows(), expected.quarantined());
    assert_eq!(lake.account().gold["orders_per_minute"].late, expected.late);
    lake.nothing_is_left_behind();
}

/// No record is in silver or quarantine twice.
#[track_caller]
fn ids_are_unique(lake: &Lake) {
    let batches = lake.batches(&Layer::Silver).into_iter().chain(lake.batches(&Layer::Quarantine));
    let mut ids: Vec<String> = Vec::new();
    for batch in batches {
        let column = batch.column_by_name("_sluice_id").expect("every record has an id");
        ids.extend((0..batch.num_rows()).filter_map(|row| cell(column, row)));
    }
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all, "records that stand in the lake twice");
}
