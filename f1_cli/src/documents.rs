//! The commands in README, docs, model cards and comments are ones that `f1` takes.

use clap::{CommandFactory as _, Parser as _};
use f1_tests::documents::{documents, root};

use super::Cli;

/// What the wrapper `./f1` does itself.
const WRAPPER: [&str; 4] = ["build", "help", "test", "--yes"];

/// What is wrong with a command that stands in a block, to be copied.
fn whole_fault(words: &[String]) -> Option<String> {
    let error = Cli::try_parse_from(words).err()?;
    (!matches!(
        error.kind(),
        clap::error::ErrorKind::DisplayHelp | clap::error::ErrorKind::DisplayVersion
    ))
    .then(|| error.to_string())
}

/// What is wrong with a part of a command: the subcommand and the options that it names.
fn part_fault(words: &[String]) -> Option<String> {
    let root = Cli::command();
    let name = words.get(1).filter(|word| !word.starts_with('-'))?;
    if name.chars().any(char::is_uppercase) {
        return None; // f1 COMMAND
    }
    let Some(command) = root.find_subcommand(name) else {
        return Some(format!("no command {name}"));
    };
    words[2..].iter().take_while(|word| *word != "--").find_map(|word| {
        let option = word.strip_prefix("--")?.split('=').next()?;
        let known = command.get_arguments().any(|argument| {
            argument.get_long() == Some(option)
                || argument.get_all_aliases().is_some_and(|all| all.contains(&option))
        });
        (!known && option != "help").then(|| format!("{name} has no option --{option}"))
    })
}

#[test]
fn every_command_of_the_documents_is_taken() {
    let mut faults = Vec::new();
    let mut count = 0;
    for command in documents().unwrap().iter().flat_map(|document| document.commands()) {
        let mut words = command.words;
        match words[0].as_str() {
            "./f1" if words.get(1).is_some_and(|word| WRAPPER.contains(&word.as_str())) => continue,
            "./f1" => words[0] = "f1".into(),
            "f1" => {}
            _ => continue,
        }
        count += 1;
        let fault = if command.whole { whole_fault(&words) } else { part_fault(&words) };
        faults.extend(fault.map(|f| format!("{}: {}\n  {f}", command.place, words.join(" "))));
    }
    assert!(count > 40, "only {count} commands were found");
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn the_wrapper_lists_the_commands_of_the_program() {
    let output =
        std::process::Command::new("bash").arg(root().join("f1")).arg("help").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let listed = text.lines().last().unwrap().rsplit(": ").next().unwrap().to_owned();
    let commands = Cli::command();
    let mut names: Vec<_> = commands.get_subcommands().map(clap::Command::get_name).collect();
    names.sort_unstable();
    assert_eq!(listed.split(' ').collect::<Vec<_>>(), names, "{text}");
}
