//! Addresses of policy servers: `ws://HOST:PORT` and `wss://HOST:PORT`.

use std::net::IpAddr;

use tokio_tungstenite::tungstenite::http::Uri;

/// Where a policy server is. It holds no secret: it is shown in status and logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerAddress {
    uri: Uri,
    host: String,
    port: u16,
    secure: bool,
}

/// Whether a model's name is the address of a policy server.
#[must_use]
pub fn is_server(model: &str) -> bool {
    model.starts_with("ws://") || model.starts_with("wss://")
}

impl ServerAddress {
    /// Reads `ws://HOST:PORT`, with a path if need be; without a port 80, or 443 of `wss://`.
    ///
    /// # Errors
    /// Anything else. A name or key within the address is refused: addresses are shown.
    pub fn parse(text: &str) -> Result<Self, String> {
        let secure = match text.split_once("://") {
            Some(("ws", _)) => false,
            Some(("wss", _)) => true,
            _ => return Err("an address begins with ws:// or wss://".into()),
        };
        let uri: Uri = text.parse().map_err(|_| "no address of the form ws://HOST:PORT")?;
        let authority = uri.authority().ok_or("an address without a host")?;
        if authority.as_str().contains('@') || uri.query().is_some() {
            return Err("an address holds no user, password or key: addresses are shown; the key \
                        belongs into a file (server_key, --server-key) or into F1_API_KEY"
                .into());
        }
        let host = authority.host().trim_matches(&['[', ']'][..]).to_owned();
        if host.is_empty() {
            return Err("an address without a host".into());
        }
        let written = authority.as_str().rsplit_once(':').map(|(_, port)| port);
        let port = match (authority.port_u16(), secure) {
            (Some(port), _) => port,
            (None, _) if written.is_some_and(|port| !port.ends_with(']')) => {
                return Err("a port is a number from 1 to 65535".into());
            }
            (None, false) => 80,
            (None, true) => 443,
        };
        Ok(Self { uri, host, port, secure })
    }

    /// The address as a request needs it.
    #[must_use]
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Name or number of the machine.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether the connection is encrypted.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Whether a key would travel in the open to another machine.
    #[must_use]
    pub fn shows_a_key(&self) -> bool {
        let loopback = self.host == "localhost"
            || self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        !self.secure && !loopback
    }
}

impl std::fmt::Display for ServerAddress {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = self.uri.to_string();
        // An address without a path is written without the slash that stands for it.
        formatter.write_str(text.strip_suffix('/').unwrap_or(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        for (text, host, port, secure) in [
            ("ws://127.0.0.1:8000", "127.0.0.1", 8000, false),
            ("ws://gpu-box:8000/", "gpu-box", 8000, false),
            ("wss://policy.example.org/pi0", "policy.example.org", 443, true),
            ("ws://[::1]:9000", "::1", 9000, false),
            ("ws://[::1]", "::1", 80, false),
        ] {
            let address = ServerAddress::parse(text).unwrap();
            let found = (address.host(), address.port(), address.is_secure());
            assert_eq!(found, (host, port, secure), "{text}");
            assert_eq!(address.to_string(), text.trim_end_matches('/'));
        }
    }

    #[test]
    fn what_is_no_address_or_holds_a_secret_is_refused() {
        for text in [
            "http://gpu-box:8000",
            "gpu-box:8000",
            "ws://",
            "ws://gpu-box:99999",
            "ws://gpu-box:port",
            "ws://user:password@gpu-box:8000",
            "ws://gpu-box:8000/?key=secret",
        ] {
            assert!(ServerAddress::parse(text).is_err(), "{text}");
        }
        assert!(is_server("wss://x") && !is_server("models/ws"));
    }

    #[test]
    fn a_key_is_in_the_open_on_the_way_to_another_machine_only() {
        let shows = |text| ServerAddress::parse(text).unwrap().shows_a_key();
        assert!(shows("ws://gpu-box:8000") && shows("ws://192.168.1.2:8000"));
        for text in ["ws://127.0.0.1:1", "ws://[::1]:1", "ws://localhost:1", "wss://gpu-box"] {
            assert!(!shows(text), "{text}");
        }
    }
}
