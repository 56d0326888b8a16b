//! The launch files: compiled, loaded and evaluated, with stand-ins where no ROS is sourced.

use std::path::Path;
use std::process::Command;

#[test]
fn the_launch_files_start_what_they_promise() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let python = f1_tests::peer::python().unwrap();
    let output =
        Command::new(python).arg(root.join("tests/launch/test_launch_files.py")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("Ran ") && !text.contains("Ran 0 "), "{text}");
}
