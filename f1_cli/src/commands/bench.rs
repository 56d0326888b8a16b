//! `f1 bench`: time the stages of the policy on this machine.

/// Arguments of `f1 bench`.
#[derive(clap::Args, Debug)]
pub struct Args {}

/// Runs the command.
///
/// # Errors
/// Whatever stops the command, named with its mend.
pub fn run(_args: Args) -> anyhow::Result<()> {
    anyhow::bail!("f1 bench is not built yet")
}
