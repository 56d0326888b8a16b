//! Options of commands whose `--model` may be a policy server.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use f1_policy_node::foresight::ServerOptions;

/// How a policy server is used.
#[derive(clap::Args, Debug)]
pub struct ServerArgs {
    /// Where a policy server wants cameras, state and instruction: libero, droid, aloha, metaworld,
    /// bench, or a file. Without it as the server says.
    #[arg(long)]
    pub layout: Option<String>,
    /// A file that holds the API key of a policy server; the environment variable F1_API_KEY may
    /// hold the key itself.
    #[arg(long, value_name = "FILE")]
    pub server_key: Option<PathBuf>,
    /// A file of certificates (PEM) that are trusted for wss://.
    #[arg(long, value_name = "FILE")]
    pub server_ca: Option<PathBuf>,
    /// Seconds that an answer of a policy server is waited for.
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0)]
    pub server_timeout: f64,
    /// Seconds that starting waits until a policy server is reached.
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0)]
    pub server_wait: f64,
}

impl ServerArgs {
    /// The options.
    ///
    /// # Errors
    /// Seconds that are none.
    pub fn options(&self) -> Result<ServerOptions> {
        let seconds = |name: &str, value: f64| {
            Duration::try_from_secs_f64(value)
                .with_context(|| format!("{name} {value}: seconds from 0 up belong there"))
        };
        Ok(ServerOptions {
            layout: self.layout.clone().unwrap_or_default(),
            key_file: self.server_key.clone(),
            authorities: self.server_ca.clone(),
            timeout: seconds("--server-timeout", self.server_timeout)?,
            wait: seconds("--server-wait", self.server_wait)?,
        })
    }
}
