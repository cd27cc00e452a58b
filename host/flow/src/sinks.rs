//! What a segment will write, layer by layer, before it is known under which names.

use crate::encode::Encoder;
use crate::error::{Result, internal};
use crate::partition::Partitioner;
use crate::pipeline::{Pipeline, with_commit};
use crate::work::Processed;
use arrow_array::{RecordBatch, UInt32Array};
use arrow_schema::SchemaRef;
use sluice_batch::Layer;
use std::collections::BTreeMap;
use std::sync::Mutex;

/// An object ready to be put: its layer, folders below the layer's, and bytes.
pub(crate) struct Ready {
    pub(crate) layer: Layer,
    pub(crate) folder: String,
    pub(crate) rows: u64,
    pub(crate) bytes: Vec<u8>,
    /// Its columns, where they may not be those of its layer.
    pub(crate) schema: Option<SchemaRef>,
}

impl Ready {
    pub(crate) fn new(layer: Layer, folder: &str, rows: u64, bytes: Vec<u8>) -> Self {
        Self { layer, folder: folder.to_owned(), rows, bytes, schema: None }
    }
}

/// The layers of one segment.
pub(crate) struct Sinks {
    /// Number of the segment, which every row of silver and quarantine carries.
    number: u64,
    silver: Silver,
    /// Rows of silver that are delivered besides, where any are.
    delivered: Option<Vec<RecordBatch>>,
    quarantine: Encoder,
    bronze: Option<Encoder>,
    late: BTreeMap<String, Encoder>,
}

enum Silver {
    /// Objects one after the other, encoded as rows come; the last is open.
    One { encoder: Box<Encoder>, full: Vec<(u64, Vec<u8>)> },
    /// Partitions, encoded one by one when the segment closes: an open encoder for each would take too much memory.
    Many { partitioner: Partitioner, batches: Vec<RecordBatch>, metadata: Vec<(String, String)> },
}

impl Sinks {
    pub(crate) fn new(pipeline: &Pipeline, number: u64, deliver: bool) -> Result<Self> {
        let encoder = |schema: &SchemaRef| Encoder::new(schema.clone(), &pipeline.metadata);
        let partitioner = Partitioner::new(pipeline.partitions(), &pipeline.layout)?;
        let silver = if partitioner.is_empty() {
            Silver::One { encoder: Box::new(encoder(&pipeline.silver_schema)), full: Vec::new() }
        } else {
            Silver::Many { partitioner, batches: Vec::new(), metadata: pipeline.metadata.clone() }
        };
        Ok(Self {
            number,
            silver,
            delivered: deliver.then(Vec::new),
            quarantine: encoder(&crate::quarantine::schema()),
            bronze: pipeline.plan.bronze.enabled.then(|| encoder(&pipeline.bronze_schema)),
            late: BTreeMap::new(),
        })
    }

    /// Adds a batch to all layers but gold and late.
    pub(crate) fn append(&mut self, processed: &Processed, pipeline: &Pipeline) -> Result<()> {
        let silver = with_commit(&processed.silver, &pipeline.silver_schema, self.number)?;
        if let Some(delivered) = self.delivered.as_mut().filter(|_| silver.num_rows() > 0) {
            delivered.push(silver.clone());
        }
        match &mut self.silver {
            Silver::One { encoder, full } => {
                encoder.write(&silver)?;
                if encoder.size() >= pipeline.target_bytes {
                    let next = Encoder::new(pipeline.silver_schema.clone(), &pipeline.metadata);
                    full.extend(std::mem::replace(encoder.as_mut(), next).finish()?);
                }
            }
            Silver::Many { batches, .. } => batches.push(silver),
        }
        if let Some(batch) = &processed.quarantine {
            self.quarantine.write(&with_commit(batch, &crate::quarantine::schema(), self.number)?)?;
        }
        match (&mut self.bronze, &processed.bronze) {
            (Some(encoder), Some(batch)) => encoder.write(batch),
            _ => Ok(()),
        }
    }

    /// Adds silver rows that came too late for a gold.
    pub(crate) fn late(&mut self, gold: &str, silver: &RecordBatch, rows: &[u32], pipeline: &Pipeline) -> Result<()> {
        let encoder = self
            .late
            .entry(gold.to_owned())
            .or_insert_with(|| Encoder::new(pipeline.silver_schema.clone(), &pipeline.metadata));
        encoder.write(&with_commit(&pick(silver, rows)?, &pipeline.silver_schema, self.number)?)
    }

    /// Rows of silver that are delivered besides.
    pub(crate) fn take_delivered(&mut self) -> Vec<RecordBatch> {
        self.delivered.take().unwrap_or_default()
    }

    /// Everything, ready to be put, in a fixed order. `threads` encode partitions side by side.
    pub(crate) fn finish(self, threads: usize) -> Result<Vec<Ready>> {
        let mut ready = Vec::new();
        let mut push = |layer: Layer, encoder: Encoder| -> Result<()> {
            if let Some((rows, bytes)) = encoder.finish()? {
                ready.push(Ready::new(layer, "", rows, bytes));
            }
            Ok(())
        };
        if let Some(encoder) = self.bronze {
            push(Layer::Bronze, encoder)?;
        }
        push(Layer::Quarantine, self.quarantine)?;
        for (gold, encoder) in self.late {
            push(Layer::Late(gold), encoder)?;
        }
        match self.silver {
            Silver::One { encoder, full } => {
                let all = full.into_iter().map(Ok).chain(encoder.finish().transpose());
                for object in all {
                    let (rows, bytes) = object?;
                    ready.push(Ready::new(Layer::Silver, "", rows, bytes));
                }
            }
            Silver::Many { partitioner, batches, metadata } => {
                ready.extend(partitions(&partitioner, &batches, &metadata, threads)?);
            }
        }
        Ok(ready)
    }
}

/// Rows of each batch by folder: batch number and rows.
type Folders = BTreeMap<String, Vec<(usize, Vec<u32>)>>;

fn partitions(
    partitioner: &Partitioner,
    batches: &[RecordBatch],
    metadata: &[(String, String)],
    threads: usize,
) -> Result<Vec<Ready>> {
    let mut folders = Folders::new();
    for (number, batch) in batches.iter().enumerate() {
        for (folder, rows) in partitioner.assign(batch) {
            folders.entry(folder).or_default().push((number, rows));
        }
    }
    let todo = Mutex::new(folders.into_iter().collect::<Vec<_>>().into_iter());
    let work = || {
        let mut done = Vec::new();
        loop {
            let Some((folder, parts)) = todo.lock().expect("no holder panics").next() else { return Ok(done) };
            done.push(partition(&folder, &parts, batches, metadata)?);
        }
    };
    let results: Vec<Result<Vec<Ready>>> = std::thread::scope(|scope| {
        let handles: Vec<_> = (1..threads.max(1)).map(|_| scope.spawn(work)).collect();
        let mut results = vec![work()];
        results.extend(handles.into_iter().map(|h| h.join().unwrap_or(Err(crate::FlowError::Died("an encoder")))));
        results
    });
    let mut ready: Vec<Ready> = results.into_iter().collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
    ready.sort_by(|a, b| a.folder.cmp(&b.folder));
    Ok(ready)
}

fn partition(
    folder: &str,
    parts: &[(usize, Vec<u32>)],
    batches: &[RecordBatch],
    metadata: &[(String, String)],
) -> Result<Ready> {
    let rows: Vec<RecordBatch> =
        parts.iter().map(|(number, rows)| pick(&batches[*number], rows)).collect::<Result<_>>()?;
    let schema = batches[0].schema();
    // joined, so that encodings are chosen from a full sample
    let whole = arrow_select::concat::concat_batches(&schema, &rows).map_err(|e| internal("partition", e))?;
    let mut encoder = Encoder::new(schema, metadata);
    encoder.write(&whole)?;
    let (rows, bytes) = encoder.finish()?.expect("a partition has rows");
    Ok(Ready::new(Layer::Silver, folder, rows, bytes))
}

fn pick(batch: &RecordBatch, rows: &[u32]) -> Result<RecordBatch> {
    if rows.len() == batch.num_rows() {
        return Ok(batch.clone());
    }
    arrow_select::take::take_record_batch(batch, &UInt32Array::from(rows.to_vec())).map_err(|e| internal("rows", e))
}
