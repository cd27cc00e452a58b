//! A manifest that holds together, and what stands around its plan.

use crate::finding::Findings;
use crate::plan::{Environment, LookupPlan, Plan};
use crate::shape::Value;
use crate::spans::Spans;
use crate::{bindings, build, check_shape, columns, keys, privacy, yaml};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What came of a manifest without findings.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// What is done.
    pub plan: Plan,
    /// What the dataset is, for people.
    pub description: Option<String>,
    /// What columns of the schema are, for people, by name.
    pub descriptions: BTreeMap<String, String>,
    /// Where it can run. `local` is always there and first, with nothing bound where the manifest binds nothing.
    pub environments: Vec<Environment>,
    /// Folder of the rules, resolved against the manifest's folder.
    pub rules_path: Option<PathBuf>,
    /// The manifest's file, as given.
    pub file: PathBuf,
    /// The manifest's folder: what the manifest names is relative to it.
    pub dir: PathBuf,
    /// The manifest's text: with [`check_text`] it gives the same once more.
    pub text: String,
    /// Where things stand in the text.
    pub spans: Spans,
}

impl Checked {
    /// An environment by name.
    pub fn environment(&self, name: &str) -> Option<&Environment> {
        self.environments.iter().find(|environment| environment.name == name)
    }

    /// The file that holds the key of pseudonyms, resolved against the manifest's folder.
    pub fn key_file(&self) -> Option<PathBuf> {
        self.plan.token.as_ref()?.key_file.as_ref().map(|file| self.dir.join(file))
    }

    /// The file that holds the key of bronze, resolved against the manifest's folder.
    pub fn bronze_key_file(&self) -> Option<PathBuf> {
        self.plan.bronze.encrypt.as_ref()?.key_file.as_ref().map(|file| self.dir.join(file))
    }

    /// The file of a reference table, resolved against the manifest's folder.
    pub fn lookup_file(&self, lookup: &LookupPlan) -> PathBuf {
        self.dir.join(&lookup.file)
    }

    /// An empty list of findings about this manifest, for what only appears later.
    pub fn findings(&self) -> Findings {
        Findings::new(&self.file)
    }
}

static MANIFEST: Value = Value::Object(&keys::MANIFEST);

/// Checks the text of a manifest. `file` is where it stands: findings name it as given, and paths in the manifest are
/// taken relative to its folder. Nothing is read from disk.
///
/// # Errors
/// Everything that is wrong.
pub fn check_text(text: &str, file: &Path) -> Result<Checked, Findings> {
    let mut out = Findings::new(file);
    let Some(root) = yaml::read(text, &mut out) else { return Err(out) };
    check_shape::check(&root, &MANIFEST, "", &mut out);
    if out.is_final() {
        return Err(out);
    }
    let dir = file.parent().unwrap_or(Path::new("")).to_owned();
    let mut checked = build::build(&root, file, dir, &mut out);
    checked.spans = Spans::of(&root);
    checked.text = text.to_owned();
    // Without columns, each reference would be one more finding about the same cause.
    if !checked.plan.schema.is_empty() {
        columns::check(&checked.plan, &checked.spans, &mut out);
        privacy::check(&checked.plan, &checked.spans, &mut out);
        bindings::check(&checked, &mut out);
    }
    out.into_result(checked)
}
