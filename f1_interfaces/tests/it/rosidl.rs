//! ROS 2's own generators take our interface package.

use std::path::Path;
use std::process::Command;

/// Ends of `scripts/check_interfaces.sh`.
const TOOLS_MISSING: i32 = 77;

#[test]
fn ros_generators_take_f1_msgs_where_they_are_installed() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/check_interfaces.sh");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("rosidl");
    let output = Command::new(script).arg(folder).output().unwrap();
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    if output.status.code() == Some(TOOLS_MISSING) {
        eprintln!("not checked: {text}");
        return;
    }
    assert!(output.status.success(), "{text}");
    assert!(text.contains("7 interfaces pass"), "{text}");
}
