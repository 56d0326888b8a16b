//! The licence of a repository.

/// What a person accepts before the first file is fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Licence {
    /// The repository: `OWNER/NAME`, `datasets/OWNER/NAME`.
    pub repository: String,
    /// The licence as the repository names it, `cc-by-nc-sa-4.0`.
    pub name: String,
    /// The repository's page, which has its text.
    pub page: String,
}

/// What stands in place of a licence that a repository does not name.
pub(crate) const UNNAMED: &str = "none named";

impl Licence {
    /// What the licence says of commercial use, where its name tells.
    #[must_use]
    pub fn remark(&self) -> &'static str {
        let name = self.name.to_lowercase();
        if name.split(['-', '_', ' ']).any(|part| part == "nc" || part == "noncommercial") {
            "not for commercial use"
        } else if self.name == UNNAMED {
            "without a licence its use is up to its owner: see the page"
        } else {
            "see the page for its conditions"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_licence_that_excludes_commercial_use_says_so() {
        let licence = |name: &str| Licence {
            repository: "a/b".into(),
            name: name.into(),
            page: "https://example.org/a/b".into(),
        };
        assert_eq!(licence("cc-by-nc-sa-4.0").remark(), "not for commercial use");
        assert_eq!(licence("apache-2.0").remark(), "see the page for its conditions");
        assert!(licence(UNNAMED).remark().contains("owner"));
    }
}
