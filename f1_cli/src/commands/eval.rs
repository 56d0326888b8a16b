//! `f1 eval`: measure a checkpoint on a data set.

/// Arguments of `f1 eval`.
#[derive(clap::Args, Debug)]
pub struct Args {}

/// Runs the command.
///
/// # Errors
/// Whatever stops the command, named with its mend.
pub fn run(_args: Args) -> anyhow::Result<()> {
    anyhow::bail!("f1 eval is not built yet")
}
