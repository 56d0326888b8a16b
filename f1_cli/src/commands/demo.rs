//! `f1 demo`: run the simulated bench, the policy and the safety filter, and leave pictures and a recording.

/// Arguments of `f1 demo`.
#[derive(clap::Args, Debug)]
pub struct Args {}

/// Runs the command.
///
/// # Errors
/// Whatever stops the command, named with its mend.
pub fn run(_args: Args) -> anyhow::Result<()> {
    anyhow::bail!("f1 demo is not built yet")
}
