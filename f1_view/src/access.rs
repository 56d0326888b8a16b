//! Who may see the page, and who may do what.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, header};
use subtle::ConstantTimeEq as _;

use crate::Command;

/// The site whose web application shows data of robots.
const VIEWER: &str = "foxglove.dev";

/// A secret that is never printed and is compared in constant time.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// A token, without the white space around it.
    ///
    /// # Errors
    /// Fewer than eight characters: it could be guessed.
    pub fn new(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.len() < 8 {
            return Err("the token of the page has fewer than 8 characters".into());
        }
        Ok(Self(text.to_owned()))
    }

    fn is(&self, other: &str) -> bool {
        self.0.as_bytes().ct_eq(other.as_bytes()).into()
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Token(..)")
    }
}

/// Where the page is, and who may change what the robot does.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to listen; port 0 takes a free one.
    pub address: SocketAddr,
    /// Needed for any address but loopback.
    pub token: Option<Token>,
}

impl Settings {
    /// Reads `ADDRESS:PORT`, `ADDRESS` or `PORT`.
    ///
    /// # Errors
    /// The text is none of them.
    pub fn parse(text: &str, token: Option<Token>) -> Result<Self, String> {
        let standard = crate::ADDRESS.rsplit_once(':').map_or("8080", |(_, port)| port);
        let standard: u16 = standard.parse().unwrap_or(8080);
        let address = text
            .parse::<SocketAddr>()
            .or_else(|_| text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, standard)))
            .or_else(|_| text.parse::<u16>().map(|port| SocketAddr::from(([127, 0, 0, 1], port))))
            .map_err(|_| format!("{text} is no address such as {}", crate::ADDRESS))?;
        Ok(Self { address, token })
    }

    /// Whether other machines reach the page.
    #[must_use]
    pub fn is_exposed(&self) -> bool {
        !self.address.ip().is_loopback()
    }

    /// Whether a command may be done. Anyone who sees the page may stop.
    pub(crate) fn allows(&self, command: &Command, token: Option<&str>) -> bool {
        if command.is_free() || !self.is_exposed() {
            return true;
        }
        match (&self.token, token) {
            (Some(wanted), Some(given)) => wanted.is(given),
            _ => false,
        }
    }
}

/// Whether a request comes from this page and not from another site in the same browser.
///
/// A site can give its own name the address of this machine (DNS rebinding): the browser then
/// believes that the page is the site's. The header `Host` still holds the site's name, so that
/// only addresses and this machine's own names are answered. A page of another site that opens the
/// websocket is recognised by its `Origin`.
///
/// # Errors
/// What is wrong, for the answer.
pub(crate) fn check(headers: &HeaderMap, hostname: &str) -> Result<(), &'static str> {
    let text = |name| headers.get(name).and_then(|value: &header::HeaderValue| value.to_str().ok());
    let host = text(header::HOST).ok_or("a request without the header Host\n")?;
    if !is_own_name(host, hostname) {
        return Err("open this page by the machine's address or its own name\n");
    }
    match headers.get(header::ORIGIN) {
        None => Ok(()),
        Some(origin) => match origin.to_str().ok().and_then(|text| text.strip_prefix("http://")) {
            Some(from) if from.eq_ignore_ascii_case(host) => Ok(()),
            _ => Err("pages of other sites may not connect\n"),
        },
    }
}

/// The same for a viewer of data, whose page lies elsewhere: a program (no web origin), a page of
/// this machine, or Foxglove's own site.
///
/// # Errors
/// What is wrong, for the answer.
pub(crate) fn check_viewer(headers: &HeaderMap, hostname: &str) -> Result<(), &'static str> {
    let mut without_origin = headers.clone();
    let origin = without_origin.remove(header::ORIGIN);
    check(&without_origin, hostname)?;
    let Some(origin) = origin else { return Ok(()) };
    let refused = Err("web pages of other sites may not connect\n");
    let Ok(origin) = origin.to_str() else { return refused };
    // `null` is the origin of any site's page in a frame without rights.
    let Some((scheme, host)) = origin.split_once("://") else { return refused };
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    match scheme {
        "http" | "https" => {
            let local = matches!(name, "localhost" | "127.0.0.1" | "[::1]");
            let own = !hostname.is_empty() && name.eq_ignore_ascii_case(hostname);
            let viewer =
                scheme == "https" && (name == VIEWER || name.ends_with(&format!(".{VIEWER}")));
            if local || own || viewer { Ok(()) } else { refused }
        }
        // What a desktop application loads its window from.
        _ => Ok(()),
    }
}

/// Whether a `Host` is an address, `localhost`, or this machine's name.
fn is_own_name(host: &str, hostname: &str) -> bool {
    if host.parse::<SocketAddr>().is_ok() || host.parse::<IpAddr>().is_ok() {
        return true;
    }
    if let Some(inside) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return inside.parse::<IpAddr>().is_ok();
    }
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) => return false,
        None => host,
    };
    let own = [hostname.to_owned(), format!("{hostname}.local"), "localhost".to_owned()];
    own.iter().any(|own| !own.is_empty() && own.eq_ignore_ascii_case(name))
}

/// This machine's name, as the kernel has it.
pub(crate) fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(host: &str, origin: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        headers
    }

    #[test]
    fn only_addresses_and_own_names_are_answered() {
        for host in [
            "127.0.0.1:8080",
            "127.0.0.1",
            "localhost:8080",
            "LOCALHOST",
            "[::1]:8080",
            "[::1]",
            "192.168.1.7:8080",
            "robot:8080",
            "robot.local",
        ] {
            assert!(check(&headers(host, None), "robot").is_ok(), "{host}");
        }
        for host in [
            "evil.example:8080",
            "localhost.evil.example",
            "robot.evil.example",
            "",
            ":8080",
            "127.0.0.1.evil.example",
            "robot:evil",
            "a@127.0.0.1:1",
        ] {
            assert!(check(&headers(host, None), "robot").is_err(), "{host}");
        }
        assert!(check(&headers("", None), "").is_err());
        assert!(check(&HeaderMap::new(), "robot").is_err());
    }

    #[test]
    fn pages_of_other_sites_are_refused() {
        let host = "127.0.0.1:8080";
        assert!(check(&headers(host, Some("http://127.0.0.1:8080")), "robot").is_ok());
        for origin in [
            "http://evil.example",
            "https://127.0.0.1:8080",
            "http://127.0.0.1:9",
            "null",
            "http://127.0.0.1:8080.evil.example",
            "http://localhost:8080",
        ] {
            assert!(check(&headers(host, Some(origin)), "robot").is_err(), "{origin}");
        }
    }

    #[test]
    fn viewers_are_programs_local_pages_and_foxgloves_own() {
        let host = "127.0.0.1:8765";
        let check = |host: &str, origin| check_viewer(&headers(host, origin), "robot").is_ok();
        assert!(check(host, None));
        for origin in [
            "https://app.foxglove.dev",
            "https://foxglove.dev",
            "http://localhost:8080",
            "http://127.0.0.1",
            "http://robot:8080",
            "file://",
            "app://lichtblick",
        ] {
            assert!(check(host, Some(origin)), "{origin}");
        }
        for origin in [
            "null",
            "http://evil.example",
            "https://evil.example:8765",
            "http://app.foxglove.dev",
            "https://notfoxglove.dev",
            "https://foxglove.dev.evil.example",
            "http://localhost.evil.example",
        ] {
            assert!(!check(host, Some(origin)), "{origin}");
        }
        assert!(!check("evil.example", None));
    }

    #[test]
    fn off_loopback_only_stop_is_free() {
        let token = Token::new("a long secret").ok();
        let exposed = Settings::parse("0.0.0.0:8080", token).unwrap();
        let instruction = Command::Instruction { text: "go".into() };
        assert!(exposed.allows(&Command::Stop, None));
        for command in [&Command::Reset, &instruction] {
            assert!(!exposed.allows(command, None));
            assert!(!exposed.allows(command, Some("a long secre")));
            assert!(exposed.allows(command, Some("a long secret")));
        }
        let local = Settings::parse("8080", None).unwrap();
        assert!(local.allows(&instruction, None));
        assert!(Token::new("short").is_err());
        assert!(!format!("{exposed:?}").contains("secret"));
    }

    #[test]
    fn addresses_are_read() {
        let address = |text: &str| Settings::parse(text, None).map(|one| one.address.to_string());
        assert_eq!(address("9000").unwrap(), "127.0.0.1:9000");
        assert_eq!(address("0.0.0.0").unwrap(), "0.0.0.0:8080");
        assert_eq!(address("[::1]:1").unwrap(), "[::1]:1");
        assert!(address("robot:8080").is_err());
    }
}
