//! A repository, or the part of it that is asked for, as a folder of this machine.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cache::RepoCache;
use crate::client::Client;
use crate::download::{self, News, is_whole};
use crate::licence::UNNAMED;
use crate::name::is_commit;
use crate::{HubError, HubName, Licence, Patterns, RemoteFile, Settings};

/// Free space that is left on a disk, bytes: a disk that is full to the last byte stops others.
const SPARE: u64 = 64 << 20;

/// Hears how a download goes, and answers for the person who asked.
pub trait Watch {
    /// So many files and bytes are asked for; `present` of the bytes are in the cache.
    fn begin(&mut self, _files: usize, _bytes: u64, _present: u64) {}

    /// So many of the bytes are there.
    fn at(&mut self, _bytes: u64) {}

    /// Something that a person should know.
    fn say(&mut self, text: &str);

    /// Whether the licence is accepted; asked once for each repository and licence.
    fn accept(&mut self, licence: &Licence) -> bool;
}

/// What was asked for, on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The folder of the repository at this commit.
    pub folder: PathBuf,
    /// The commit.
    pub commit: String,
}

/// The hub with its cache.
pub struct Hub {
    client: Client,
}

impl Hub {
    /// The hub of these settings.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { client: Client::new(settings) }
    }

    /// The hub of the process's environment.
    ///
    /// # Errors
    /// A variable with an unusable value.
    pub fn from_env() -> Result<Self, HubError> {
        Settings::from_env().map(Self::new)
    }

    /// Its settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.client.settings
    }

    /// Makes the files that match `patterns` present, and answers with their folder.
    ///
    /// With `HF_HUB_OFFLINE`, and where the hub cannot be reached, the newest commit in the cache
    /// is taken.
    ///
    /// # Errors
    /// What keeps a file from being present; files that are whole by then stay in the cache.
    pub fn fetch(
        &self,
        name: &HubName,
        patterns: &Patterns,
        watch: &mut dyn Watch,
    ) -> Result<Fetched, HubError> {
        let settings = self.settings();
        let cache = RepoCache::new(&settings.cache, name);
        if settings.offline {
            let offline =
                HubError::Offline { name: name.to_string(), cache: settings.cache.clone() };
            return present(&cache, name, patterns).ok_or(offline);
        }
        let repository = match self.client.repository(name) {
            Err(error @ HubError::Connection { .. }) => {
                let Some(found) = present(&cache, name, patterns) else { return Err(error) };
                watch.say(&format!(
                    "{name}: the hub cannot be reached ({error}); taking what the cache holds, commit {}",
                    found.commit
                ));
                return Ok(found);
            }
            other => other?,
        };
        let listed = repository.files.iter().filter(|file| patterns.take(&file.path));
        let mut files: Vec<&RemoteFile> = listed.collect();
        if files.is_empty() {
            let some: Vec<&str> =
                repository.files.iter().take(20).map(|file| file.path.as_str()).collect();
            return Err(HubError::NoMatch {
                name: name.to_string(),
                patterns: patterns.to_string(),
                holds: some.join(", "),
            });
        }
        self.ask(&cache, name, repository.licence.as_deref(), watch)?;
        // Small ones first: what is wrong with a configuration is seen before the weights come.
        files.sort_by_key(|file| file.size);
        self.bring(&cache, (name, &repository.commit), &files, watch)?;
        cache.note_commit(&name.revision, &repository.commit)?;
        Ok(Fetched { folder: cache.snapshot(&repository.commit), commit: repository.commit })
    }

    /// Has the licence accepted, once.
    fn ask(
        &self,
        cache: &RepoCache,
        name: &HubName,
        licence: Option<&str>,
        watch: &mut dyn Watch,
    ) -> Result<(), HubError> {
        let licence = licence.unwrap_or(UNNAMED);
        if cache.has_accepted(licence) {
            return Ok(());
        }
        let (repository, page) = (name.to_string(), self.client.page(name));
        if watch.accept(&Licence { repository, name: licence.to_owned(), page: page.clone() }) {
            return cache.accept(licence);
        }
        Err(HubError::Licence { name: name.to_string(), licence: licence.to_owned(), page })
    }

    fn bring(
        &self,
        cache: &RepoCache,
        (name, commit): (&HubName, &str),
        files: &[&RemoteFile],
        watch: &mut dyn Watch,
    ) -> Result<(), HubError> {
        let there = |file: &RemoteFile| {
            if is_whole(&cache.blob(&file.digest), file.size) {
                return file.size;
            }
            let part = fs::metadata(cache.incomplete(&file.digest)).map_or(0, |part| part.len());
            part.min(file.size)
        };
        let sum = |sizes: &mut dyn Iterator<Item = u64>| sizes.fold(0, u64::saturating_add);
        let total = sum(&mut files.iter().map(|file| file.size));
        let present = sum(&mut files.iter().map(|file| there(file)));
        check_space(cache.root(), total.saturating_sub(present))?;
        watch.begin(files.len(), total, present);
        // What is there is counted when its turn comes: `before` are the bytes of earlier files.
        let mut before = 0;
        let mut ahead = present;
        for file in files {
            ahead = ahead.saturating_sub(there(file));
            let mut hear = |news: News| match news {
                News::At(bytes) => watch.at(before + bytes + ahead),
                News::Said(text) => watch.say(&text),
            };
            download::fetch(&self.client, cache, (name, commit), file, &mut hear)?;
            before += file.size;
        }
        Ok(())
    }
}

/// What the cache holds of a name.
fn present(cache: &RepoCache, name: &HubName, patterns: &Patterns) -> Option<Fetched> {
    let commit = cache.commit_of(&name.revision).filter(|commit| is_commit(commit))?;
    let folder = cache.snapshot(&commit);
    holds(&folder, &folder, patterns).then_some(Fetched { folder, commit })
}

/// Whether a folder holds a file that matches.
fn holds(root: &Path, folder: &Path, patterns: &Patterns) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).any(|path| {
        if path.is_dir() {
            return holds(root, &path, patterns);
        }
        let inside = path.strip_prefix(root).unwrap_or(&path).to_string_lossy();
        path.is_file() && patterns.take(&inside)
    })
}

/// Refuses what the disk has no space for.
fn check_space(folder: &Path, needed: u64) -> Result<(), HubError> {
    let existing = folder.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("/"));
    let Ok(disk) = rustix::fs::statvfs(existing) else { return Ok(()) };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if needed > 0 && needed.saturating_add(SPARE) > free {
        return Err(HubError::Space {
            folder: existing.to_owned(),
            needed: size_text(needed),
            free: size_text(free),
        });
    }
    Ok(())
}

/// Bytes for people: `9.67 GB`.
fn size_text(bytes: u64) -> String {
    let bytes = bytes as f64;
    let (unit, name) = [(1e12, "TB"), (1e9, "GB"), (1e6, "MB")]
        .into_iter()
        .find(|(unit, _)| bytes >= *unit)
        .unwrap_or((1e3, "kB"));
    format!("{:.2} {name}", bytes / unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_said_in_decimal_units() {
        assert_eq!(size_text(9_670_000_000), "9.67 GB");
        assert_eq!(size_text(1_500), "1.50 kB");
    }
}
