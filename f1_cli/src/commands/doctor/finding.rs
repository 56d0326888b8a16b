//! The outcome of one check.

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Nothing to do.
    Good,
    /// The policy works, with a limitation.
    Warning,
    /// Stops the policy.
    Broken,
}

/// The outcome of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was checked.
    pub check: &'static str,
    /// How bad it is.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
    /// How to fix it; empty where nothing is wrong.
    pub fix: String,
}

impl Finding {
    /// Nothing is wrong.
    pub fn good(check: &'static str, found: impl Into<String>) -> Finding {
        Finding { check, verdict: Verdict::Good, found: found.into(), fix: String::new() }
    }

    /// The policy works, with a limitation.
    pub fn warning(
        check: &'static str,
        found: impl Into<String>,
        fix: impl Into<String>,
    ) -> Finding {
        Finding { check, verdict: Verdict::Warning, found: found.into(), fix: fix.into() }
    }

    /// Something that stops the policy.
    pub fn broken(
        check: &'static str,
        found: impl Into<String>,
        fix: impl Into<String>,
    ) -> Finding {
        Finding { check, verdict: Verdict::Broken, found: found.into(), fix: fix.into() }
    }
}
