//! How sources and documents are laid out: lengths of files and lines.

use std::path::{Path, PathBuf};

use f1_tests::documents::{files, root};

/// The longest file and the longest line that are read without effort.
const LINES: usize = 600;
const COLUMNS: usize = 100;

/// Written by programs.
const GENERATED: [&str; 3] =
    ["f1_interfaces/src/generated/", "docs/parameters.md", "docs/topics.md"];

/// All files of these kinds that people write, relative to the top folder.
fn written(kinds: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for kind in kinds {
        found.extend(files(&root(), kind, false).unwrap());
    }
    found.extend(["f1", ".ci/run", ".ci/slow", ".ci/steps"].map(|name| root().join(name)));
    let relative = found.iter().map(|path| path.strip_prefix(root()).unwrap().to_path_buf());
    relative
        .filter(|path| {
            let text = path.to_string_lossy();
            !GENERATED.iter().any(|part| text.starts_with(part)) && !text.contains("/target/")
        })
        .collect()
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

#[test]
fn no_source_file_is_longer_than_600_lines() {
    let sources = written(&["rs", "cu", "cuh", "py", "sh"]);
    assert!(sources.len() > 200, "only {} sources were found", sources.len());
    let long: Vec<String> = sources
        .iter()
        .map(|path| (path, text(path).lines().count()))
        .filter(|(_, lines)| *lines > LINES)
        .map(|(path, lines)| format!("{}: {lines} lines", path.display()))
        .collect();
    assert!(long.is_empty(), "{} files over {LINES} lines:\n{}", long.len(), long.join("\n"));
}

/// Whether a line is held to [`COLUMNS`]: all of a page but tables, all of a script, and the
/// comments of other sources (rustfmt wraps their code).
fn is_measured(kind: &str, line: &str) -> bool {
    let trimmed = line.trim_start();
    match kind {
        "md" => !trimmed.starts_with('|'),
        "rs" | "cu" | "cuh" => trimmed.starts_with("//"),
        "toml" | "yaml" | "yml" => trimmed.starts_with('#'),
        _ => true,
    }
}

#[test]
fn no_line_of_comments_and_pages_is_wider_than_100_columns() {
    let kinds = ["md", "rs", "cu", "cuh", "toml", "yaml", "yml", "py", "sh", "xml"];
    let mut wide = Vec::new();
    for path in written(&kinds) {
        let kind = path.extension().unwrap_or_default().to_string_lossy().into_owned();
        for (number, line) in text(&path).lines().enumerate() {
            // An address cannot be wrapped.
            if line.chars().count() > COLUMNS
                && is_measured(&kind, line)
                && !line.split_whitespace().any(|word| word.contains("://") && word.len() > 60)
            {
                wide.push(format!(
                    "{}:{}: {} columns",
                    path.display(),
                    number + 1,
                    line.chars().count()
                ));
            }
        }
    }
    assert!(wide.is_empty(), "{} lines over {COLUMNS} columns:\n{}", wide.len(), wide.join("\n"));
}
