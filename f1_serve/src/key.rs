//! API keys: where they come from, and that they go nowhere else.

use std::path::Path;

use axum::http::HeaderValue;
use subtle::ConstantTimeEq as _;

/// The environment variable that may hold a key.
pub const VARIABLE: &str = "F1_API_KEY";
/// What stands before the key in the header `Authorization`.
const SCHEME: &str = "Api-Key ";

/// A secret that is never printed and is compared in constant time.
#[derive(Clone)]
pub struct ApiKey(String);

impl ApiKey {
    /// A key, without the white space around it.
    ///
    /// # Errors
    /// A key without characters, or with some that no header may hold.
    pub fn new(text: &str) -> Result<Self, String> {
        match text.trim() {
            "" => Err("the API key is empty".into()),
            key if key.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(Self(key.to_owned())),
            _ => Err("the API key holds other characters than printable ASCII".into()),
        }
    }

    /// The key of a file, else of the environment variable [`VARIABLE`]; none where neither is
    /// given.
    ///
    /// # Errors
    /// A file that cannot be read, or what is no key.
    pub fn read(file: Option<&Path>) -> Result<Option<Self>, String> {
        let text = match file {
            Some(file) => std::fs::read_to_string(file)
                .map_err(|error| format!("API key {}: {error}", file.display()))?,
            None => match std::env::var(VARIABLE) {
                Ok(text) => text,
                Err(_) => return Ok(None),
            },
        };
        Self::new(&text).map(Some)
    }

    /// The value of the header `Authorization` that a client sends; it is marked as secret, so that
    /// no log prints it.
    ///
    /// # Errors
    /// None for keys that [`Self::new`] takes.
    pub fn authorization(&self) -> Result<HeaderValue, String> {
        let mut value = HeaderValue::from_str(&format!("{SCHEME}{}", self.0))
            .map_err(|_| "the API key fits no header".to_owned())?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// Whether a header `Authorization` holds this key; `None` where it is of another kind.
    pub(crate) fn admits(&self, authorization: &str) -> Option<bool> {
        let sent = authorization.strip_prefix(SCHEME)?;
        Some(self.0.as_bytes().ct_eq(sent.as_bytes()).into())
    }
}

impl std::fmt::Debug for ApiKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("ApiKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_sends_is_what_a_server_admits() {
        let (key, other) = (ApiKey::new(" secret\n").unwrap(), ApiKey::new("other").unwrap());
        let header = key.authorization().unwrap();
        assert_eq!(key.admits(header.to_str().unwrap()), Some(true));
        assert_eq!(other.admits(header.to_str().unwrap()), Some(false));
        assert_eq!(key.admits("Bearer secret"), None);
    }

    #[test]
    fn a_key_is_never_printed() {
        let key = ApiKey::new("hidden").unwrap();
        let printed = format!("{key:?} {:?}", key.authorization().unwrap());
        assert!(!printed.contains("hidden"), "{printed}");
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in ["", " \n", "two words", "ключ"] {
            assert!(ApiKey::new(text).is_err(), "{text:?}");
        }
    }
}
