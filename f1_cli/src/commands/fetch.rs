//! `f1 fetch`: models and data sets of the Hugging Face hub, by their names.

use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use f1_data::lerobot::Dataset;
use f1_hub::{HubName, Patterns, RepoKind};

use crate::by_name::{Terminal, fetch};

/// What describes a data set, without its frames.
const DESCRIPTION: &str = "meta/*";

/// Arguments of `f1 fetch`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// OWNER/NAME of a model, datasets/OWNER/NAME of a data set; @REVISION (a branch, tag or
    /// commit) may follow.
    name: HubName,
    /// Only files that match this pattern, as `*.json`; may be given several times.
    #[arg(long, value_name = "PATTERN")]
    include: Vec<String>,
    /// Of a LeRobot data set only these episodes: 0..50 (without 50), or one number.
    #[arg(long, value_name = "RANGE", conflicts_with = "include", value_parser = episode_range)]
    episodes: Option<Range<usize>>,
    /// Accept the licence without a question.
    #[arg(long)]
    accept_licence: bool,
}

/// Reads `3..7`, `..7` or `3`.
fn episode_range(text: &str) -> Result<Range<usize>, String> {
    let fault = |_| format!("{text} is no range of episodes such as 0..50");
    let range = match text.split_once("..") {
        Some((from, to)) => {
            let from = if from.is_empty() { 0 } else { from.parse().map_err(fault)? };
            from..to.parse().map_err(fault)?
        }
        None => {
            let one: usize = text.parse().map_err(fault)?;
            one..one + 1
        }
    };
    if range.is_empty() { Err(format!("{text} holds no episode")) } else { Ok(range) }
}

/// Runs the command: the folder's path goes to stdout.
///
/// # Errors
/// What the hub says.
pub fn run(args: Args) -> Result<()> {
    let mut terminal = Terminal::accepting(args.accept_licence);
    let folder = match &args.episodes {
        Some(range) => episodes(&args.name, range, &mut terminal)?,
        None => fetch(&args.name, &Patterns::new(args.include.clone()), &mut terminal)?.folder,
    };
    if args.name.kind == RepoKind::Model {
        missing(&folder).iter().for_each(|text| eprintln!("{text}"));
    }
    println!("{}", folder.display());
    Ok(())
}

/// Fetches what describes a data set, and then the files that hold these episodes.
fn episodes(name: &HubName, range: &Range<usize>, terminal: &mut Terminal) -> Result<PathBuf> {
    ensure!(name.kind == RepoKind::Dataset, "--episodes is for data sets: datasets/OWNER/NAME");
    let described = fetch(name, &Patterns::new([DESCRIPTION]), terminal)?;
    let dataset = Dataset::open(&described.folder)
        .with_context(|| format!("{name} is no LeRobot data set: fetch it without --episodes"))?;
    let mut files = vec![DESCRIPTION.to_owned()];
    let mut count = 0;
    for episode in dataset.episodes().iter().filter(|episode| range.contains(&episode.index)) {
        count += 1;
        let videos = episode.videos.values().map(|video| &video.path);
        for path in std::iter::once(&episode.data).chain(videos) {
            let inside = path.strip_prefix(&described.folder)?;
            files.push(inside.to_string_lossy().into_owned());
        }
    }
    if count == 0 {
        bail!("{name} has episodes 0..{}, none of {range:?}", dataset.info().total_episodes);
    }
    files.sort();
    files.dedup();
    // The same commit: a branch may move between the two.
    let pinned = HubName { revision: described.commit, ..name.clone() };
    let fetched = fetch(&pinned, &Patterns::new(files), terminal)?;
    eprintln!("{count} of {} episodes are there", dataset.info().total_episodes);
    Ok(fetched.folder)
}

/// What a robot needs beside the weights of a model and does not find there, each with where it
/// comes from.
fn missing(folder: &Path) -> Vec<String> {
    let mut texts = Vec::new();
    if !folder.join("config.json").is_file() {
        return texts;
    }
    if !folder.join(f1_hub::TOKENIZER_FILE).is_file() {
        texts.push(
            "no tokenizer.json: it is PaliGemma's; give --tokenizer \
             hf://google/paligemma-3b-pt-224 (accept Google's conditions on that page, and set \
             HF_TOKEN)"
                .to_owned(),
        );
    }
    if !folder.join("stats.json").is_file() {
        texts.push(
            "no stats.json: it is the normalisation of the data set that the model is used with: \
             f1 stats DATASET --output stats.json"
                .to_owned(),
        );
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_episodes_are_read() {
        assert_eq!(episode_range("0..50"), Ok(0..50));
        assert_eq!(episode_range("..3"), Ok(0..3));
        assert_eq!(episode_range("7"), Ok(7..8));
        for text in ["", "a", "5..5", "9..2", "-1", "0.."] {
            assert!(episode_range(text).is_err(), "{text}");
        }
    }
}
