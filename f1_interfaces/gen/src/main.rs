//! Writes `f1_interfaces/src/generated` anew from the definitions. Run it from anywhere:
//! `cargo run -p f1_interfaces_gen`.

use std::path::Path;
use std::process::ExitCode;

use f1_interfaces_gen::{Error, generate, read};

fn main() -> ExitCode {
    match run() {
        Ok(count) => {
            println!("{count} files");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<usize, Error> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let interfaces = read(&[&here.join("../definitions")], &[&here.join("../../f1_msgs")])?;
    let files = generate(&interfaces)?;
    let folder = here.join("../src/generated");
    let fail = |path: &Path, source| Error::Io { path: path.to_owned(), source };
    if folder.is_dir() {
        std::fs::remove_dir_all(&folder).map_err(|e| fail(&folder, e))?;
    }
    std::fs::create_dir_all(&folder).map_err(|e| fail(&folder, e))?;
    for (name, text) in &files {
        let path = folder.join(name);
        std::fs::write(&path, text).map_err(|e| fail(&path, e))?;
    }
    Ok(files.len())
}
