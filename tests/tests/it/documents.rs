//! README, docs, model cards and comments name only what exists: files, links, cargo targets and
//! features, launch files and their arguments, ROS types, environment variables.
//!
//! Commands of the program `f1` are checked in f1_cli, against its own command line.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use f1_tests::documents::{Command, Document, OUTPUTS, documents, files, root};
use serde_json::Value;

fn report(faults: Vec<String>) {
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

fn all_commands(documents: &[Document]) -> Vec<Command> {
    documents.iter().flat_map(Document::commands).collect()
}

/// Whether a path is one that a run or a build writes.
fn is_output(path: &str) -> bool {
    OUTPUTS.contains(&path.split('/').next().unwrap_or_default())
}

/// Whether a path of the repository exists; `*` stands for any part of a name, `{a,b}` for
/// either.
fn exists(path: &str) -> bool {
    // A clone's own folder, as README names it.
    let path = path.strip_prefix("f1_policy/").unwrap_or(path);
    if let Some((before, rest)) = path.split_once('{')
        && let Some((choices, after)) = rest.split_once('}')
    {
        return choices.split(',').all(|choice| exists(&format!("{before}{choice}{after}")));
    }
    let mut found = vec![root()];
    for part in path.trim_end_matches('/').split('/') {
        let matching = |folder: &Path| {
            let Some((start, end)) = part.split_once('*') else {
                let path = folder.join(part);
                return if path.exists() { vec![path] } else { Vec::new() };
            };
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            let named = entries.filter(|entry| {
                let name = entry.file_name().to_string_lossy().into_owned();
                name.len() >= start.len() + end.len()
                    && name.starts_with(start)
                    && name.ends_with(end)
            });
            named.map(|entry| entry.path()).collect()
        };
        found = found.iter().flat_map(|folder| matching(folder)).collect();
    }
    !found.is_empty()
}

/// The packages of the workspace as cargo sees them, by name.
fn packages() -> BTreeMap<String, Value> {
    let output = std::process::Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    packages.iter().map(|p| (p["name"].as_str().unwrap().to_owned(), p.clone())).collect()
}

fn has_target(package: &Value, kind: &str, name: &str) -> bool {
    package["targets"].as_array().unwrap().iter().any(|target| {
        target["name"] == name && target["kind"].as_array().unwrap().iter().any(|k| k == kind)
    })
}

/// `feature` of `package`, or `package/feature`.
fn has_feature(packages: &BTreeMap<String, Value>, chosen: &[&Value], feature: &str) -> bool {
    match feature.split_once('/') {
        Some((package, feature)) => {
            packages.get(package).is_some_and(|p| p["features"].get(feature).is_some())
        }
        None => chosen.iter().any(|p| p["features"].get(feature).is_some()),
    }
}

/// Whether every part of a test filter (`kernels::cuda`) is a file, a module or a part of a
/// function's name in the package.
fn matches_tests(package: &Value, filter: &str) -> bool {
    let folder = Path::new(package["manifest_path"].as_str().unwrap()).parent().unwrap();
    let sources = files(folder, "rs", false).unwrap();
    filter.split("::").all(|part| {
        sources.iter().any(|path| {
            path.components().any(|c| c.as_os_str().to_string_lossy().contains(part))
                || std::fs::read_to_string(path)
                    .unwrap()
                    .lines()
                    .any(|line| line.trim_start().starts_with("fn ") && line.contains(part))
        })
    })
}

/// What is wrong with one cargo command.
fn cargo_faults(packages: &BTreeMap<String, Value>, words: &[String]) -> Vec<String> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    if words.get(1).is_some_and(|word| word.starts_with('+')) && words.get(2) == Some(&"fuzz") {
        let Some(name) = words.get(4) else { return Vec::new() };
        let held = packages.keys().any(|package| {
            root().join(package).join(format!("fuzz/fuzz_targets/{name}.rs")).is_file()
        });
        return if held { Vec::new() } else { vec![format!("no fuzz target {name}")] };
    }
    let mut faults = Vec::new();
    let ours: Vec<&str> = words.iter().copied().take_while(|word| *word != "--").collect();
    let behind = words.iter().copied().skip_while(|word| *word != "--").skip(1);
    let value = |index: usize| ours.get(index + 1).copied().unwrap_or_default();
    let mut chosen: Vec<&Value> = Vec::new();
    for (index, word) in ours.iter().enumerate() {
        if *word == "-p" || *word == "--package" {
            match packages.get(value(index)) {
                Some(package) => chosen.push(package),
                None => faults.push(format!("no package {}", value(index))),
            }
        }
    }
    if chosen.is_empty() {
        chosen = packages.values().collect();
    }
    let mut takes_value = false;
    let mut filters = Vec::new();
    for (index, word) in ours.iter().enumerate().skip(2) {
        if std::mem::take(&mut takes_value) {
            continue;
        }
        let kind = match *word {
            "--example" => "example",
            "--bench" => "bench",
            "--test" => "test",
            "--bin" => "bin",
            _ => "",
        };
        takes_value =
            !kind.is_empty() || ["-p", "--package", "--features", "--root"].contains(word);
        if !kind.is_empty() && !chosen.iter().any(|p| has_target(p, kind, value(index))) {
            faults.push(format!("no {kind} {}", value(index)));
        }
        if *word == "--features" {
            for feature in value(index).split(',') {
                if !has_feature(packages, &chosen, feature) {
                    faults.push(format!("no feature {feature}"));
                }
            }
        }
        if !word.starts_with('-') && ["test", "bench"].contains(&ours[1]) && !takes_value {
            filters.push(*word);
        }
    }
    if ours.get(1) == Some(&"test") {
        filters.extend(behind.filter(|word| !word.starts_with('-')));
    }
    for filter in filters {
        if !chosen.iter().any(|package| matches_tests(package, filter)) {
            faults.push(format!("no test matches {filter}"));
        }
    }
    faults
}

#[test]
fn every_cargo_command_names_targets_and_features_that_exist() {
    let packages = packages();
    let mut faults = Vec::new();
    let mut count = 0;
    for command in all_commands(&documents().unwrap()) {
        if command.words[0] == "cargo" && command.words.len() > 1 {
            count += 1;
            faults.extend(
                cargo_faults(&packages, &command.words).iter().map(|fault| {
                    format!("{}: {fault}: {}", command.place, command.words.join(" "))
                }),
            );
        }
    }
    assert!(count > 10, "only {count} cargo commands were found");
    report(faults);
}

#[test]
fn every_link_leads_somewhere() {
    let documents = documents().unwrap();
    let anchors: BTreeMap<_, _> =
        documents.iter().map(|document| (document.path.clone(), document.anchors())).collect();
    let mut faults = Vec::new();
    let mut count = 0;
    for document in documents.iter().filter(|d| d.path.extension().is_some_and(|e| e == "md")) {
        for link in document.links() {
            count += 1;
            let (file, anchor) = link.text.split_once('#').unwrap_or((&link.text, ""));
            let folder = document.path.parent().unwrap();
            let target = if file.is_empty() { document.path.clone() } else { folder.join(file) };
            let target = normal(&target);
            if !root().join(&target).exists() {
                faults.push(format!("{}: no file {}", link.place, link.text));
            } else if !anchor.is_empty()
                && anchors.get(&target).is_some_and(|all| !all.iter().any(|a| a == anchor))
            {
                faults.push(format!("{}: no heading {}", link.place, link.text));
            }
        }
    }
    assert!(count > 20, "only {count} links were found");
    report(faults);
}

/// A relative path without `..`.
fn normal(path: &Path) -> std::path::PathBuf {
    let mut parts: Vec<_> = Vec::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => {
                parts.pop();
            }
            std::path::Component::CurDir => {}
            other => parts.push(other),
        }
    }
    parts.iter().collect()
}

/// Whether a word is written as a path of this repository, by its first part.
fn is_our_path(word: &str) -> bool {
    let Some((first, rest)) = word.split_once('/') else { return false };
    let plain = |c: char| c.is_alphanumeric() || "_-./*{},".contains(c);
    !rest.starts_with('/')
        && word.chars().all(plain)
        && !is_output(word)
        && (first.starts_with("f1_") || [".ci", ".github"].contains(&first) || {
            !first.is_empty() && !first.starts_with('.') && root().join(first).is_dir()
        })
}

#[test]
fn every_path_exists() {
    let documents = documents().unwrap();
    let packages = packages();
    let mut words: Vec<(String, String)> = Vec::new();
    for document in &documents {
        for span in document.spans() {
            words.extend(span.text.split_whitespace().map(|w| (span.place.clone(), w.to_owned())));
        }
        for command in document.commands() {
            words.extend(command.words.into_iter().map(|word| (command.place.clone(), word)));
        }
    }
    let mut faults = BTreeSet::new();
    let mut count = 0;
    for (place, word) in words {
        let word = word.trim_end_matches(['.', ',', ';', ':', ')']).trim_start_matches("./");
        // `--features f1_cli/cuda,...` and `f1_msgs/ActionChunk` are written like paths.
        let is_feature =
            word.split(',').all(|part| part.contains('/') && has_feature(&packages, &[], part));
        if !is_our_path(word) || is_feature || is_interface(word) {
            continue;
        }
        count += 1;
        // A file that the reader makes.
        let is_made =
            ["my_", "mine", "DIR", "NAME", "FOLDER"].iter().any(|part| word.contains(part));
        if !is_made && !exists(word) {
            faults.insert(format!("{place}: no {word}"));
        }
    }
    assert!(count > 60, "only {count} paths were found");
    report(faults.into_iter().collect());
}

#[test]
fn every_source_names_pages_and_scripts_that_exist() {
    let mut faults = BTreeSet::new();
    let mut sources = Vec::new();
    for kind in ["rs", "py", "toml", "sh", "yaml", "xml", "cu", "cuh", "txt"] {
        sources.extend(files(&root(), kind, false).unwrap());
    }
    for path in sources {
        let relative = path.strip_prefix(root()).unwrap().display().to_string();
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        for (number, line) in text.lines().enumerate() {
            for word in line.split(|c: char| !(c.is_alphanumeric() || "_-./".contains(c))) {
                let word = word.trim_matches('.').trim_start_matches("../");
                let named = (word.starts_with("docs/") && word.ends_with(".md"))
                    || (word.starts_with("scripts/") && word.len() > "scripts/".len());
                if named && !root().join(word).exists() {
                    faults.insert(format!("{relative}:{}: no {word}", number + 1));
                }
            }
        }
    }
    report(faults.into_iter().collect());
}

/// Whether `package/Name` or `package/msg/Name` is an interface whose definition is here.
fn is_interface(word: &str) -> bool {
    let parts: Vec<&str> = word.split('/').collect();
    let (Some(package), Some(name)) = (parts.first(), parts.last()) else { return false };
    let folders = match parts.len() {
        2 => vec!["msg", "srv", "action"],
        3 => vec![parts[1]],
        _ => return false,
    };
    folders.iter().any(|folder| {
        [root().join("f1_interfaces/definitions").join(package), root().join(package)]
            .iter()
            .any(|place| place.join(folder).join(format!("{name}.{folder}")).is_file())
    })
}

/// What is wrong with a `ros2` command: launch files and arguments, types.
fn ros_faults(words: &[String]) -> Vec<String> {
    let mut faults = Vec::new();
    if words.get(1).is_some_and(|word| word == "launch")
        && words.get(2).is_some_and(|w| w == "f1_policy")
    {
        let Some(name) = words.get(3) else { return faults };
        let Ok(text) = std::fs::read_to_string(root().join("launch").join(name)) else {
            return vec![format!("no launch file {name}")];
        };
        for word in &words[4..] {
            if let Some((argument, _)) = word.split_once(":=")
                && !text.contains(&format!("\"{argument}\","))
            {
                faults.push(format!("{name} has no argument {argument}"));
            }
        }
    }
    for word in words {
        let parts: Vec<&str> = word.split('/').collect();
        if parts.len() == 3 && ["msg", "srv", "action"].contains(&parts[1]) && !is_interface(word) {
            faults.push(format!("no type {word}"));
        }
    }
    faults
}

/// What is wrong with `-p NAME:=VALUE` of our programs: names that nothing declares.
fn parameter_faults(words: &[String]) -> Vec<String> {
    let page = if words[0] == "f1_sim_node" {
        "f1_sim/src/bin/f1_sim_node.rs"
    } else if ["f1", "./f1", "f1_policy_node"].contains(&words[0].as_str()) {
        "docs/parameters.md"
    } else {
        return Vec::new();
    };
    let text = std::fs::read_to_string(root().join(page)).unwrap();
    let names = words.windows(2).filter(|pair| pair[0] == "-p").filter_map(|pair| {
        let name = pair[1].split(":=").next()?;
        name.rsplit(':').next()
    });
    names
        .filter(|name| {
            !text.contains(&format!("`{name}`")) && !text.contains(&format!("\"{name}\""))
        })
        .map(|name| format!("no parameter {name} ({page})"))
        .collect()
}

#[test]
fn every_ros_command_names_launch_arguments_types_and_parameters_that_exist() {
    let mut faults = Vec::new();
    let mut count = 0;
    for command in all_commands(&documents().unwrap()) {
        let found = match command.words[0].as_str() {
            "ros2" => ros_faults(&command.words),
            _ => parameter_faults(&command.words),
        };
        count += usize::from(command.words[0] == "ros2");
        faults.extend(found.iter().map(|f| format!("{}: {f}", command.place)));
    }
    assert!(count > 5, "only {count} ros2 commands were found");
    report(faults);
}

#[test]
fn every_environment_variable_is_read_somewhere() {
    let mut sources = String::new();
    for kind in ["rs", "py", "sh", "yaml", "txt"] {
        for path in files(&root(), kind, false).unwrap() {
            sources.push_str(&std::fs::read_to_string(path).unwrap_or_default());
        }
    }
    sources.push_str(&std::fs::read_to_string(root().join("f1")).unwrap());
    sources.push_str(&std::fs::read_to_string(root().join(".ci/run")).unwrap());
    let mut faults = BTreeSet::new();
    for document in documents().unwrap() {
        if document.path.extension().is_none_or(|kind| kind != "md") {
            continue;
        }
        for word in document.text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')) {
            let is_ours = word.starts_with("F1_")
                && word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
            if is_ours && !sources.contains(word) {
                faults.insert(format!("{}: nothing reads {word}", document.path.display()));
            }
        }
    }
    report(faults.into_iter().collect());
}

#[test]
fn every_page_is_in_the_summary() {
    let summary = std::fs::read_to_string(root().join("docs/SUMMARY.md")).unwrap();
    let mut faults = Vec::new();
    for page in files(&root().join("docs"), "md", true).unwrap() {
        let name = page.file_name().unwrap().to_string_lossy().into_owned();
        if name != "SUMMARY.md" && !summary.contains(&format!("]({name})")) {
            faults.push(format!("docs/{name} is not in docs/SUMMARY.md"));
        }
    }
    report(faults);
}
