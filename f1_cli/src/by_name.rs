//! Folders by their names: shipped ones, paths, and the hub's (`hf://OWNER/NAME`).

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use f1_client::address::is_server;
use f1_hub::{
    Fetched, Hub, HubName, Licence, MODEL_FILES, Patterns, SCHEME, TOKENIZER_FILE, Watch,
};
use f1_robot::share;
use f1_train::RunFile;
use indicatif::{ProgressBar, ProgressStyle};

/// Progress and questions on the terminal.
#[derive(Default)]
pub struct Terminal {
    /// Licences are accepted without a question.
    pub accept: bool,
    bar: Option<ProgressBar>,
}

impl Terminal {
    /// Accepts every licence where `accept` is set, else asks.
    pub fn accepting(accept: bool) -> Self {
        Self { accept, bar: None }
    }

    /// Ends the bar.
    fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Watch for Terminal {
    fn begin(&mut self, files: usize, bytes: u64, present: u64) {
        if present == bytes {
            return;
        }
        let bar = ProgressBar::new(bytes);
        if let Ok(style) = ProgressStyle::with_template(
            "{bar:30} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left",
        ) {
            bar.set_style(style);
        }
        // The rate and the time left are those of what is still to come.
        bar.set_position(present);
        bar.reset_eta();
        if bar.is_hidden() {
            eprintln!("{files} files, {} of {bytes} bytes to fetch", bytes - present);
        }
        self.bar = Some(bar);
    }

    fn at(&mut self, bytes: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(bytes);
        }
    }

    fn say(&mut self, text: &str) {
        match &self.bar {
            Some(bar) if !bar.is_hidden() => bar.println(text),
            _ => eprintln!("{text}"),
        }
    }

    fn accept(&mut self, licence: &Licence) -> bool {
        let Licence { repository, name, page } = licence;
        eprintln!("{repository}: licence {name}: {} ({page})", licence.remark());
        if self.accept {
            return true;
        }
        if !std::io::stdin().is_terminal() {
            return false;
        }
        eprint!("Do you accept it? [y/N] ");
        let _ = std::io::stderr().flush();
        let mut answer = String::new();
        let read = std::io::stdin().read_line(&mut answer);
        read.is_ok() && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
    }
}

/// Fetches by name.
///
/// # Errors
/// What the hub says.
pub fn fetch(name: &HubName, files: &Patterns, terminal: &mut Terminal) -> Result<Fetched> {
    let fetched = Hub::from_env()?.fetch(name, files, terminal);
    terminal.finish();
    Ok(fetched?)
}

/// The folder that `text` names on the hub; `None` where it is no name of the hub.
fn on_hub(text: &str, files: &[&str]) -> Result<Option<PathBuf>> {
    if !text.starts_with(SCHEME) {
        return Ok(None);
    }
    let files = Patterns::new(files.iter().copied());
    fetch(&text.parse()?, &files, &mut Terminal::default()).map(|fetched| Some(fetched.folder))
}

/// A model: shipped, a folder, or the hub's.
///
/// # Errors
/// There is none of that name.
pub fn model(name: &str) -> Result<PathBuf> {
    match on_hub(name, &MODEL_FILES)? {
        Some(folder) => Ok(folder),
        None => Ok(share::model(name)?),
    }
}

/// A policy server's address as it is; else the folder of a model.
///
/// # Errors
/// There is none of that name.
pub fn policy(name: &str) -> Result<String> {
    if is_server(name) {
        return Ok(name.to_owned());
    }
    Ok(model(name)?.display().to_string())
}

/// A path to a model's folder or file, or a name of the hub.
///
/// # Errors
/// What the hub says.
pub fn model_path(path: &Path) -> Result<PathBuf> {
    let named = path.to_str().map(|text| on_hub(text, &MODEL_FILES)).transpose()?.flatten();
    Ok(named.unwrap_or_else(|| path.to_owned()))
}

/// A data set's folder, or a name of the hub.
///
/// # Errors
/// What the hub says.
pub fn dataset(path: &Path) -> Result<PathBuf> {
    let named = path.to_str().map(|text| on_hub(text, &[])).transpose()?.flatten();
    Ok(named.unwrap_or_else(|| path.to_owned()))
}

/// A `tokenizer.json`: the file, a folder with it, or a name of the hub.
///
/// # Errors
/// There is none.
pub fn tokenizer(text: &str) -> Result<PathBuf> {
    let path = on_hub(text, &[TOKENIZER_FILE])?.unwrap_or_else(|| PathBuf::from(text));
    let file = if path.is_dir() { path.join(TOKENIZER_FILE) } else { path };
    anyhow::ensure!(file.is_file(), "tokenizer {text}: there is no file {}", file.display());
    Ok(file)
}

/// Puts folders in place of the hub's names in a run file.
///
/// # Errors
/// What the hub says, with the place in the run file.
pub fn in_run_file(run: &mut RunFile) -> Result<()> {
    let section = &mut run.model;
    section.config = model_path(&section.config).context("model.config")?;
    for (place, path) in
        [("model.init", &mut section.init), ("model.image_tokenizer", &mut section.image_tokenizer)]
    {
        if let Some(path) = path {
            *path = model_path(path).context(place)?;
        }
    }
    if let Some(path) = &mut section.prompt_tokenizer
        && let Some(text) = path.to_str().filter(|text| text.starts_with(SCHEME))
    {
        *path = tokenizer(text).context("model.prompt_tokenizer")?;
    }
    for (name, source) in &mut run.data.sources {
        source.path = dataset(&source.path).with_context(|| format!("data.sources.{name}.path"))?;
    }
    Ok(())
}
