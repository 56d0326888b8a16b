//! Which files of a repository are asked for.

/// File patterns as Python's `fnmatch` reads them: `*` stands for any text, `/` included, `?` for
/// one character. No pattern at all takes every file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Patterns(Vec<String>);

impl Patterns {
    /// Files that one of these matches.
    #[must_use]
    pub fn new<T: Into<String>>(patterns: impl IntoIterator<Item = T>) -> Self {
        Self(patterns.into_iter().map(Into::into).collect())
    }

    /// Whether a path is asked for.
    #[must_use]
    pub fn take(&self, path: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|pattern| matches(pattern, path))
    }
}

impl std::fmt::Display for Patterns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}

/// Matches from left to right; a star that took too little takes one character more.
fn matches(pattern: &str, path: &str) -> bool {
    let (pattern, path): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), path.chars().collect());
    let (mut at, mut seen) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while seen < path.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, seen));
                at += 1;
            }
            Some(&wanted) if wanted == '?' || wanted == path[seen] => {
                at += 1;
                seen += 1;
            }
            _ => match star {
                Some((place, taken)) => {
                    star = Some((place, taken + 1));
                    at = place + 1;
                    seen = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|left| *left == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_pythons_do() {
        for (pattern, path, wanted) in [
            ("*.json", "config.json", true),
            ("*.json", "meta/info.json", true),
            ("meta/*", "meta/episodes/chunk-000/file-000.parquet", true),
            ("config.json", "a/config.json", false),
            ("model-?.safetensors", "model-1.safetensors", true),
            ("model-?.safetensors", "model-10.safetensors", false),
            ("*a*b*", "xxaxxbx", true),
            ("*a*b", "xxaxxbx", false),
            ("", "a", false),
            ("**", "", true),
        ] {
            assert_eq!(matches(pattern, path), wanted, "{pattern} {path}");
        }
        assert!(Patterns::default().take("anything"));
    }

    #[test]
    fn many_stars_take_no_exponential_time() {
        let pattern = "*a".repeat(60);
        assert!(!matches(&pattern, &"a".repeat(59)));
        assert!(!matches(&pattern, &format!("{}b", "a".repeat(5000))));
    }
}
