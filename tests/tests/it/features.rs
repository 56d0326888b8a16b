//! Programs and tests are built from the same packages with the same features: `./f1 build`
//! and `./f1 test` then share one build, and so do `.ci/run` and `scripts/package.sh`.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use f1_tests::documents::root;

/// Each package, by name and version, with the sets of features that it is built with.
fn features(arguments: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--prefix", "none"])
        .args(["--format", "{p}|{f}"])
        .args(arguments)
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        // Blank lines stand between the packages of a workspace.
        let Some((package, features)) = line.split_once('|') else { continue };
        // `name v1.2.3 (proc-macro)`
        let name = package.split(" (").next().unwrap().to_owned();
        found.entry(name).or_default().insert(features.trim_end_matches(" (*)").to_owned());
    }
    found
}

#[test]
fn programs_and_tests_share_one_build_of_every_package() {
    let wrapper = std::fs::read_to_string(root().join("f1")).unwrap();
    // `-p f1_cli -p f1_sim --bins`, as ./f1 builds.
    let line = wrapper.lines().find(|line| line.contains("--bins")).unwrap();
    let mut built: Vec<&str> =
        line.split_whitespace().take_while(|word| *word != "--bins").collect();
    assert!(built.contains(&"f1_cli"), "{line}");
    built.extend(["--edges", "normal,build"]);
    let programs = features(&built);
    let tests = features(&["--workspace", "--edges", "normal,build,dev"]);
    assert!(programs.len() > 100, "only {} dependencies were found", programs.len());
    let differ: Vec<String> = programs
        .iter()
        .filter(|(package, sets)| tests.get(*package) != Some(*sets))
        .map(|(package, sets)| format!("{package}: {sets:?}, in tests {:?}", tests.get(package)))
        .collect();
    assert!(
        differ.is_empty(),
        "turn these features on in f1_cli/Cargo.toml:\n{}",
        differ.join("\n")
    );
}
