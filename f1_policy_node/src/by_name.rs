//! Folders that parameters name on the hub: a process without a terminal reports in its log and
//! asks no question.

use std::path::PathBuf;

use f1_hub::{Hub, HubError, Licence, Patterns, SCHEME, TOKENIZER_FILE, Watch};

struct Logged;

impl Watch for Logged {
    fn begin(&mut self, files: usize, bytes: u64, present: u64) {
        if present < bytes {
            tracing::info!(files, bytes, present, "fetching from the hub");
        }
    }

    fn say(&mut self, text: &str) {
        tracing::warn!("{text}");
    }

    fn accept(&mut self, _: &Licence) -> bool {
        false
    }
}

/// A folder, or the folder of a name of the hub with these files.
pub(crate) fn folder(text: &str, files: &[&str]) -> Result<PathBuf, HubError> {
    if !text.starts_with(SCHEME) {
        return Ok(PathBuf::from(text));
    }
    let files = Patterns::new(files.iter().copied());
    Ok(Hub::from_env()?.fetch(&text.parse()?, &files, &mut Logged)?.folder)
}

/// The `tokenizer.json` that a file, a folder or a name of the hub stands for; none for an empty
/// text.
pub(crate) fn tokenizer(text: &str) -> Result<Option<PathBuf>, HubError> {
    if text.is_empty() {
        return Ok(None);
    }
    let path = folder(text, &[TOKENIZER_FILE])?;
    Ok(Some(if path.is_dir() { path.join(TOKENIZER_FILE) } else { path }))
}
