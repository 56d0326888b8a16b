//! `f1 filter`: pass chunks through the safety filter, one request a line.

/// Arguments of `f1 filter`.
#[derive(clap::Args, Debug)]
pub struct Args {}

/// Runs the command.
///
/// # Errors
/// Whatever stops the command, named with its mend.
pub fn run(_args: Args) -> anyhow::Result<()> {
    anyhow::bail!("f1 filter is not built yet")
}
