//! `f1 inspect`: list a checkpoint's tensors and what is wrong with them.

/// Arguments of `f1 inspect`.
#[derive(clap::Args, Debug)]
pub struct Args {}

/// Runs the command.
///
/// # Errors
/// Whatever stops the command, named with its mend.
pub fn run(_args: Args) -> anyhow::Result<()> {
    anyhow::bail!("f1 inspect is not built yet")
}
