//! `f1 doctor`: check what commonly breaks and say how to mend it.

/// Arguments of `f1 doctor`.
#[derive(clap::Args, Debug)]
pub struct Args {}

/// Runs the command.
///
/// # Errors
/// Whatever stops the command, named with its mend.
pub fn run(_args: Args) -> anyhow::Result<()> {
    anyhow::bail!("f1 doctor is not built yet")
}
