//! What can go wrong with the hub, each with what to do about it.

use std::path::PathBuf;

/// Why something could not be had by its name.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// The name has another form.
    #[error("{name}: no name of the hub: {what}")]
    Name {
        /// What was asked for.
        name: String,
        /// What is wrong with it.
        what: String,
    },
    /// A setting of the environment is wrong.
    #[error("{name}: {what}")]
    Setting {
        /// The environment variable.
        name: &'static str,
        /// What is wrong with it.
        what: String,
    },
    /// The hub refuses without a token, or with this one.
    #[error(
        "{name}: {endpoint} refuses ({status}): {reason}. Open {page} in a browser and accept its \
         conditions if it has any, then set HF_TOKEN to a token of your account; a name with a typing \
         error is refused in the same way"
    )]
    Refused {
        /// What was asked for.
        name: String,
        /// Where.
        endpoint: String,
        /// HTTP status.
        status: u16,
        /// The hub's words.
        reason: String,
        /// The repository's page.
        page: String,
    },
    /// There is no such repository, revision or file.
    #[error("{name}: {endpoint} has no such {what}")]
    NotFound {
        /// What was asked for.
        name: String,
        /// Where.
        endpoint: String,
        /// Repository, revision or file.
        what: String,
    },
    /// The hub answers otherwise.
    #[error("{url}: {what}")]
    Answer {
        /// What was asked.
        url: String,
        /// What came.
        what: String,
    },
    /// The hub cannot be reached, or the connection broke again and again.
    #[error("{url}: {what}; what has come is kept, and the same command goes on from there")]
    Connection {
        /// What was asked.
        url: String,
        /// What happened.
        what: String,
    },
    /// A file that came is not the file that the hub lists.
    #[error(
        "{file}: the checksum of what came is {found}, the hub lists {expected}; it was deleted: try \
         again"
    )]
    Checksum {
        /// The file's path in the repository.
        file: String,
        /// The listed checksum.
        expected: String,
        /// The one that was computed.
        found: String,
    },
    /// A path, commit or checksum of the hub's answer that cannot be used as a file's name.
    #[error(
        "{name}: the hub names {what:?}, which is no path inside the repository; nothing was fetched"
    )]
    Hostile {
        /// The repository.
        name: String,
        /// The name.
        what: String,
    },
    /// The disk is too small, seen before anything is fetched.
    #[error("{folder}: {needed} are needed, {free} are free", folder = .folder.display())]
    Space {
        /// The cache.
        folder: PathBuf,
        /// Bytes that are missing in the cache, as text.
        needed: String,
        /// Bytes that are free, as text.
        free: String,
    },
    /// The disk, or what a process may write, is full.
    #[error(
        "{path}: the disk is full or the file too large for a limit of the system ({source}); what has \
         come is kept, and the same command goes on from there",
        path = .path.display()
    )]
    Full {
        /// The file that was written.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file of the cache cannot be made, written or read.
    #[error("{path}: {source}", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Asked for without the network, and not in the cache.
    #[error("{name} is not in {cache}, and HF_HUB_OFFLINE is set", cache = .cache.display())]
    Offline {
        /// What was asked for.
        name: String,
        /// The cache.
        cache: PathBuf,
    },
    /// Nothing in the repository is asked for.
    #[error("{name}: no file matches {patterns}; it holds {holds}")]
    NoMatch {
        /// The repository.
        name: String,
        /// The patterns.
        patterns: String,
        /// Some of its files.
        holds: String,
    },
    /// The licence was not accepted.
    #[error(
        "{name} is under the licence {licence} ({page}): accept it with `f1 fetch {name} \
         --accept-licence`"
    )]
    Licence {
        /// The repository.
        name: String,
        /// The licence.
        licence: String,
        /// Its page.
        page: String,
    },
}

impl HubError {
    /// For `map_err` of what is done with `path`: a full disk has its own variant.
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| match source.kind() {
            std::io::ErrorKind::StorageFull
            | std::io::ErrorKind::FileTooLarge
            | std::io::ErrorKind::QuotaExceeded => Self::Full { path, source },
            _ => Self::Io { path, source },
        }
    }
}
