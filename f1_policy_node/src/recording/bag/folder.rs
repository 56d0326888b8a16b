//! Folders of `ros2 bag`: `metadata.yaml` beside one or several files.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{RecordingError, io_error, sorted_files, unsupported};

#[derive(Deserialize)]
struct Metadata {
    rosbag2_bagfile_information: Information,
}

#[derive(Deserialize)]
struct Information {
    #[serde(default)]
    storage_identifier: String,
    relative_file_paths: Vec<PathBuf>,
    #[serde(default)]
    compression_format: String,
}

/// The files of a recording, in the order in which they were written; a file stands for itself.
pub(super) fn files(path: &Path) -> Result<Vec<PathBuf>, RecordingError> {
    if !path.is_dir() {
        return Ok(vec![path.to_path_buf()]);
    }
    let list = path.join("metadata.yaml");
    if !list.is_file() {
        return unlisted(path);
    }
    let text = std::fs::read_to_string(&list).map_err(io_error(&list))?;
    let metadata: Metadata = serde_saphyr::from_str(&text)
        .map_err(|cause| unsupported(&list, format!("no list of a recording: {cause}")))?;
    let information = metadata.rosbag2_bagfile_information;
    let storage = information.storage_identifier.as_str();
    if !["", "mcap", "sqlite3"].contains(&storage) {
        return Err(unsupported(path, format!("stored as `{storage}`, not mcap or sqlite3")));
    }
    let compression = information.compression_format.as_str();
    if !["", "none", "zstd"].contains(&compression) {
        return Err(unsupported(path, format!("compressed with `{compression}`, not zstd")));
    }
    information.relative_file_paths.iter().map(|listed| find(path, listed)).collect()
}

/// Where a listed file is: old versions list it with the folder's own name, and a file that was
/// compressed or decompressed by hand has another ending.
fn find(folder: &Path, listed: &Path) -> Result<PathBuf, RecordingError> {
    let name = listed.file_name().unwrap_or_default();
    let whole = folder.join(listed);
    let candidates = [
        whole.clone(),
        folder.join(name),
        folder.join(format!("{}.zstd", name.to_string_lossy())),
        folder.join(name.to_string_lossy().trim_end_matches(".zstd")),
    ];
    let found = candidates.iter().find(|candidate| candidate.is_file());
    found.cloned().ok_or_else(|| {
        io_error(&whole)(std::io::Error::new(
            std::io::ErrorKind::NotFound,
            "metadata.yaml lists this file, and it is not there",
        ))
    })
}

/// A folder whose writer was killed has no list yet.
fn unlisted(folder: &Path) -> Result<Vec<PathBuf>, RecordingError> {
    const ENDINGS: [&str; 4] = [".mcap", ".db3", ".mcap.zstd", ".db3.zstd"];
    let files: Vec<PathBuf> = sorted_files(folder)?
        .into_iter()
        .filter(|file| {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            ENDINGS.iter().any(|ending| name.ends_with(ending))
        })
        .collect();
    if files.is_empty() {
        return Err(unsupported(
            folder,
            "a folder without metadata.yaml and without a file that ends in .mcap or .db3",
        ));
    }
    Ok(files)
}
