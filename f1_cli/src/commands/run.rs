//! `f1 run`: run the four nodes from a shell.

/// Arguments of `f1 run`.
#[derive(clap::Args, Debug)]
pub struct Args {}

/// Runs the command.
///
/// # Errors
/// Whatever stops the command, named with its mend.
pub fn run(_args: Args) -> anyhow::Result<()> {
    anyhow::bail!("f1 run is not built yet")
}
