//! The command line.

use clap::{Args as ClapArgs, Parser, Subcommand};
use std::path::PathBuf;

/// Moves records from a source through sandboxed rules into a lake and a warehouse.
#[derive(Debug, Parser)]
#[command(name = "sluice", version, propagate_version = true, max_term_width = 100)]
pub(crate) struct Args {
    /// Say more on standard error.
    #[arg(long, short, global = true)]
    pub(crate) verbose: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Find everything that is wrong with a pipeline, without running it.
    Check(CheckArgs),
    /// Run a pipeline until its input ends.
    Run(RunArgs),
    /// Ask the warehouse.
    Query(QueryArgs),
    /// Put files into a pipeline's stream, record by record.
    Put(PutArgs),
    /// Load what is committed into a pipeline's warehouse.
    Load(LoadArgs),
    /// Deliver again what was committed and has not arrived in the warehouse.
    Replay(ReplayArgs),
    /// Print the statements that make a warehouse's tables.
    Ddl(PipelineArgs),
    /// What a pipeline needs of an AWS account, and whether it is there.
    #[command(subcommand)]
    Aws(AwsCommand),
    /// Build and inspect rules.
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Print the JSON Schema of manifests, for editors.
    Schema,
}

/// Which pipeline.
#[derive(Debug, ClapArgs)]
pub(crate) struct PipelineArgs {
    /// A pipeline's folder, or its manifest file.
    pub(crate) pipeline: PathBuf,
    /// Environment of the manifest.
    #[arg(long, default_value = "local")]
    pub(crate) env: String,
    /// Folder of rules instead of the manifest's.
    #[arg(long, value_name = "DIR", env = "SLUICE_RULES")]
    pub(crate) rules: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    /// Findings as a JSON list.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    /// File or folder to read instead of the environment's; may stand several times.
    #[arg(long, value_name = "PATH")]
    pub(crate) input: Vec<PathBuf>,
    /// Folder of the lake, its commits and its state.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Go on at the end of the input and take what is appended, until SIGINT or SIGTERM.
    #[arg(long)]
    pub(crate) follow: bool,
    /// Of a stream, read only up to where it stands now, close all windows, load, and end.
    #[arg(long, conflicts_with = "follow")]
    pub(crate) until_caught_up: bool,
    /// Where another process holds the lease, fail at once instead of standing by.
    #[arg(long)]
    pub(crate) no_standby: bool,
    /// Leave windows open at the end of the input.
    #[arg(long)]
    pub(crate) keep_open: bool,
    /// Records of a batch, instead of the manifest's.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub(crate) batch_rows: Option<u32>,
    /// Worker threads; default: one for each processor.
    #[arg(long, value_name = "N", env = "SLUICE_THREADS", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) threads: Option<u16>,
    /// Take a file that was replaced, rotated or truncated since it was read as a new one; may stand several times.
    #[arg(long, value_name = "FILE")]
    pub(crate) reread: Vec<PathBuf>,
    /// End with one JSON object that holds the account.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct QueryArgs {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    /// The query. Tables of the embedded warehouse: `silver`, `quarantine`, and each gold by its name; elsewhere those
    /// of the warehouse, with their schema.
    pub(crate) sql: String,
    /// Folder of the lake.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Rows as CSV.
    #[arg(long, conflicts_with = "json")]
    pub(crate) csv: bool,
    /// Rows as a JSON list of objects.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct PutArgs {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    /// Files or folders, in the dataset's format.
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Bytes of a record of the stream, about: rows are put together up to this. 0: each row is a record of its own.
    #[arg(long, value_name = "BYTES", default_value_t = 25_000, value_parser = clap::value_parser!(u32).range(0..=10_485_760))]
    pub(crate) record_bytes: u32,
    /// Field of JSON records whose value is the partition key; each row is then a record of its own, and the rows of a
    /// key arrive in their order.
    #[arg(long, value_name = "FIELD")]
    pub(crate) key: Option<String>,
    /// Calls at once.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) concurrency: u16,
    /// End with one JSON object that says what was put.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct LoadArgs {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    /// Go on looking for new objects until SIGINT or SIGTERM.
    #[arg(long)]
    pub(crate) follow: bool,
    /// End with one JSON object that says what was loaded.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ReplayArgs {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    /// Only this segment.
    #[arg(long, value_name = "N")]
    pub(crate) commit: Option<u64>,
    /// Say what would be delivered, and deliver nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// End with one JSON object that says what was delivered.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AwsCommand {
    /// Print the roles and resources that a pipeline needs.
    Plan {
        #[command(flatten)]
        pipeline: PipelineArgs,
        /// As Terraform instead of JSON.
        #[arg(long)]
        terraform: bool,
    },
    /// Check access, streams, buckets, tables and competing loaders before a run.
    Doctor {
        #[command(flatten)]
        pipeline: PipelineArgs,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    /// Compile a rule's package to a component.
    Build {
        /// The package's folder.
        path: PathBuf,
        /// Where the component goes; default: the folder `registry` beside the package, as NAME/VERSION.wasm.
        #[arg(long, short, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Put a version of a rule into a registry, with its test cases. A version never changes.
    Publish {
        /// A rule's package, which is built, or a component.
        path: PathBuf,
        /// The registry; default for a package: the folder `registry` beside it.
        #[arg(long, value_name = "DIR")]
        to: Option<PathBuf>,
        /// Folder of test cases; default for a package: the folder `cases` in it.
        #[arg(long, value_name = "DIR")]
        cases: Option<PathBuf>,
        /// Sign with this private key, as `keygen` makes it.
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        /// Who publishes it, for the record.
        #[arg(long, value_name = "TEXT")]
        publisher: Option<String>,
    },
    /// Vouch for a version of a rule that is in a registry.
    Sign {
        /// Which rule and version.
        #[arg(value_name = "NAME@VERSION")]
        rule: String,
        /// The private key, as `keygen` makes it.
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// The registry.
        #[arg(long, value_name = "DIR")]
        registry: PathBuf,
    },
    /// Check that a version is as it was published, and who vouches for it.
    Verify {
        /// Which rule and version.
        #[arg(value_name = "NAME@VERSION")]
        rule: String,
        /// The registry.
        #[arg(long, value_name = "DIR")]
        registry: PathBuf,
        /// A public key: one of those given must have signed. May stand several times.
        #[arg(long, value_name = "KEY")]
        trust: Vec<String>,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Make a key to sign rules with: the private key into a new file, the public one onto standard output.
    Keygen {
        /// Where the private key goes. It is never written over.
        file: PathBuf,
    },
    /// Show what a rule is, what it imports, and how large it is.
    Inspect {
        /// A component or core module.
        file: PathBuf,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}
