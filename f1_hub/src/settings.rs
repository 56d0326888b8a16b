//! The environment variables that Python's `huggingface_hub` reads too.

use std::path::PathBuf;
use std::time::Duration;

use crate::HubError;

/// Where the hub and its cache are, and who asks.
#[derive(Clone)]
pub struct Settings {
    /// `HF_ENDPOINT`, without a slash at its end.
    pub endpoint: String,
    /// `HF_TOKEN`, or the contents of `HF_TOKEN_PATH`.
    pub token: Option<String>,
    /// `HF_HUB_CACHE`: the folder of all repositories.
    pub cache: PathBuf,
    /// `HF_HUB_OFFLINE`: only what is in the cache.
    pub offline: bool,
    /// How often a broken connection is taken up again while no byte comes.
    pub attempts: u32,
    /// The pause before the second attempt; it doubles with each.
    pub pause: Duration,
    /// A connection on which nothing comes for so long is broken.
    pub silence: Duration,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The token is a secret.
        formatter
            .debug_struct("Settings")
            .field("endpoint", &self.endpoint)
            .field("cache", &self.cache)
            .field("offline", &self.offline)
            .finish_non_exhaustive()
    }
}

impl Settings {
    /// The process's environment.
    ///
    /// # Errors
    /// A variable with an unusable value.
    pub fn from_env() -> Result<Self, HubError> {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    /// Settings from variables; an empty one counts as missing.
    ///
    /// # Errors
    /// A variable with an unusable value.
    pub fn from_variables(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, HubError> {
        let get = |name: &str| lookup(name).filter(|value| !value.trim().is_empty());
        let home = || get("HOME").map(PathBuf::from).unwrap_or_default();
        let hub_home = get("HF_HOME").map(PathBuf::from).unwrap_or_else(|| {
            let caches = get("XDG_CACHE_HOME").map(PathBuf::from);
            caches.unwrap_or_else(|| home().join(".cache")).join("huggingface")
        });
        let cache = get("HF_HUB_CACHE").or_else(|| get("HUGGINGFACE_HUB_CACHE"));
        let cache = cache.map_or_else(|| hub_home.join("hub"), PathBuf::from);
        let token_file = get("HF_TOKEN_PATH").map_or_else(|| hub_home.join("token"), PathBuf::from);
        let token = get("HF_TOKEN").or_else(|| std::fs::read_to_string(token_file).ok());
        let token = token.map(|token| token.trim().to_owned()).filter(|token| !token.is_empty());
        if let Some(token) = &token
            && !token.bytes().all(|byte| byte.is_ascii_graphic())
        {
            let what = "a token has letters, digits and signs only".into();
            return Err(HubError::Setting { name: "HF_TOKEN", what });
        }
        let endpoint = get("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".into());
        let endpoint = endpoint.trim().trim_end_matches('/').to_owned();
        if !endpoint.starts_with("https://") && !endpoint.starts_with("http://") {
            let what = format!("{endpoint} does not begin with https:// or http://");
            return Err(HubError::Setting { name: "HF_ENDPOINT", what });
        }
        let yes =
            |text: String| matches!(text.to_lowercase().as_str(), "1" | "on" | "yes" | "true");
        Ok(Self {
            endpoint,
            token,
            cache,
            offline: get("HF_HUB_OFFLINE").is_some_and(yes),
            attempts: 5,
            pause: Duration::from_secs(1),
            silence: Duration::from_secs(60),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, HubError> {
        let find = |name: &str| variables.iter().find(|(key, _)| *key == name);
        Settings::from_variables(|name| find(name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn the_cache_is_where_python_looks_for_it() {
        let cache = |variables: &[(&str, &str)]| read(variables).unwrap().cache;
        let home = ("HOME", "/home/a");
        assert_eq!(cache(&[home]), PathBuf::from("/home/a/.cache/huggingface/hub"));
        assert_eq!(cache(&[home, ("XDG_CACHE_HOME", "/c")]), PathBuf::from("/c/huggingface/hub"));
        assert_eq!(cache(&[home, ("HF_HOME", "/h")]), PathBuf::from("/h/hub"));
        assert_eq!(cache(&[("HF_HOME", "/h"), ("HF_HUB_CACHE", "/x")]), PathBuf::from("/x"));
    }

    #[test]
    fn the_token_comes_from_the_variable_before_the_file_and_is_never_printed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, "hf_file\n").unwrap();
        let path = ("HF_TOKEN_PATH", file.to_str().unwrap());
        assert_eq!(read(&[path]).unwrap().token.as_deref(), Some("hf_file"));
        let both = read(&[path, ("HF_TOKEN", "hf_variable")]).unwrap();
        assert_eq!(both.token.as_deref(), Some("hf_variable"));
        assert!(!format!("{both:?}").contains("hf_variable"));
        assert!(read(&[("HF_TOKEN", "a\r\nX-Header: b")]).is_err());
    }

    #[test]
    fn an_endpoint_without_a_scheme_is_refused_and_offline_is_read() {
        assert!(read(&[("HF_ENDPOINT", "example.org")]).is_err());
        assert_eq!(read(&[("HF_ENDPOINT", "http://a:1/")]).unwrap().endpoint, "http://a:1");
        assert!(read(&[("HF_HUB_OFFLINE", "1")]).unwrap().offline);
        assert!(!read(&[("HF_HUB_OFFLINE", "0")]).unwrap().offline);
    }
}
