//! Keys of what may leave, of what is trusted, and of reference tables.

use super::{MAX_COLUMNS, SOME_COLUMNS, object};
use crate::names;
use crate::shape::{Key, Shape, Value};

/// Most reference tables. Each stays in memory.
const MAX_LOOKUPS: usize = 256;

/// Most keys that rules may be signed with: teams, and their old keys while they change.
const MAX_TRUSTED: usize = 64;

pub(super) const LOOKUPS: Value =
    Value::Named { name: &names::SQL_NAME, of: &object(&LOOKUP), min: 0, max: MAX_LOOKUPS };

/// Names of reference tables, of a step.
pub(super) const LOOKUP_NAMES: Value = Value::List { of: &Value::Text(&names::LOOKUP_REF), min: 1, max: MAX_LOOKUPS };

/// Columns of a reference table: as its file names them.
const FILE_COLUMNS: Value = Value::List { of: &Value::Text(&names::FREE), min: 1, max: MAX_COLUMNS };

static LOOKUP: Shape = Shape {
    name: "reference table",
    doc: "A reference table that rules may look into, where they are granted it.",
    one_of: &[],
    any_of: &[],
    keys: &[
        Key::new(
            "file",
            Value::Text(&names::TABLE_FILE),
            "File that holds it, relative to the manifest: CSV with a header, or Parquet, by its extension. Values of \
            CSV are text, and an empty one is null.",
        )
        .required(),
        Key::new("key", FILE_COLUMNS, "Columns whose values together name a row; no two rows have the same.")
            .required(),
        Key::new(
            "columns",
            FILE_COLUMNS,
            "Columns that rules may take values from. Default: none, and the table only says which keys there are.",
        ),
    ],
};

pub(super) static GUARD: Shape = Shape {
    name: "guard",
    doc: "Personal data that may not leave in the clear. The host looks for it with detectors of its own, whatever the \
        rules did, and counts a hit against the rule that should have caught it.",
    one_of: &[],
    any_of: &[],
    keys: &[
        Key::new(
            "kinds",
            Value::List {
                of: &Value::Choice(&[
                    ("email", "e-mail addresses"),
                    ("card", "numbers of payment cards"),
                    ("iban", "numbers of bank accounts"),
                    ("ssn", "social security numbers of the United States"),
                    ("phone", "telephone numbers"),
                    ("ip", "addresses of the Internet protocol"),
                ]),
                min: 1,
                max: MAX_COLUMNS,
            },
            "Kinds that are looked for.",
        )
        .required(),
        Key::new(
            "layers",
            Value::List {
                of: &Value::Choice(&[
                    ("silver", "rows of silver"),
                    ("gold", "rows of gold"),
                    ("quarantine", "rows of quarantine"),
                    ("logs", "lines that rules log"),
                    ("metrics", "labels of metrics"),
                ]),
                min: 1,
                max: MAX_COLUMNS,
            },
            "Where they are looked for. Default: everywhere.",
        ),
        Key::new(
            "on_hit",
            Value::Choice(&[
                ("mask", "the value is masked and the row goes on"),
                ("quarantine", "the row is set aside, and the value masked there"),
            ]),
            "What becomes of a value of silver or gold that holds one; elsewhere it is masked.",
        )
        .or("mask"),
        Key::new("allow", SOME_COLUMNS, "Columns of silver and gold that may hold them in the clear. Default: none."),
    ],
};

pub(super) static TRUST: Shape = Shape {
    name: "trust",
    doc: "Whose rules are run. Where it stands, every rule must be signed by one of the keys.",
    one_of: &[],
    any_of: &[],
    keys: &[Key::new(
        "keys",
        Value::List { of: &Value::Text(&names::PUBLIC_KEY), min: 1, max: MAX_TRUSTED },
        "Public keys, as `sluice plugin keygen` prints them.",
    )
    .required()],
};

pub(super) static BRONZE: Shape = Shape {
    name: "bronze",
    doc: "The bronze layer.",
    one_of: &[],
    any_of: &[],
    keys: &[
        Key::new("enabled", Value::Flag, "Whether records are kept as they arrived. Files are their own bronze.")
            .or("false"),
        Key::new(
            "encrypt",
            object(&ENCRYPT),
            "Where the key comes from that bronze is encrypted with. Needed where bronze is kept and a column holds \
            personal data.",
        ),
    ],
};

static ENCRYPT: Shape = Shape {
    name: "encryption",
    doc: "Where the key of bronze comes from. The environment goes first. The key itself never stands in a manifest.",
    one_of: &[],
    any_of: &["key_env", "key_file"],
    keys: &KEY_SOURCE,
};

pub(super) static TOKEN: Shape = Shape {
    name: "token",
    doc: "Where the key of pseudonyms comes from. The environment goes first. The key itself never stands in a manifest.",
    one_of: &[],
    any_of: &["key_env", "key_file"],
    keys: &KEY_SOURCE,
};

static KEY_SOURCE: [Key; 2] = [
    Key::new("key_env", Value::Text(&names::ENV_VAR), "Environment variable that holds the key."),
    Key::new("key_file", Value::Text(&names::PATH), "File that holds the key, relative to the manifest."),
];
