//! Keys: of pseudonyms and of bronze. From the environment or a file, never from a manifest, never shown.

use anyhow::{Context, Result, bail};
use sluice_flow::BronzeKey;
use sluice_manifest::{Checked, KeySource};
use std::path::PathBuf;

/// Shortest key in bytes: HMAC-SHA-256 is as strong as its key up to 32 bytes, and below 16 it can be guessed.
const MIN_BYTES: usize = 16;

/// The key of pseudonyms of a manifest that has one.
pub(crate) fn load(checked: &Checked) -> Result<Option<Vec<u8>>> {
    let Some(token) = &checked.plan.token else { return Ok(None) };
    read("pseudonyms", "token", token, checked.key_file()).map(Some)
}

/// The key of bronze of a manifest that encrypts it.
pub(crate) fn bronze(checked: &Checked) -> Result<Option<BronzeKey>> {
    let Some(source) = &checked.plan.bronze.encrypt else { return Ok(None) };
    let secret = read("bronze", "bronze.encrypt", source, checked.bronze_key_file())?;
    Ok(Some(BronzeKey::new(&secret)?))
}

/// A key from where a manifest says it is: the environment goes first. White space around it does not count.
fn read(what: &str, section: &str, source: &KeySource, file: Option<PathBuf>) -> Result<Vec<u8>> {
    let from_env = source.key_env.as_ref().and_then(|name| Some((name.clone(), std::env::var(name).ok()?)));
    let (place, text) = match (from_env, file) {
        (Some((name, text)), _) => (format!("environment variable {name}"), text),
        (None, Some(file)) => {
            let text = std::fs::read_to_string(&file).with_context(|| format!("key file {}", file.display()))?;
            (file.display().to_string(), text)
        }
        (None, None) => {
            let name = source.key_env.as_deref().unwrap_or("of the manifest");
            bail!("no key for {what}: set the environment variable {name}, or name a `key_file` under `{section}:`");
        }
    };
    // a file may say in comments what it is
    let key: String = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    if key.len() < MIN_BYTES {
        bail!("{place}: the key has {} bytes; at least {MIN_BYTES} are needed", key.len());
    }
    Ok(key.into_bytes())
}
