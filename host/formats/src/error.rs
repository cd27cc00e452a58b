//! What stops a stream.

/// A stream cannot be cut into records in a way that no single record can be blamed for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Two fields of a CSV header have the same name.
    #[error(
        "the CSV header names the field `{name}` twice (columns {first} and {second}); rename one, or name the fields in the manifest (`header: [...]`)"
    )]
    DuplicateName {
        /// The name.
        name: String,
        /// Column number of the first, from 1.
        first: usize,
        /// Column number of the second, from 1.
        second: usize,
    },
    /// A column of the schema is read from a field that the CSV header does not have.
    #[error("column `{column}` is read from the field `{from}`, which the CSV header does not name; {hint}")]
    MissingField {
        /// Column of the schema.
        column: String,
        /// Field that it is read from.
        from: String,
        /// The way out.
        hint: String,
    },
    /// The first line is no header.
    #[error("the CSV header cannot be read: {0}")]
    Header(String),
    /// The stream is entered past its CSV header and nobody says what stood there.
    #[error(
        "the stream is entered at offset {at}, past its CSV header; read the header from the stream's beginning first"
    )]
    HeaderUnknown {
        /// Where it is entered.
        at: u64,
    },
    /// A batch that was cut before cannot be cut again.
    #[error(
        "no record ends at offset {to}, where a batch ended before ({seen}); the input or the record limit has changed"
    )]
    NoBoundary {
        /// Where the batch ended.
        to: u64,
        /// What stands there instead.
        seen: String,
    },
    /// A batch that was cut before is longer than any batch may be.
    #[error("the batch that begins at offset {from} is longer than {limit} bytes; the input has changed")]
    TooLong {
        /// Where it begins.
        from: u64,
        /// The limit, in bytes.
        limit: u64,
    },
}
