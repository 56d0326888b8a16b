//! The options of the live page, for every command that has one.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use f1_view::{Settings, Token};

/// `--view` and its token.
#[derive(clap::Args, Debug, Clone)]
pub struct ViewArgs {
    /// Serve a live page here: an address, a port, or both.
    #[arg(long, value_name = "ADDR", num_args = 0..=1, default_missing_value = f1_view::ADDRESS)]
    view: Option<String>,
    /// A file with the token that instruction and reset need on any address but loopback; the
    /// environment variable F1_VIEW_TOKEN may hold the token itself.
    #[arg(long, value_name = "FILE", requires = "view")]
    view_token: Option<PathBuf>,
}

/// `--foxglove`.
#[derive(clap::Args, Debug, Clone, Copy)]
pub struct FoxgloveArgs {
    /// Serve every topic to Foxglove or Lichtblick on this port of loopback.
    #[arg(long, value_name = "PORT", num_args = 0..=1, default_missing_value = "8765")]
    pub foxglove: Option<u16>,
}

impl ViewArgs {
    /// Where the page is wanted; `None` without `--view`.
    ///
    /// # Errors
    /// An address or a token that cannot be used.
    pub fn settings(&self) -> Result<Option<Settings>> {
        let Some(address) = &self.view else { return Ok(None) };
        let text = match &self.view_token {
            Some(file) => Some(
                std::fs::read_to_string(file)
                    .with_context(|| format!("--view-token {}", file.display()))?,
            ),
            None => std::env::var("F1_VIEW_TOKEN").ok(),
        };
        let token = text.map(|text| Token::new(&text)).transpose().map_err(anyhow::Error::msg)?;
        let settings = Settings::parse(address, token).map_err(anyhow::Error::msg);
        settings.context("--view").map(Some)
    }
}
