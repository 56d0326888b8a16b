//! Where shipped robot files, models and URDFs are: the folder that `F1_SHARE` names, the current
//! folder, or an install or a checkout around the program.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// A name that is neither a path nor shipped.
#[derive(Debug, thiserror::Error)]
#[error("{what} '{name}' is neither a {kind} nor shipped in {} ({})", folder.display(), shipped.join(", "))]
pub struct ShareError {
    /// `robot` or `model`.
    what: &'static str,
    /// What a path would have to lead to.
    kind: &'static str,
    /// The name that was asked for.
    name: String,
    /// Where shipped ones were looked for.
    folder: PathBuf,
    /// What is there.
    shipped: Vec<String>,
}

/// The folder that holds `config/robots`, `models` and `urdf`; the current folder when none does.
#[must_use]
pub fn root() -> PathBuf {
    search(std::env::var_os("F1_SHARE"), std::env::current_exe().ok().as_deref())
}

fn search(named: Option<OsString>, program: Option<&Path>) -> PathBuf {
    if let Some(folder) = named {
        return folder.into();
    }
    let here = PathBuf::from(".");
    // `lib/f1_policy/f1` and `bin/f1` of an install have `share` beside `lib` and `bin`;
    // `target/release/f1` of a checkout has the top folder two levels up.
    let around = program.into_iter().flat_map(|program| program.ancestors().skip(1).take(5));
    let around = around.flat_map(|folder| [folder.join("share/f1_policy"), folder.to_path_buf()]);
    std::iter::once(here.clone())
        .chain(around)
        .find(|folder| folder.join("config/robots").is_dir())
        .unwrap_or(here)
}

/// A shipped robot by its name, or any robot file by its path.
///
/// # Errors
/// Neither; the error lists what is shipped.
pub fn robot_file(name: &str) -> Result<PathBuf, ShareError> {
    let folder = root().join("config/robots");
    let shipped = folder.join(format!("{name}.yaml"));
    find(name, &shipped, Path::is_file, ("robot", "robot file"), folder)
}

/// A shipped model by its name, or any checkpoint folder by its path.
///
/// # Errors
/// Neither; the error lists what is shipped.
pub fn model(name: &str) -> Result<PathBuf, ShareError> {
    let folder = root().join("models");
    find(name, &folder.join(name), Path::is_dir, ("model", "checkpoint folder"), folder)
}

fn find(
    name: &str,
    shipped: &Path,
    is_one: fn(&Path) -> bool,
    (what, kind): (&'static str, &'static str),
    folder: PathBuf,
) -> Result<PathBuf, ShareError> {
    let given = PathBuf::from(name);
    if is_one(&given) {
        return Ok(given);
    }
    if is_one(shipped) {
        return Ok(shipped.to_path_buf());
    }
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .into_iter()
        .flatten()
        .flatten()
        // A folder of a model that is only to be trained has no weights yet.
        .filter(|entry| !entry.path().is_dir() || holds_weights(&entry.path()))
        .filter_map(|entry| Some(entry.path().file_stem()?.to_string_lossy().into_owned()))
        .collect();
    names.sort();
    Err(ShareError { what, kind, name: name.to_owned(), folder, shipped: names })
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

    /// A folder with `config/robots` at `share`, and the path of a program at `program`.
    fn install(share: &str, program: &str) -> (tempfile::TempDir, PathBuf) {
        let top = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(top.path().join(share).join("config/robots")).unwrap();
        let program = top.path().join(program);
        (top, program)
    }

    // The current folder of these tests, f1_robot, holds no config/robots.
    #[test]
    fn an_install_and_a_checkout_are_found_around_the_program() {
        for (share, program) in [
            ("share/f1_policy", "bin/f1"),
            ("share/f1_policy", "lib/f1_policy/f1_sim_node"),
            (".", "target/release/f1"),
            (".", "target/cuda/release/f1"),
        ] {
            let (top, program) = install(share, program);
            let found = search(None, Some(&program));
            assert_eq!(
                found.canonicalize().unwrap(),
                top.path().join(share).canonicalize().unwrap()
            );
        }
    }

    #[test]
    fn f1_share_wins() {
        let (_top, program) = install("share/f1_policy", "bin/f1");
        assert_eq!(search(Some("/a/b".into()), Some(&program)), PathBuf::from("/a/b"));
    }

    #[test]
    fn without_shipped_files_the_current_folder_is_named() {
        let (_top, program) = install("elsewhere", "bin/f1");
        assert_eq!(search(None, Some(&program)), PathBuf::from("."));
    }
}
