//! The key behind pseudonyms: from the environment or a file, never from a manifest, never shown.

use anyhow::{Context, Result, bail};
use sluice_manifest::Checked;

/// Shortest key in bytes: HMAC-SHA-256 is as strong as its key up to 32 bytes, and below 16 it can be guessed.
const MIN_BYTES: usize = 16;

/// The key of a manifest that has one. White space around it does not count.
pub(crate) fn load(checked: &Checked) -> Result<Option<Vec<u8>>> {
    let Some(token) = &checked.plan.token else { return Ok(None) };
    let from_env = token.key_env.as_ref().and_then(|name| Some((name.clone(), std::env::var(name).ok()?)));
    let (place, text) = match (from_env, checked.key_file()) {
        (Some((name, text)), _) => (format!("environment variable {name}"), text),
        (None, Some(file)) => {
            let text = std::fs::read_to_string(&file).with_context(|| format!("key file {}", file.display()))?;
            (file.display().to_string(), text)
        }
        (None, None) => {
            let name = token.key_env.as_deref().unwrap_or("of the manifest");
            bail!("no key for pseudonyms: set the environment variable {name}, or name a `key_file` under `token:`");
        }
    };
    // a file may say in comments what it is
    let key: String = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    if key.len() < MIN_BYTES {
        bail!("{place}: the key has {} bytes; at least {MIN_BYTES} are needed", key.len());
    }
    Ok(Some(key.into_bytes()))
}
