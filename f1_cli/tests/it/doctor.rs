//! `f1 doctor` on a correct setup and on common faults: each finding says how to fix it,
//! and the exit code says whether the policy can run.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Exit code, findings and what was said on stderr.
fn doctor(arguments: &[&str], environment: &[(&str, &str)]) -> (i32, Value, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_f1"));
    command.arg("doctor").arg("--json").args(arguments).env("F1_SHARE", root());
    for name in [
        "ROS_DOMAIN_ID",
        "RMW_IMPLEMENTATION",
        "ROS_LOCALHOST_ONLY",
        "ROS_AUTOMATIC_DISCOVERY_RANGE",
    ] {
        command.env_remove(name);
    }
    let output = command.envs(environment.iter().copied()).output().unwrap();
    let json = serde_json::from_slice(&output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().unwrap(), json, errors)
}

fn finding<'a>(json: &'a Value, check: &str) -> &'a Value {
    let all = json["checks"].as_array().unwrap();
    all.iter()
        .find(|one| one["check"] == check)
        .unwrap_or_else(|| panic!("no check {check:?} in {json:#}"))
}

#[test]
fn the_shipped_robot_and_model_pass() {
    let (code, json, errors) = doctor(&["--model", "f1_bench", "--robot", "bench_arm"], &[]);
    assert_eq!((code, &json["pass"]), (0, &Value::Bool(true)), "{json:#} {errors}");
    for check in [
        "model config",
        "model weights",
        "text tokenizer",
        "robot file",
        "robot and model",
        "statistics",
    ] {
        assert_eq!(finding(&json, check)["verdict"], "ok", "{json:#}");
    }
    assert_eq!(finding(&json, "domain")["verdict"], "ok");
}

/// Arguments, environment, the check that finds it, a word of the finding and one of the fix.
type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], &'a str, &'a str, &'a str);

#[test]
fn what_is_broken_is_named_with_its_fix_and_fails() {
    let cases: [Case; 9] = [
        (&["--model", "no_such"], &[], "model", "no_such", "shipped names"),
        (&["--robot", "no_such.yaml"], &[], "robot", "no_such.yaml", "shipped names"),
        (
            &["--model", "f1_bench", "--robot", "genie1"],
            &[],
            "robot and model",
            "state",
            "checkpoint",
        ),
        (&["--model", "f1_bench", "--robot", "franka"], &[], "statistics", "libero", "f1 stats"),
        (&["--device", "tpu"], &[], "gpu", "tpu", "cpu or cuda"),
        (&[], &[("ROS_DOMAIN_ID", "500")], "domain", "500", "from 0 to 101"),
        (
            &[],
            &[("RMW_IMPLEMENTATION", "rmw_zenoh_cpp")],
            "rmw",
            "does not speak DDS",
            "rmw_fastrtps_cpp",
        ),
        (&[], &[("ROS_LOCALHOST_ONLY", "yes")], "discovery", "yes", "0 or 1"),
        (&[], &[("ROS_AUTOMATIC_DISCOVERY_RANGE", "OFF")], "discovery", "OFF", "SUBNET"),
    ];
    for (arguments, environment, check, found, fix) in cases {
        let (code, json, errors) = doctor(arguments, environment);
        let finding = finding(&json, check);
        assert_eq!(
            (code, &json["pass"]),
            (1, &Value::Bool(false)),
            "{arguments:?} {environment:?}"
        );
        assert_eq!(finding["verdict"], "broken", "{finding:#}");
        assert!(finding["found"].as_str().unwrap().contains(found), "{finding:#}");
        assert!(finding["fix"].as_str().unwrap().contains(fix), "{finding:#}");
        assert!(errors.contains("stop the policy"), "{errors}");
    }
}

#[test]
fn a_checkpoint_that_lacks_a_file_or_is_cut_short_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let shipped = root().join("models/f1_bench");
    for name in ["config.json", "stats.json"] {
        std::fs::copy(shipped.join(name), folder.path().join(name)).unwrap();
    }
    let weights = std::fs::read(shipped.join("model.safetensors")).unwrap();
    std::fs::write(folder.path().join("model.safetensors"), &weights[..weights.len() / 2]).unwrap();
    let path = folder.path().to_str().unwrap();
    let (code, json, _) = doctor(&["--model", path, "--robot", "bench_arm"], &[]);
    assert_eq!(code, 1);
    for (check, word) in
        [("model weights", "model.safetensors"), ("text tokenizer", "tokenizer.json")]
    {
        let finding = finding(&json, check);
        assert_eq!(finding["verdict"], "broken", "{finding:#}");
        assert!(finding["found"].as_str().unwrap().contains(word), "{finding:#}");
    }
}

/// A copy of the shipped model, changed.
fn changed_model(change: impl FnOnce(&Path)) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(root().join("models/f1_bench")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
        }
    }
    change(folder.path());
    folder
}

#[test]
fn a_tokenizer_that_cannot_be_read_is_broken() {
    for text in ["", "not json", "{}", "[1, 2]"] {
        let folder = changed_model(|folder| {
            std::fs::write(folder.join("tokenizer.json"), text).unwrap();
        });
        let path = folder.path().to_str().unwrap();
        let (code, json, _) = doctor(&["--model", path, "--robot", "bench_arm"], &[]);
        let finding = finding(&json, "text tokenizer");
        assert_eq!((code, &finding["verdict"]), (1, &Value::from("broken")), "{text:?}: {json:#}");
        assert!(finding["found"].as_str().unwrap().contains("tokenizer.json"), "{finding:#}");
    }
}

/// Makes dimensions of the state constant in the statistics; `ignored`: training left them out.
fn constant(folder: &Path, dims: &[usize], ignored: bool) {
    let path = folder.join("stats.json");
    let mut stats: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    for entry in stats.as_object_mut().unwrap().values_mut() {
        let state = &mut entry["observation.state"];
        for dim in dims {
            let mean = state["mean"][*dim].clone();
            for list in ["min", "max", "q01", "q99"] {
                if state[list].is_array() {
                    state[list][*dim] = mean.clone();
                }
            }
            state["std"][*dim] = Value::from(0.0);
        }
        if ignored {
            state["ignored"] = Value::from(dims.to_vec());
        }
    }
    std::fs::write(path, stats.to_string()).unwrap();
}

#[test]
fn what_was_trained_without_a_joint_that_never_moves_passes_and_loads() {
    for dims in [&[2][..], &[0, 7]] {
        let folder = changed_model(|folder| constant(folder, dims, true));
        let path = folder.path().to_str().unwrap();
        let (code, json, errors) = doctor(&["--model", path, "--robot", "bench_arm"], &[]);
        assert_eq!(code, 0, "{json:#} {errors}");
        assert_eq!(finding(&json, "policy")["verdict"], "ok");
        // Without that note it would not run, and doctor says so.
        let folder = changed_model(|folder| constant(folder, dims, false));
        let path = folder.path().to_str().unwrap();
        let (code, json, _) = doctor(&["--model", path, "--robot", "bench_arm"], &[]);
        assert_eq!((code, &finding(&json, "statistics")["verdict"]), (1, &Value::from("broken")));
    }
}

#[test]
fn warnings_alone_do_not_fail() {
    let (code, json, _) = doctor(
        &[],
        &[
            ("ROS_DOMAIN_ID", "150"),
            ("RMW_IMPLEMENTATION", "rmw_unknown"),
            ("ROS_LOCALHOST_ONLY", "1"),
        ],
    );
    assert_eq!(code, 0, "{json:#}");
    for check in ["domain", "rmw", "discovery", "model", "robot"] {
        let finding = finding(&json, check);
        assert_eq!(finding["verdict"], "warning", "{finding:#}");
        assert!(!finding["fix"].as_str().unwrap().is_empty(), "{finding:#}");
    }
}
