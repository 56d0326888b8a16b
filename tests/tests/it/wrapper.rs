//! The wrapper `./f1` on machines that lack things: what it says, and what it runs.
//!
//! PATH holds links to a few system programs and stand-ins that write down how they were called.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// What every machine has.
const SYSTEM: [&str; 11] =
    ["bash", "sh", "cat", "chmod", "dirname", "env", "grep", "paste", "readlink", "sed", "sort"];

struct Machine {
    folder: TempDir,
}

impl Machine {
    /// A machine with C and C++ compilers, pkg-config, apt-get and a root user, and nothing else.
    fn new() -> Self {
        let machine = Machine { folder: tempfile::tempdir().unwrap() };
        fs::create_dir_all(machine.bin()).unwrap();
        fs::create_dir_all(machine.cargo_bin()).unwrap();
        for name in SYSTEM {
            let found = ["/bin", "/usr/bin"].map(|folder| Path::new(folder).join(name));
            let program = found.iter().find(|program| program.exists()).unwrap();
            std::os::unix::fs::symlink(program, machine.bin().join(name)).unwrap();
        }
        for name in ["cc", "c++", "pkg-config", "apt-get", "curl"] {
            machine.stand_in(&machine.bin(), name, "");
        }
        machine.stand_in(&machine.bin(), "id", "echo 0");
        machine.packages(&["build-essential"]);
        machine
    }

    fn bin(&self) -> PathBuf {
        self.folder.path().join("bin")
    }

    fn cargo_bin(&self) -> PathBuf {
        self.folder.path().join("home/.cargo/bin")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// A program that writes its name and arguments to the log and then does `body`.
    fn stand_in(&self, folder: &Path, name: &str, body: &str) {
        let program = folder.join(name);
        let log = self.log();
        let text = format!("#!/bin/bash\necho \"{name} $*\" >>{}\n{body}\n", log.display());
        fs::write(&program, text).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// What apt could install. As on Debian 12, `apt-cache show` finds every name, because other
    /// packages mention it.
    fn packages(&self, names: &[&str]) {
        let known = names.join(" | ");
        let body = format!(
            "[[ $1 == policy ]] || exit 0\n\
             case $2 in {known}) echo '  Candidate: 1.2' ;; *) echo '  Candidate: (none)' ;; esac"
        );
        self.stand_in(&self.bin(), "apt-cache", &body);
    }

    fn without(&self, name: &str) {
        fs::remove_file(self.bin().join(name)).unwrap();
    }

    /// rustup and cargo as their installer would leave them; the toolchain is there once installed.
    fn rustup(&self, folder: &Path) {
        let marker = self.folder.path().join("toolchain");
        let body = format!(
            "case $1 in run) [[ -e {0} ]] ;; toolchain) echo >{0} ;; esac",
            marker.display()
        );
        self.stand_in(folder, "rustup", &body);
        self.stand_in(folder, "cargo", "");
    }

    fn run(&self, arguments: &[&str], environment: &[(&str, &str)]) -> (Output, Vec<String>) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let output = Command::new(self.bin().join("bash"))
            .arg(root.join("f1"))
            .args(arguments)
            .env_clear()
            .env("PATH", self.bin())
            .env("HOME", self.folder.path().join("home"))
            .env("CARGO_TARGET_DIR", self.folder.path().join("target"))
            .env("F1_BUILD", "cpu")
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        // Questions about the machine are not what is looked for.
        let calls = log
            .lines()
            .filter(|line| {
                !["id ", "apt-cache ", "rustup run "].iter().any(|skip| line.starts_with(skip))
            })
            .map(str::to_owned)
            .collect();
        (output, calls)
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn without_a_terminal_nothing_is_installed_by_itself() {
    let machine = Machine::new();
    machine.without("cc");
    let (output, calls) = machine.run(&["build"], &[]);
    let text = stderr(&output);
    assert!(!output.status.success());
    for part in ["build-essential", "https://sh.rustup.rs", "rustup toolchain install", "--yes"] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
    assert!(calls.is_empty(), "{calls:?}");
}

#[test]
fn with_yes_it_installs_what_it_named_and_builds() {
    for (arguments, environment) in
        [(vec!["--yes", "build"], vec![]), (vec!["build"], vec![("F1_YES", "1")])]
    {
        let machine = Machine::new();
        machine.without("cc");
        // The installer that curl brings makes rustup and cargo in ~/.cargo/bin.
        let ready = machine.folder.path().join("ready");
        fs::create_dir(&ready).unwrap();
        machine.rustup(&ready);
        let installer = format!(
            "echo 'for tool in rustup cargo; do cat {0}/$tool >~/.cargo/bin/$tool; \
             chmod 755 ~/.cargo/bin/$tool; done'",
            ready.display()
        );
        machine.stand_in(&machine.bin(), "curl", &installer);
        let (output, calls) = machine.run(&arguments, &environment);
        let text = stderr(&output);
        assert!(output.status.success(), "{text}");
        let named = text.find("this is missing").unwrap();
        assert!(named < text.find("installing").unwrap(), "{text}");
        let expected = [
            "apt-get update",
            "apt-get install -y -qq --no-install-recommends build-essential",
            "curl --proto =https --tlsv1.2 -sSf https://sh.rustup.rs",
            "rustup toolchain install",
            "cargo build --locked --release",
        ];
        let found = expected.map(|start| calls.iter().position(|call| call.starts_with(start)));
        assert!(found.iter().all(Option::is_some), "{calls:#?}");
        assert!(found.is_sorted(), "{calls:#?}");
    }
}

#[test]
fn a_packaged_rustup_is_preferred_to_its_installer() {
    let machine = Machine::new();
    machine.packages(&["build-essential", "rustup"]);
    let (output, _) = machine.run(&["build"], &[]);
    let text = stderr(&output);
    assert!(text.contains("apt-get install rustup"), "{text}");
    assert!(!text.contains("sh.rustup.rs"), "{text}");
}

#[test]
fn a_machine_that_has_all_is_asked_nothing() {
    let machine = Machine::new();
    machine.rustup(&machine.cargo_bin());
    fs::write(machine.folder.path().join("toolchain"), "").unwrap();
    let (output, calls) = machine.run(&["build"], &[]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(calls.iter().all(|call| call.starts_with("cargo build ")), "{calls:?}");
    assert!(!stderr(&output).contains("missing"), "{}", stderr(&output));
}

#[test]
fn f1_no_install_names_what_is_missing() {
    let machine = Machine::new();
    let (output, calls) = machine.run(&["build"], &[("F1_NO_INSTALL", "1"), ("F1_YES", "1")]);
    assert!(!output.status.success());
    assert!(stderr(&output).contains("https://sh.rustup.rs"), "{}", stderr(&output));
    assert!(calls.is_empty(), "{calls:?}");
}

#[test]
fn a_mistyped_command_is_refused_before_anything_is_installed() {
    let machine = Machine::new();
    for arguments in [&["demm"][..], &["build", "--fast"], &["--yes", "demm"]] {
        let (output, calls) = machine.run(arguments, &[]);
        assert!(!output.status.success());
        assert!(stderr(&output).contains(arguments.last().unwrap()), "{}", stderr(&output));
        assert!(calls.is_empty(), "{calls:?}");
    }
}
