//! `f1 doctor`: check what commonly breaks and say how to fix it.

mod finding;
mod motion;
mod network;

use std::path::{Path, PathBuf};

use f1_model::{Config, DeviceChoice};
use f1_robot::robot_file::CameraRole;
use f1_robot::statistics::StatisticsFile;
use f1_robot::{PolicyShape, Robot};

use crate::share;
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
                findings.push(Finding::broken(check, error.to_string(), fix));
                None
            }
        }
    };
    let folder = find("model", &args.model, share::model);
    let file = find("robot", &args.robot, share::robot_file);
    let config = folder.as_deref().and_then(|folder| model(folder, &mut findings));
    if let Some(file) = file {
        robot(&file, folder.as_deref(), config.as_ref(), &mut findings);
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
    findings.push(if folder.join("tokenizer.json").is_file() {
        Finding::good("text tokenizer", "tokenizer.json is there")
    } else {
        let fix = "copy PaliGemma's tokenizer.json into the folder";
        Finding::broken("text tokenizer", format!("no tokenizer.json in {}", folder.display()), fix)
    });
    Some(config)
}

fn robot(path: &Path, folder: Option<&Path>, config: Option<&Config>, findings: &mut Vec<Finding>) {
    let robot = match Robot::load(path) {
        Ok(robot) => robot,
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
    if let Some(config) = config {
        let shape = PolicyShape {
            max_state_dim: config.max_state_dim,
            max_action_dim: config.max_action_dim,
            cameras: None,
        };
        let mut faults: Vec<String> =
            robot.check_policy(&shape).err().iter().map(ToString::to_string).collect();
        let mut cameras = robot.file().cameras.iter();
        if config.generation.is_some()
            && !cameras.any(|camera| camera.roles.contains(&CameraRole::History))
        {
            faults
                .push("the network predicts images, but no camera has the role history".to_owned());
        }
        findings.push(if faults.is_empty() {
            Finding::good("robot and model", "state, action and cameras fit")
        } else {
            let fix = "use the checkpoint that was trained for this robot, or change the robot file's cameras, state and action";
            Finding::broken("robot and model", faults.join("; "), fix)
        });
    }
    let statistics = &robot.file().statistics;
    let own = statistics.path.as_ref().map(|own| path.parent().unwrap_or(Path::new(".")).join(own));
    if let Some(file) = own.or_else(|| folder.map(|folder| folder.join("stats.json"))) {
        let checked = StatisticsFile::load(&file).and_then(|stats| {
            stats.get(&statistics.name)?.check(robot.file().state_dim(), robot.file().action_dim())
        });
        findings.push(match checked {
            Ok(()) => Finding::good("statistics", format!("{:?} in {}", statistics.name, file.display())),
            Err(error) => {
                let fix =
                    "`f1 stats DATASET` makes them; `statistics.name` in the robot file picks the entry";
                Finding::broken("statistics", error.to_string(), fix)
            }
        });
    }
}
