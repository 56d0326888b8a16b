//! `f1 record`: record everything in and out as MCAP.

/// Arguments of `f1 record`.
#[derive(clap::Args, Debug)]
pub struct Args {}

/// Runs the command.
///
/// # Errors
/// Whatever stops the command, named with its mend.
pub fn run(_args: Args) -> anyhow::Result<()> {
    anyhow::bail!("f1 record is not built yet")
}
