//! The prepared GPU run, on the processor at toy size.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// `scripts/gpu_run.sh` with these arguments.
fn gpu_run(arguments: &[&str]) -> Output {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    Command::new(root.join("scripts/gpu_run.sh")).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_dry_run_goes_through_all_parts() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let programs = Path::new(env!("CARGO_BIN_EXE_f1")).parent().unwrap();
    // No part needs as long; a busy machine does.
    let minutes = ["--minutes", "60"];
    let places = ["--programs", programs.to_str().unwrap(), "--out", out.to_str().unwrap()];
    let done = gpu_run(&[&["--dry-run"], &minutes[..], &places[..]].concat());
    let said = text(&done.stdout) + &text(&done.stderr);
    let summary = std::fs::read_to_string(out.join("summary.json")).expect(&said);
    let summary: Value = serde_json::from_str(&summary).unwrap();
    let parts = summary["parts"].as_array().unwrap();
    let names: Vec<&str> = parts.iter().map(|part| part["part"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        ["kernels", "verify", "graphs", "bench", "torch", "ncu", "train", "foresight"],
        "{said}"
    );
    for part in parts {
        let (name, state) = (part["part"].as_str().unwrap(), part["state"].as_str().unwrap());
        let log = std::fs::read_to_string(out.join(format!("logs/{name}.log"))).unwrap();
        match name {
            // Their programs are those of tests, PyTorch may be missing, and there is no GPU.
            "kernels" | "graphs" | "torch" | "ncu" => {
                assert!(state == "passed" || state.starts_with("left out: no "), "{part} {log}");
            }
            _ => assert!(state.starts_with("passed"), "{part} {log}"),
        }
    }
    let of = |name: &str| &parts[names.iter().position(|found| *found == name).unwrap()];
    assert!(of("bench")["results"]["toy"]["steady"]["total"]["wall_ms"].as_f64().unwrap() > 0.0);
    assert_eq!(of("train")["results"]["toy"]["updates"], 2);
    assert_eq!(of("foresight")["results"]["stage1"]["updates"], 2);
    assert!(done.status.success(), "{said}");
}

#[test]
fn a_part_that_fails_is_named_and_the_next_one_runs() {
    let folder = tempfile::tempdir().unwrap();
    // A program that fails in every part.
    let program = folder.path().join("f1");
    std::os::unix::fs::symlink("/bin/false", &program).unwrap();
    let out = folder.path().join("out");
    let places = ["--programs", folder.path().to_str().unwrap(), "--out", out.to_str().unwrap()];
    let done = gpu_run(&[&["--dry-run"], &places[..], &["bench", "verify"]].concat());
    let said = text(&done.stdout);
    assert!(!done.status.success(), "{said}");
    // In the order of worth, whatever the order on the command line.
    let (verify, bench) = (said.rfind("verify ").unwrap(), said.rfind("bench ").unwrap());
    assert!(verify < bench && said.matches("failed (1)").count() == 2, "{said}");
}

#[test]
fn wrong_arguments_are_refused_with_what_is_right() {
    for (arguments, expected) in [
        (&["--dry-run", "everything"][..], "parts are kernels verify graphs"),
        (&["--minutes", "soon"][..], "takes a number"),
        (&["--archive"][..], "needs a value"),
        (&["--nonsense"][..], "--help lists them"),
        (&["--dry-run", "--programs", "/nowhere"][..], "no program /nowhere/f1"),
    ] {
        let done = gpu_run(arguments);
        assert!(!done.status.success() && done.stdout.is_empty(), "{arguments:?}");
        assert!(text(&done.stderr).contains(expected), "{}", text(&done.stderr));
    }
}
