//! `f1 verify`: compare the network with golden numbers.

use std::path::PathBuf;

use super::bench::DeviceArg;

/// Arguments of `f1 verify`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// A golden directory, or the parent of several (with `utils` and `vae_debug` beside them).
    #[arg(long, value_name = "DIR")]
    goldens: PathBuf,
    /// Where the network computes; on a GPU absolute tolerances in f32 are at least 1e-3.
    #[arg(long, value_enum, default_value = "cpu")]
    device: DeviceArg,
    /// Print one JSON object on stdout instead of a table.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// Whatever stops the command, and any number out of tolerance.
pub fn run(args: Args) -> anyhow::Result<()> {
    let report = f1_verify::verify_on(&args.goldens, &args.device.choice().open()?)?;
    if args.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        let width = report.families.iter().map(|family| family.name.len()).max().unwrap_or(0);
        println!("{:width$}  tensors  max error   tolerance   verdict", "family");
        for family in &report.families {
            println!(
                "{:width$}  {:7}  {:9.2e}  {:10.2e}  {}",
                family.name,
                family.tensors,
                family.max_abs_err,
                family.tolerance,
                if family.pass { "ok" } else { "FAIL" }
            );
        }
        for name in &report.left {
            println!("not compared: {name}");
        }
        println!(
            "{}: {} tensors compared, {} not compared",
            if report.pass { "pass" } else { "FAIL" },
            report.compared,
            report.not_compared
        );
    }
    anyhow::ensure!(report.pass, "numbers are out of tolerance");
    Ok(())
}
