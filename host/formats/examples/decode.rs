//! Measures framing and decoding on a file of orders, or of anything in CSV (`.csv`): `decode FILE [--repeat N] [--chunk BYTES] [--rows N]
//! [--path]`. With `--path` one column is read from within `note`, so that every record takes the strict parser.
//!
//! Prints records and rejects, then the fastest run in nanoseconds of processor time a record, split into reading, framing
//! and decoding.

use bytes::BytesMut;
use sluice_batch::ColumnType;
use sluice_formats::{Decoder, Framer, Limits, read_header};
use sluice_manifest::plan::{CsvHeader, Format, JsonRecords, SchemaColumn, UnknownFields};
use std::fs::File;
use std::io::Read;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const COLUMNS: [&str; 10] =
    ["order_id", "customer_id", "email", "phone", "status", "amount", "quantity", "country", "ts", "note"];

#[derive(Default, Clone, Copy)]
struct Run {
    records: u64,
    rows: u64,
    rejects: u64,
    read: Duration,
    frame: Duration,
    decode: Duration,
}

impl Run {
    fn total(&self) -> Duration {
        self.read + self.frame + self.decode
    }
}

/// Processor time of this thread.
fn now() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |name: &str, default: usize| {
        let place = arguments.iter().position(|argument| argument == name);
        place.and_then(|place| arguments.get(place + 1)?.parse().ok()).unwrap_or(default)
    };
    let Some(path) = arguments.get(1) else {
        eprintln!("usage: decode FILE [--repeat N] [--chunk BYTES] [--rows N] [--path]");
        std::process::exit(2);
    };
    let limits = Limits { rows: number("--rows", 4096), bytes: 4 << 20, max_record_bytes: 1 << 20 };
    let path_column = arguments.iter().any(|argument| argument == "--path");
    let mut runs = Vec::new();
    for _ in 0..number("--repeat", 5) {
        runs.push(run(path, number("--chunk", 4 << 20), limits, path_column)?);
    }
    runs.sort_by_key(Run::total);
    let best = runs[0];
    println!("{} records, {} rows, {} rejects", best.records, best.rows, best.rejects);
    let ns = |time: Duration| time.as_nanos() as f64 / best.records as f64;
    println!(
        "{:.1} ns a record: read {:.1}, frame {:.1}, decode {:.1}; median {:.1}",
        ns(best.total()),
        ns(best.read),
        ns(best.frame),
        ns(best.decode),
        ns(runs[runs.len() / 2].total())
    );
    Ok(())
}

fn run(path: &str, chunk: usize, limits: Limits, path_column: bool) -> std::io::Result<Run> {
    let mut format = Format::Json { records: JsonRecords::Lines };
    let column = |from: &str| SchemaColumn {
        name: from.into(),
        from: from.into(),
        ty: ColumnType::Text,
        json: false,
        pii: None,
    };
    let mut schema = COLUMNS.map(column).to_vec();
    if path.ends_with(".csv") {
        format = Format::Csv { delimiter: b',', quote: b'"', header: CsvHeader::FirstLine, empty_is_null: true };
        let mut first = vec![0; 1 << 16];
        let got = File::open(path)?.read(&mut first)?;
        let header = read_header(&format, &first[..got], true).map_err(std::io::Error::other)?;
        schema = header.iter().flat_map(|header| header.names()).map(|name| column(name)).collect();
    }
    schema.extend(path_column.then(|| column("note.inside")));
    let mut framer = Framer::new(&format, limits, 0, None);
    let mut decoder = Decoder::new(&format, &schema, UnknownFields::Drop);
    let mut file = File::open(path)?;
    let mut run = Run::default();
    let mut ended = false;
    while !ended {
        let begin = now();
        let mut data = BytesMut::zeroed(chunk);
        let got = file.read(&mut data)?;
        data.truncate(got);
        let read = now();
        run.read += read - begin;
        if got == 0 {
            ended = true;
            framer.end();
        } else {
            framer.push(data.freeze());
        }
        run.frame += now() - read;
        loop {
            let begin = now();
            let batch = framer.next(false).map_err(std::io::Error::other)?;
            let framed = now();
            run.frame += framed - begin;
            let Some(batch) = batch else { break };
            let decoded = std::hint::black_box(decoder.decode(&batch));
            run.records += batch.read() as u64;
            run.rows += decoded.rows.len() as u64;
            run.rejects += decoded.rejects.len() as u64;
            drop((batch, decoded));
            run.decode += now() - framed;
        }
    }
    Ok(run)
}
