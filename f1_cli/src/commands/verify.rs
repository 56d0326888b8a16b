//! `f1 verify`: compare the network with golden numbers.

/// Arguments of `f1 verify`.
#[derive(clap::Args, Debug)]
pub struct Args {}

/// Runs the command.
///
/// # Errors
/// Whatever stops the command, named with its mend.
pub fn run(_args: Args) -> anyhow::Result<()> {
    anyhow::bail!("f1 verify is not built yet")
}
