//! Names of repositories, and of files in them, as they may be trusted.

use std::fmt;
use std::str::FromStr;

use crate::{HubError, SCHEME};

/// What a repository holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RepoKind {
    /// A model.
    Model,
    /// A data set.
    Dataset,
}

impl RepoKind {
    /// The plural in addresses and in the cache: `models`, `datasets`.
    #[must_use]
    pub fn plural(self) -> &'static str {
        match self {
            Self::Model => "models",
            Self::Dataset => "datasets",
        }
    }
}

/// A repository at a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubName {
    /// Model or data set.
    pub kind: RepoKind,
    /// `OWNER/NAME`.
    pub repository: String,
    /// A branch, a tag or a commit.
    pub revision: String,
}

impl FromStr for HubName {
    type Err = HubError;

    /// Reads `[hf://][datasets/]OWNER/NAME[@REVISION]`.
    fn from_str(text: &str) -> Result<Self, HubError> {
        let fault = |what: &str| HubError::Name { name: text.to_owned(), what: what.to_owned() };
        let rest = text.strip_prefix(SCHEME).unwrap_or(text);
        let (rest, revision) = rest.split_once('@').unwrap_or((rest, "main"));
        let (kind, repository) = match rest.split_once('/') {
            Some(("datasets", rest)) if rest.contains('/') => (RepoKind::Dataset, rest),
            Some(("models", rest)) if rest.contains('/') => (RepoKind::Model, rest),
            _ => (RepoKind::Model, rest),
        };
        let parts: Vec<&str> = repository.split('/').collect();
        if parts.len() != 2 || !parts.iter().all(|part| is_part(part)) {
            return Err(fault("it has the form OWNER/NAME or datasets/OWNER/NAME"));
        }
        if !is_inside(revision) {
            return Err(fault("what follows @ is no branch, tag or commit"));
        }
        Ok(Self { kind, repository: repository.to_owned(), revision: revision.to_owned() })
    }
}

impl fmt::Display for HubName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.kind == RepoKind::Dataset {
            f.write_str("datasets/")?;
        }
        f.write_str(&self.repository)?;
        if self.revision != "main" {
            write!(f, "@{}", self.revision)?;
        }
        Ok(())
    }
}

impl HubName {
    /// The folder's name in the cache: `models--OWNER--NAME`.
    #[must_use]
    pub fn folder(&self) -> String {
        format!("{}--{}", self.kind.plural(), self.repository.replace('/', "--"))
    }

    /// Whether the revision is a commit, whose contents never change.
    #[must_use]
    pub fn is_pinned(&self) -> bool {
        is_commit(&self.revision)
    }
}

/// Whether this is the name of an owner or of a repository.
fn is_part(part: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let outside = part.starts_with(['.', '-']) || part.ends_with(['.', '-']);
    let length = (1..=96).contains(&part.len());
    length && part.bytes().all(allowed) && !outside && !part.contains("--") && !part.contains("..")
}

/// Whether a path that the hub names stays inside the folder that it is put into.
#[must_use]
pub(crate) fn is_inside(path: &str) -> bool {
    let plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    path.len() < 1024
        && !path.contains(['\\', ':'])
        && !path.chars().any(char::is_control)
        && path.split('/').all(plain)
}

/// Whether this is a commit: 40 hexadecimal digits.
#[must_use]
pub(crate) fn is_commit(text: &str) -> bool {
    text.len() == 40 && is_hex(text)
}

/// Whether these are lower-case hexadecimal digits.
#[must_use]
pub(crate) fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_and_without_scheme_kind_and_revision_are_read() {
        let read = |text: &str| text.parse::<HubName>().unwrap();
        let model = read("InternRobotics/F1-VLA");
        assert_eq!((model.kind, model.revision.as_str()), (RepoKind::Model, "main"));
        assert_eq!(model.folder(), "models--InternRobotics--F1-VLA");
        assert_eq!(read("hf://InternRobotics/F1-VLA"), model);
        let set = read("hf://datasets/lerobot/pusht@v2.0");
        assert_eq!((set.kind, set.revision.as_str()), (RepoKind::Dataset, "v2.0"));
        assert_eq!(set.to_string(), "datasets/lerobot/pusht@v2.0");
        assert_eq!(read("a/b@refs/pr/1").revision, "refs/pr/1");
        // An owner may be called like this; a model of theirs is no data set.
        assert_eq!(read("datasets/x").kind, RepoKind::Model);
    }

    #[test]
    fn names_that_would_leave_the_cache_are_refused() {
        for text in [
            "",
            "x",
            "a/b/c",
            "../b",
            "a/..",
            "a/b@..",
            "a/b@x/../y",
            "a/b@",
            "a b/c",
            "a--b/c",
            "datasets/a/b/c",
            "/a/b",
            "hf://",
            "a/b@x\\y",
            "a/b@x\ny",
        ] {
            assert!(text.parse::<HubName>().is_err(), "{text}");
        }
    }

    #[test]
    fn paths_stay_inside_their_folder() {
        for good in ["config.json", "meta/info.json", "a/..b/c", ".gitattributes"] {
            assert!(is_inside(good), "{good}");
        }
        for bad in
            ["", "/etc/passwd", "../x", "a/../../x", "a//b", "a/.", "a\\..\\b", "C:x", "a\0b"]
        {
            assert!(!is_inside(bad), "{bad:?}");
        }
    }
}
