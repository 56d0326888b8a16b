//! What is asked of the hub over HTTP.

use serde::Deserialize;
use serde_json::Value;
use ureq::http::{Response, StatusCode, header};
use ureq::{Agent, Body};

use crate::name::{is_commit, is_hex, is_inside};
use crate::{HubError, HubName, RepoKind, Settings};

/// Longest answer that is no file, in bytes.
const ANSWER: u64 = 64 << 20;

/// What a file must hash to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Digest {
    /// SHA-256 of the contents: a large file.
    Sha256(String),
    /// Git's object name: SHA-1 of a header with the size, and the contents.
    Git(String),
}

impl Digest {
    /// The hexadecimal digits, which name the file in the cache.
    #[must_use]
    pub fn hex(&self) -> &str {
        match self {
            Self::Sha256(hex) | Self::Git(hex) => hex,
        }
    }
}

/// A file that a repository lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteFile {
    /// Path in the repository; it stays inside.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Checksum.
    pub digest: Digest,
}

/// A repository at a commit.
#[derive(Debug, Clone)]
pub struct Repository {
    /// The commit that the revision stands for.
    pub commit: String,
    /// The licence, where the repository names one.
    pub licence: Option<String>,
    /// All files.
    pub files: Vec<RemoteFile>,
}

#[derive(Deserialize)]
struct Info {
    sha: String,
    #[serde(rename = "cardData", default)]
    card: Value,
    #[serde(default)]
    tags: Vec<String>,
}

#[derive(Deserialize)]
struct Entry {
    r#type: String,
    path: String,
    #[serde(default)]
    oid: String,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    oid: String,
    size: u64,
}

/// The hub, asked as one user.
pub(crate) struct Client {
    pub settings: Settings,
    agent: Agent,
}

impl Client {
    pub fn new(settings: Settings) -> Self {
        let agent = Agent::config_builder()
            // A refusal's text says more than its number.
            .http_status_as_error(false)
            .timeout_connect(Some(settings.silence))
            .timeout_per_read(Some(settings.silence))
            .timeout_recv_response(Some(settings.silence))
            .user_agent(concat!("f1_policy/", env!("CARGO_PKG_VERSION")))
            .build();
        // The token stays with the endpoint: redirects to storage elsewhere carry none (ureq's
        // default for redirects).
        Self { settings, agent: agent.into() }
    }

    /// Lists a repository.
    ///
    /// # Errors
    /// No connection, a refusal, no such repository or revision, names that cannot be trusted.
    pub fn repository(&self, name: &HubName) -> Result<Repository, HubError> {
        let base =
            format!("{}/api/{}/{}", self.settings.endpoint, name.kind.plural(), name.repository);
        let url = format!("{base}/revision/{}", encoded(&name.revision, false));
        let (info, _) = self.json::<Info>(name, &url)?;
        let hostile = |what: &str| HubError::Hostile { name: name.to_string(), what: what.into() };
        if !is_commit(&info.sha) {
            return Err(hostile(&info.sha));
        }
        let mut next = Some(format!("{base}/tree/{}?recursive=true", info.sha));
        let mut files = Vec::new();
        while let Some(url) = next {
            let (entries, link) = self.json::<Vec<Entry>>(name, &url)?;
            for entry in entries.into_iter().filter(|entry| entry.r#type == "file") {
                if !is_inside(&entry.path) {
                    return Err(hostile(&entry.path));
                }
                let (size, digest) = match entry.lfs {
                    Some(lfs) => (lfs.size, Digest::Sha256(lfs.oid)),
                    None => (entry.size, Digest::Git(entry.oid)),
                };
                let digits = if matches!(digest, Digest::Git(_)) { 40 } else { 64 };
                if digest.hex().len() != digits || !is_hex(digest.hex()) {
                    return Err(hostile(digest.hex()));
                }
                files.push(RemoteFile { path: entry.path, size, digest });
            }
            next = link;
        }
        Ok(Repository { commit: info.sha, licence: licence(&info.card, &info.tags), files })
    }

    /// Opens a file from a byte on. The answer's status says whether it begins there (206) or at
    /// the file's beginning (200).
    ///
    /// # Errors
    /// No connection, a refusal, no such file.
    pub fn open(
        &self,
        name: &HubName,
        commit: &str,
        path: &str,
        from: u64,
    ) -> Result<Response<Body>, HubError> {
        let kind = if name.kind == RepoKind::Dataset { "datasets/" } else { "" };
        let (endpoint, path) = (&self.settings.endpoint, encoded(path, true));
        let url = format!("{endpoint}/{kind}{}/resolve/{commit}/{path}", name.repository);
        self.get(name, &url, from)
    }

    /// The page of a repository, for people.
    pub fn page(&self, name: &HubName) -> String {
        let kind = if name.kind == RepoKind::Dataset { "datasets/" } else { "" };
        format!("{}/{kind}{}", self.settings.endpoint, name.repository)
    }

    /// An answer, and the address of its next part.
    fn json<T: serde::de::DeserializeOwned>(
        &self,
        name: &HubName,
        url: &str,
    ) -> Result<(T, Option<String>), HubError> {
        let mut attempt = 0;
        let (link, text) = loop {
            let outcome = self.get(name, url, 0).and_then(|mut answer| {
                let link = answer.headers().get(header::LINK);
                let link = link.and_then(|value| value.to_str().ok()).and_then(next_page);
                let text = answer.body_mut().with_config().limit(ANSWER).read_to_string();
                Ok((link, text.map_err(|error| connection(url, &error))?))
            });
            match outcome {
                Err(HubError::Connection { .. }) if attempt + 1 < self.settings.attempts => {
                    std::thread::sleep(self.settings.pause * 2u32.pow(attempt));
                    attempt += 1;
                }
                other => break other?,
            }
        };
        let read = serde_json::from_str(&text);
        let value = read.map_err(|error| HubError::Answer {
            url: url.to_owned(),
            what: format!("this is no answer of the hub's API: {error}"),
        })?;
        // The token goes with each page: none may lie elsewhere.
        let inside = |url: &String| url.starts_with(&format!("{}/", self.settings.endpoint));
        match link {
            Some(link) if !inside(&link) => Err(HubError::Answer {
                url: url.to_owned(),
                what: format!("its next page is {link}, which is not on this server"),
            }),
            link => Ok((value, link)),
        }
    }

    /// Asks once.
    fn get(&self, name: &HubName, url: &str, from: u64) -> Result<Response<Body>, HubError> {
        let mut request = self.agent.get(url);
        if let Some(token) = &self.settings.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if from > 0 {
            request = request.header(header::RANGE, format!("bytes={from}-"));
        }
        let answer = request.call().map_err(|error| connection(url, &error))?;
        let status = answer.status();
        match status {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
                Ok(answer)
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
                Err(HubError::Connection { url: url.into(), what: format!("status {status}") })
            }
            _ if status.is_server_error() => {
                Err(HubError::Connection { url: url.into(), what: format!("status {status}") })
            }
            _ => Err(self.refusal(name, url, &answer)),
        }
    }

    fn refusal(&self, name: &HubName, url: &str, answer: &Response<Body>) -> HubError {
        let header = |key: &str| {
            let value = answer.headers().get(key).and_then(|value| value.to_str().ok());
            value.map(|value| value.chars().take(300).collect::<String>())
        };
        let status = answer.status();
        let endpoint = self.settings.endpoint.clone();
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => HubError::Refused {
                name: name.to_string(),
                endpoint,
                status: status.as_u16(),
                reason: header("x-error-message").unwrap_or_else(|| "no reason given".into()),
                page: self.page(name),
            },
            StatusCode::NOT_FOUND => {
                let what = match header("x-error-code").as_deref() {
                    Some("RevisionNotFound") => format!("revision: {}", name.revision),
                    Some("EntryNotFound") => format!("file: {url}"),
                    _ => "repository".into(),
                };
                HubError::NotFound { name: name.to_string(), endpoint, what }
            }
            _ => HubError::Answer { url: url.to_owned(), what: format!("status {status}") },
        }
    }
}

/// For what may go better at the next attempt.
pub(crate) fn connection(url: &str, error: &dyn std::fmt::Display) -> HubError {
    HubError::Connection { url: url.to_owned(), what: error.to_string() }
}

/// The licence that a repository's card or its tags name.
fn licence(card: &Value, tags: &[String]) -> Option<String> {
    let named = match &card["license"] {
        Value::String(name) => Some(name.clone()),
        Value::Array(names) => {
            let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
            (!names.is_empty()).then(|| names.join(", "))
        }
        _ => tags.iter().find_map(|tag| tag.strip_prefix("license:")).map(str::to_owned),
    }?;
    // `other` has its name beside it.
    let own = card["license_name"].as_str().filter(|_| named == "other");
    let text = own.map_or(named.clone(), str::to_owned);
    Some(text.chars().filter(|letter| !letter.is_control()).take(200).collect())
}

/// The address with `rel="next"` of a `Link` header.
fn next_page(link: &str) -> Option<String> {
    link.split(',').find_map(|part| {
        let (address, what) = part.split_once('>')?;
        what.contains("rel=\"next\"").then(|| address.trim().trim_start_matches('<').to_owned())
    })
}

/// Percent-encodes what may not stand in an address; slashes stay where `path` says so.
fn encoded(text: &str, path: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            b'/' if path => out.push('/'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn licences_are_found_in_card_and_tags() {
        let none: Vec<String> = Vec::new();
        let tags = vec!["region:us".to_owned(), "license:mit".to_owned()];
        assert_eq!(
            licence(&json!({"license": "cc-by-nc-sa-4.0"}), &tags).unwrap(),
            "cc-by-nc-sa-4.0"
        );
        assert_eq!(licence(&Value::Null, &tags).unwrap(), "mit");
        let own = json!({"license": "other", "license_name": "gemma"});
        assert_eq!(licence(&own, &none).unwrap(), "gemma");
        assert_eq!(licence(&json!({}), &none), None);
    }

    #[test]
    fn the_next_page_is_that_of_the_header() {
        let link = "<http://a/x?cursor=b>; rel=\"next\"";
        assert_eq!(next_page(link).as_deref(), Some("http://a/x?cursor=b"));
        assert_eq!(next_page("<http://a>; rel=\"prev\""), None);
    }

    #[test]
    fn addresses_are_encoded() {
        assert_eq!(encoded("refs/pr/1", false), "refs%2Fpr%2F1");
        assert_eq!(encoded("a b/ü?#.json", true), "a%20b/%C3%BC%3F%23.json");
    }
}
