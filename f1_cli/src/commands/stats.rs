//! `f1 stats`: compute normalisation statistics of a data set.

/// Arguments of `f1 stats`.
#[derive(clap::Args, Debug)]
pub struct Args {}

/// Runs the command.
///
/// # Errors
/// Whatever stops the command, named with its mend.
pub fn run(_args: Args) -> anyhow::Result<()> {
    anyhow::bail!("f1 stats is not built yet")
}
