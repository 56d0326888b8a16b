//! Programs whose output is not read any more: they end silently.

use std::path::Path;
use std::process::{Command, Stdio};

/// 128 + SIGPIPE.
const CLOSED: i32 = 141;

fn program(path: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(path);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    command.args(arguments).env("F1_SHARE", root).env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

/// A pipe that is already closed on the reader's side.
fn closed() -> std::io::PipeWriter {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer
}

#[test]
fn a_closed_pipe_ends_a_command_silently() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let model = root.join("models/f1_bench").display().to_string();
    let f1 = env!("CARGO_BIN_EXE_f1");
    let node = env!("CARGO_BIN_EXE_f1_policy_node");
    let cases: [(&str, &[&str]); 8] = [
        (f1, &["inspect", &model]),
        (f1, &["inspect", &model, "--json"]),
        (f1, &["doctor"]),
        (f1, &["doctor", "--json"]),
        (f1, &["filter", "--robot", "bench_arm", "--limits"]),
        (node, &["--print-topics"]),
        (node, &["--print-parameters"]),
        (node, &["--help"]),
    ];
    for (path, arguments) in cases {
        let output =
            program(path, arguments).stdout(closed()).stderr(Stdio::piped()).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), errors.as_str()), (Some(CLOSED), ""), "{arguments:?}");
    }
}

#[test]
fn a_closed_stderr_changes_no_outcome() {
    for (arguments, code) in [(&["inspect", "no_such_folder"][..], 1), (&["doctor"][..], 0)] {
        let f1 = env!("CARGO_BIN_EXE_f1");
        let output = program(f1, arguments)
            .env("RUST_LOG", "trace")
            .stdout(Stdio::piped())
            .stderr(closed())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
    }
}
