//! Python environments of the foreign programs that ours are held against. Made once, in the target
//! folder.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The Python of a virtual environment `name` with what `requirements` asks for; made at the first
/// call. The environment variable `variable` names another one, and nothing is made then.
///
/// # Errors
/// The step that failed, with its output.
pub fn python(name: &str, requirements: &Path, variable: &str) -> Result<PathBuf, String> {
    if let Some(python) = std::env::var_os(variable) {
        return Ok(PathBuf::from(python));
    }
    // .../target/release/deps/test-0123: three up is the target folder.
    let program = std::env::current_exe().map_err(|e| e.to_string())?;
    let target = program.ancestors().nth(3).ok_or("the test is not in a target folder")?;
    let folder = target.join(name);
    let python = folder.join("bin/python");
    let wanted = std::fs::read_to_string(requirements).map_err(|e| e.to_string())?;
    let stamp = folder.join("installed.txt");
    // Tests of several programs may come here at once.
    let lock = File::create(target.join(format!("{name}.lock"))).map_err(|e| e.to_string())?;
    lock.lock().map_err(|e| e.to_string())?;
    if std::fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(python);
    }
    step(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    step(
        Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"])
            .arg(requirements),
    )?;
    std::fs::write(&stamp, wanted).map_err(|e| e.to_string())?;
    Ok(python)
}

fn step(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|e| format!("{command:?} does not start: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "{command:?} fails:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    ))
}
