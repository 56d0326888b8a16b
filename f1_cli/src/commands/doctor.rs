//! `f1 doctor`: check what commonly breaks and say how to fix it.

mod finding;
mod motion;
mod network;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use f1_model::{Config, DeviceChoice, Dtype, LoadOptions, PromptEncoder};
use f1_policy_node::resources::Resources;
use f1_robot::{Robot, share};

use crate::by_name;

use finding::{Finding, Verdict};

/// Arguments of `f1 doctor`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// A shipped model's name, or a checkpoint folder.
    #[arg(long)]
    model: Option<String>,
    /// A shipped robot's name, or a path to a robot file.
    #[arg(long)]
    robot: Option<String>,
    /// Where the network is to run: `cpu` or `cuda`.
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Write the robot file with collision shapes made from the URDF's meshes to this file, and do
    /// nothing else.
    #[arg(long, value_name = "FILE", requires = "robot")]
    fit_collisions: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command. It fails only when something is broken that stops the policy.
///
/// # Errors
/// What stops the command.
pub fn run(args: Args) -> anyhow::Result<()> {
    if let (Some(output), Some(name)) = (&args.fit_collisions, &args.robot) {
        return motion::fit_collisions(&share::robot_file(name)?, output);
    }
    let mut findings = network::network();
    findings.push(gpu(&args.device));
    let mut find = |check: &'static str,
                    name: &Option<String>,
                    find: fn(&str) -> anyhow::Result<PathBuf>| {
        let Some(name) = name else {
            let fix = format!("f1 doctor --{check} NAME_OR_PATH");
            findings.push(Finding::warning(check, "not checked", fix));
            return None;
        };
        match find(name) {
            Ok(path) => Some(path),
            Err(error) => {
                let fix = format!("give --{check} one of the shipped names, or a path that exists");
                findings.push(Finding::broken(check, format!("{error:#}"), fix));
                None
            }
        }
    };
    let folder = find("model", &args.model, by_name::model);
    let file = find("robot", &args.robot, |name| Ok(share::robot_file(name)?));
    let config = folder.as_deref().and_then(|folder| model(folder, &mut findings));
    if let Some(file) = &file {
        robot(file, folder.as_deref(), config.as_ref(), &mut findings);
    }
    let whole = findings.iter().all(|finding| finding.verdict != Verdict::Broken);
    if let (Some(file), Some(folder), true) = (&file, &folder, whole) {
        findings.push(policy(file, folder, &args.device));
    }
    if args.json {
        print_json(&findings)?;
    } else {
        print_table(&findings);
    }
    let broken = findings.iter().filter(|finding| finding.verdict == Verdict::Broken).count();
    if broken > 0 {
        anyhow::bail!("{broken} of {} checks stop the policy", findings.len());
    }
    Ok(())
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Good => "ok",
        Verdict::Warning => "warning",
        Verdict::Broken => "broken",
    }
}

fn print_table(findings: &[Finding]) {
    for finding in findings {
        println!(
            "{:8} {:16} {}",
            word(finding.verdict),
            finding.check,
            finding.found.replace('\n', "\n  ")
        );
        if !finding.fix.is_empty() {
            println!("{:25} fix: {}", "", finding.fix);
        }
    }
}

fn print_json(findings: &[Finding]) -> anyhow::Result<()> {
    let checks: Vec<_> = findings
        .iter()
        .map(|finding| {
            serde_json::json!({
                "check": finding.check,
                "verdict": word(finding.verdict),
                "found": finding.found,
                "fix": finding.fix,
            })
        })
        .collect();
    let pass = findings.iter().all(|finding| finding.verdict != Verdict::Broken);
    println!(
        "{}",
        serde_json::to_string_pretty(&serde_json::json!({ "pass": pass, "checks": checks }))?
    );
    Ok(())
}

fn gpu(device: &str) -> Finding {
    const CHECK: &str = "gpu";
    let driver = std::fs::read_to_string("/proc/driver/nvidia/version").ok();
    let driver = driver.as_deref().and_then(|text| text.lines().next()).map(str::trim);
    match (device, DeviceChoice::Cuda.open()) {
        (_, Ok(_)) => Finding::good(CHECK, "CUDA device 0 opens"),
        ("cpu", Err(_)) => match driver {
            Some(driver) => Finding::warning(
                CHECK,
                format!("the network is to run on the CPU, but there is a GPU: {driver}"),
                "build with the feature `cuda` and set device to cuda",
            ),
            None => Finding::good(CHECK, "none; the network is to run on the CPU"),
        },
        ("cuda", Err(error)) => Finding::broken(
            CHECK,
            format!("CUDA does not open: {error}"),
            "install NVIDIA's driver and build with the feature `cuda`, or set device to cpu",
        ),
        (other, Err(_)) => {
            Finding::broken(CHECK, format!("device {other:?} is unknown"), "choose cpu or cuda")
        }
    }
}

/// Checks a checkpoint's files; returns its configuration if that can be read.
fn model(folder: &Path, findings: &mut Vec<Finding>) -> Option<Config> {
    let config = match Config::load(folder) {
        Ok(config) => {
            findings.push(Finding::good(
                "model config",
                folder.join("config.json").display().to_string(),
            ));
            config
        }
        Err(error) => {
            let fix = "point --model at the checkpoint's folder; it must hold config.json";
            findings.push(Finding::broken("model config", error.to_string(), fix));
            return None;
        }
    };
    findings.push(match f1_model::inspect::inspect(folder, Some(&config)) {
        Ok(inspection) if inspection.pass => Finding::good(
            "model weights",
            format!("{} tensors fit the configuration", inspection.tensors.len()),
        ),
        Ok(inspection) => {
            let faults: Vec<String> = [
                ("missing", &inspection.missing),
                ("extra", &inspection.extra),
                ("mis-shaped", &inspection.misshaped),
                ("not finite", &inspection.non_finite),
            ]
            .into_iter()
            .filter(|(_, list)| !list.is_empty())
            .map(|(what, list)| format!("{} {what}, first {}", list.len(), list[0]))
            .collect();
            let fix = "`f1 inspect FOLDER` lists them; the weights and config.json must be of one training";
            Finding::broken("model weights", faults.join("; "), fix)
        }
        Err(error) => Finding::broken("model weights", error.to_string(), "copy the checkpoint again"),
    });
    findings.push(tokenizer(folder, &config));
    Some(config)
}

/// Loads the text tokenizer, as the policy does.
fn tokenizer(folder: &Path, config: &Config) -> Finding {
    const CHECK: &str = "text tokenizer";
    let file = folder.join("tokenizer.json");
    let fix = "copy PaliGemma's tokenizer.json into the folder";
    if !file.is_file() {
        return Finding::broken(CHECK, format!("no tokenizer.json in {}", folder.display()), fix);
    }
    let vocabulary = config.understanding.vocab_size;
    match PromptEncoder::load(&file, config.prompt_length, vocabulary) {
        Ok(_) => Finding::good(CHECK, file.display().to_string()),
        Err(error) => Finding::broken(CHECK, format!("{}: {error}", file.display()), fix),
    }
}

fn robot(path: &Path, folder: Option<&Path>, config: Option<&Config>, findings: &mut Vec<Finding>) {
    let robot = match Robot::load(path) {
        Ok(robot) => Arc::new(robot),
        Err(error) => {
            let fix = "correct the lines named; docs/robot_files.md says what each key means";
            return findings.push(Finding::broken("robot file", error.to_string(), fix));
        }
    };
    findings.push(Finding::good(
        "robot file",
        format!("{}: {} joints", robot.file().name, robot.dof()),
    ));
    findings.push(motion::limits(&robot));
    findings.push(motion::clearance(&robot));
    findings.extend(motion::streams(&robot));
    if let Some(config) = config {
        let faults = Resources::mismatches(&robot, config);
        findings.push(if faults.is_empty() {
            Finding::good("robot and model", "state, action and cameras fit")
        } else {
            let fix = "use the checkpoint that was trained for this robot, or change the robot file's cameras, \
                       state and action";
            Finding::broken("robot and model", faults.join("; "), fix)
        });
    }
    let own = robot.file().statistics.path.is_some();
    let Some(folder) = folder.or_else(|| own.then_some(Path::new("."))) else { return };
    let checked = Resources::statistics(&robot, path, folder)
        .and_then(|statistics| Resources::normalisation(&robot, &statistics));
    findings.push(match checked {
        Ok(_) => Finding::good("statistics", format!("{:?}", robot.file().statistics.name)),
        Err(error) => {
            let fix = "`f1 stats DATASET` makes them; `statistics.name` in the robot file picks the entry";
            Finding::broken("statistics", error.to_string(), fix)
        }
    });
}

/// Loads everything as `f1 run` does, where no part was found to be broken.
fn policy(robot: &Path, model: &Path, device: &str) -> Finding {
    const CHECK: &str = "policy";
    let options = match device {
        "cuda" => {
            LoadOptions { device: DeviceChoice::Cuda, dtype: Dtype::Bf16, ..LoadOptions::default() }
        }
        _ => LoadOptions::default(),
    };
    match Resources::load(robot, model, &options) {
        Ok(resources) => Finding::good(CHECK, format!("{resources:?} loads")),
        Err(error) => Finding::broken(
            CHECK,
            error.to_string(),
            "`f1 run` would stay unconfigured with this reason",
        ),
    }
}
