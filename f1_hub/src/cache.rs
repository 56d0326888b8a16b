//! One repository's folder in the cache, with the layout of Python's `huggingface_hub`:
//! `blobs/CHECKSUM`, `snapshots/COMMIT/PATH` as links to them, and `refs/REVISION`.

use std::fs::{self, File, TryLockError};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::name::{is_commit, is_inside};
use crate::{Digest, HubError, HubName};

/// The folder of a repository.
pub(crate) struct RepoCache {
    root: PathBuf,
    locks: PathBuf,
}

impl RepoCache {
    pub fn new(cache: &Path, name: &HubName) -> Self {
        let folder = name.folder();
        Self { root: cache.join(&folder), locks: cache.join(".locks").join(folder) }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A whole file.
    pub fn blob(&self, digest: &Digest) -> PathBuf {
        self.root.join("blobs").join(digest.hex())
    }

    /// A file that has not come whole yet, named as Python names it.
    pub fn incomplete(&self, digest: &Digest) -> PathBuf {
        self.root.join("blobs").join(format!("{}.incomplete", digest.hex()))
    }

    /// The folder that is handed out.
    pub fn snapshot(&self, commit: &str) -> PathBuf {
        self.root.join("snapshots").join(commit)
    }

    /// Takes the lock of a file, which Python's downloads take too; `waiting` is called once where
    /// another process holds it.
    pub fn lock(&self, digest: &Digest, waiting: &mut dyn FnMut()) -> Result<File, HubError> {
        let path = self.locks.join(format!("{}.lock", digest.hex()));
        make_folder_of(&path)?;
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(HubError::io(&path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                waiting();
                file.lock().map_err(HubError::io(&path))?;
            }
            Err(TryLockError::Error(source)) => return Err(HubError::io(path)(source)),
        }
        Ok(file)
    }

    /// The commit that a revision stood for when it was last asked for.
    pub fn commit_of(&self, revision: &str) -> Option<String> {
        if is_commit(revision) {
            return Some(revision.to_owned());
        }
        let text = fs::read_to_string(self.root.join("refs").join(revision)).ok()?;
        let commit = text.trim();
        is_commit(commit).then(|| commit.to_owned())
    }

    /// Notes the commit that a revision stands for.
    pub fn note_commit(&self, revision: &str, commit: &str) -> Result<(), HubError> {
        if is_commit(revision) {
            return Ok(());
        }
        self.write(&self.root.join("refs").join(revision), commit)
    }

    /// Whether this licence was accepted for the repository.
    pub fn has_accepted(&self, licence: &str) -> bool {
        fs::read_to_string(self.accepted()).is_ok_and(|text| text == licence)
    }

    /// Notes that it was.
    pub fn accept(&self, licence: &str) -> Result<(), HubError> {
        self.write(&self.accepted(), licence)
    }

    fn accepted(&self) -> PathBuf {
        self.root.join(".f1_licence_accepted")
    }

    /// Puts a whole file into a snapshot.
    pub fn link(&self, commit: &str, path: &str, digest: &Digest) -> Result<(), HubError> {
        if !is_inside(path) {
            let name = self.root.display().to_string();
            return Err(HubError::Hostile { name, what: path.to_owned() });
        }
        let link = self.snapshot(commit).join(path);
        let up = "../".repeat(path.matches('/').count() + 2);
        let target = PathBuf::from(format!("{up}blobs/{}", digest.hex()));
        if fs::read_link(&link).is_ok_and(|old| old == target) {
            return Ok(());
        }
        make_folder_of(&link)?;
        // Renamed into place: another process sees no file or a whole one.
        let fresh = beside(&link);
        let _ = fs::remove_file(&fresh);
        std::os::unix::fs::symlink(&target, &fresh).map_err(HubError::io(&fresh))?;
        fs::rename(&fresh, &link).map_err(HubError::io(&link))
    }

    /// Writes a small file whole.
    fn write(&self, path: &Path, text: &str) -> Result<(), HubError> {
        if fs::read_to_string(path).is_ok_and(|old| old == text) {
            return Ok(());
        }
        make_folder_of(path)?;
        let fresh = beside(path);
        let mut file = File::create(&fresh).map_err(HubError::io(&fresh))?;
        file.write_all(text.as_bytes()).map_err(HubError::io(&fresh))?;
        fs::rename(&fresh, path).map_err(HubError::io(path))
    }
}

/// A name beside a file that no other process uses.
fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}", std::process::id()))
}

/// Makes the folder that a file is in.
pub(crate) fn make_folder_of(path: &Path) -> Result<(), HubError> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(HubError::io(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_from_any_depth_to_the_blob() {
        let folder = tempfile::tempdir().unwrap();
        let name: HubName = "a/b".parse().unwrap();
        let cache = RepoCache::new(folder.path(), &name);
        let digest = Digest::Git("0".repeat(40));
        make_folder_of(&cache.blob(&digest)).unwrap();
        fs::write(cache.blob(&digest), "contents").unwrap();
        let commit = "1".repeat(40);
        for path in ["config.json", "meta/episodes/chunk-000/file-000.parquet"] {
            cache.link(&commit, path, &digest).unwrap();
            cache.link(&commit, path, &digest).unwrap();
            let found = fs::read_to_string(cache.snapshot(&commit).join(path)).unwrap();
            assert_eq!(found, "contents");
        }
        assert!(cache.link(&commit, "../../../outside", &digest).is_err());
    }

    #[test]
    fn a_ref_that_is_no_commit_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let cache = RepoCache::new(folder.path(), &"a/b".parse().unwrap());
        cache.note_commit("main", "../../etc").unwrap();
        assert_eq!(cache.commit_of("main"), None);
        cache.note_commit("main", &"a".repeat(40)).unwrap();
        assert_eq!(cache.commit_of("main"), Some("a".repeat(40)));
    }
}
