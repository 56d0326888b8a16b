//! `f1 convert`: convert an MCAP recording into a LeRobot data set.

/// Arguments of `f1 convert`.
#[derive(clap::Args, Debug)]
pub struct Args {}

/// Runs the command.
///
/// # Errors
/// Whatever stops the command, named with its mend.
pub fn run(_args: Args) -> anyhow::Result<()> {
    anyhow::bail!("f1 convert is not built yet")
}
