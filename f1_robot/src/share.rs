//! Where robot files, models and URDFs are: `$F1_SHARE`, the checkout that the program was started
//! in, or an installed package. Every program finds them here.

use std::path::{Path, PathBuf};

/// A name that is neither shipped nor a path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{what} '{name}' is neither a {kind} nor shipped in {folder} ({shipped}){hint}",
    folder = .folder.display(),
    shipped = match .shipped.is_empty() {
        true => "nothing is there: set F1_SHARE to the checkout or the share of an install",
        false => .shipped,
    },
    hint = match *.what == "model" && .name.contains("://") {
        true => "; a policy server's address begins with ws:// or wss://",
        false => "",
    }
)]
pub struct NotFound {
    /// `robot` or `model`.
    what: &'static str,
    /// What was asked for.
    name: String,
    /// What a path may name.
    kind: &'static str,
    /// Where shipped ones are.
    folder: PathBuf,
    /// Names of the shipped ones.
    shipped: String,
}

/// The folder that holds `config/robots`, `models` and `urdf`.
#[must_use]
pub fn root() -> PathBuf {
    if let Some(folder) = std::env::var_os("F1_SHARE") {
        return folder.into();
    }
    let mut candidates = vec![PathBuf::from(".")];
    if let Ok(program) = std::env::current_exe() {
        // lib/f1_policy/f1 of an install has its share beside lib; target/release/f1 of a checkout
        // has it two folders up.
        candidates.extend(
            program
                .ancestors()
                .skip(1)
                .take(5)
                .flat_map(|folder| [folder.join("share/f1_policy"), folder.to_path_buf()]),
        );
    }
    candidates
        .into_iter()
        .find(|folder| folder.join("config/robots").is_dir())
        .unwrap_or_else(|| ".".into())
}

/// A shipped robot by its name, or any robot file by its path.
///
/// # Errors
/// Neither is there.
pub fn robot_file(name: &str) -> Result<PathBuf, NotFound> {
    let folder = root().join("config/robots");
    find(name, &folder.join(format!("{name}.yaml")), Path::is_file, "robot", "robot file", &folder)
}

/// A shipped model by its name, or any checkpoint folder by its path.
///
/// # Errors
/// Neither is there.
pub fn model(name: &str) -> Result<PathBuf, NotFound> {
    let folder = root().join("models");
    find(name, &folder.join(name), Path::is_dir, "model", "checkpoint folder", &folder)
}

fn find(
    name: &str,
    shipped: &Path,
    is_one: fn(&Path) -> bool,
    what: &'static str,
    kind: &'static str,
    folder: &Path,
) -> Result<PathBuf, NotFound> {
    let given = PathBuf::from(name);
    if is_one(&given) {
        return Ok(given);
    }
    if is_one(shipped) {
        return Ok(shipped.to_path_buf());
    }
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        // A folder of a model that is only to be trained has no weights yet.
        .filter(|entry| !entry.path().is_dir() || holds_weights(&entry.path()))
        .filter_map(|entry| Some(entry.path().file_stem()?.to_string_lossy().into_owned()))
        .collect();
    names.sort();
    Err(NotFound {
        what,
        name: name.to_owned(),
        kind,
        folder: folder.to_path_buf(),
        shipped: names.join(", "),
    })
}

fn holds_weights(folder: &Path) -> bool {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    files
        .map(|file| file.path())
        .any(|path| path.extension().is_some_and(|kind| kind == "safetensors"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_another_scheme_is_answered_with_those_that_are_served() {
        let error = model("http://robot:8000").unwrap_err().to_string();
        assert!(error.contains("ws:// or wss://"), "{error}");
        let error = model("no such model").unwrap_err().to_string();
        assert!(!error.contains("ws://"), "{error}");
    }
}
