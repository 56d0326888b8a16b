//! The repository's documents as a reader meets them: pages, comments with usage lines, and the
//! commands, code spans and links in them.

use std::path::{Path, PathBuf};

/// The repository's top folder.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(|| ".".into(), Path::to_path_buf)
}

/// A page, or the comments of a file.
#[derive(Debug, Clone)]
pub struct Document {
    /// Relative to [`root`].
    pub path: PathBuf,
    /// Markdown. Of a file that is not Markdown: its comments, with indented lines as code.
    pub text: String,
}

/// A piece of a document.
#[derive(Debug, Clone)]
pub struct Piece {
    /// Where it is, as `docs/ros.md:12`.
    pub place: String,
    /// What it says.
    pub text: String,
}

/// A command of a document.
#[derive(Debug, Clone)]
pub struct Command {
    /// Where it is, as `docs/ros.md:12`.
    pub place: String,
    /// Program and arguments, unquoted; without assignments before it.
    pub words: Vec<String>,
    /// From a block of code, where it is given to be copied. Otherwise a code span, which may be a
    /// part of a command.
    pub whole: bool,
}

/// All pages: `*.md` in the top folder, in `docs` and beside models, and the comments of run
/// files, robot files, launch files and scripts.
///
/// # Errors
/// A folder or a file that cannot be read, with its path.
pub fn documents() -> Result<Vec<Document>, String> {
    let mut found = Vec::new();
    for (folder, kind) in [
        ("", "md"),
        ("docs", "md"),
        ("models", "md"),
        ("benchmarks", "md"),
        ("config", "yaml"),
        ("launch", "py"),
        ("scripts", "sh"),
        (".ci", ""),
    ] {
        for path in files(&root().join(folder), kind, folder.is_empty())? {
            let text = std::fs::read_to_string(&path).map_err(|e| named(&path, &e))?;
            let text = if kind == "md" { text } else { comments(&text) };
            let path = path.strip_prefix(root()).map_err(|e| e.to_string())?.to_path_buf();
            found.push(Document { path, text });
        }
    }
    Ok(found)
}

/// Folders that a run or a build writes, and that git ignores.
pub const OUTPUTS: [&str; 9] =
    ["target", "dist", "out", "runs", "data", "build", "install", "log", ".git"];

/// The files with this extension below a folder (only in it, if `flat`), in the order of their
/// names; none where there is no such folder. Links and [`OUTPUTS`] are not followed.
///
/// # Errors
/// A folder that cannot be read, with its path.
pub fn files(folder: &Path, kind: &str, flat: bool) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    if !folder.is_dir() {
        return Ok(found);
    }
    for entry in std::fs::read_dir(folder).map_err(|e| named(folder, &e))? {
        let entry = entry.map_err(|e| named(folder, &e))?;
        let (path, kind_of) = (entry.path(), entry.file_type().map_err(|e| named(folder, &e))?);
        if kind_of.is_dir() {
            // A crate's own `src/log` is no output: only folders of the top are.
            let top = folder == root() && OUTPUTS.iter().any(|name| path.ends_with(name));
            if !flat && !top {
                found.extend(files(&path, kind, false)?);
            }
        } else if kind_of.is_file() && path.extension().unwrap_or_default() == kind {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn named(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}

/// The comments and the doc strings of a file, each line at its own number; what stands further in
/// than two blanks is code.
fn comments(text: &str) -> String {
    let mut in_doc_string = false;
    let lines = text.lines().map(|line| {
        let starts = line.matches("\"\"\"").count();
        let was_in = in_doc_string;
        if starts % 2 == 1 {
            in_doc_string = !in_doc_string;
        }
        if let Some(comment) = line.strip_prefix('#') {
            let inside = comment.trim_start();
            let code = comment.len() - inside.len() > 2;
            return format!("{}{inside}", if code { "    " } else { "" });
        }
        // In a doc string a backslash is written twice.
        if was_in || starts > 0 { line.replace("\\\\", "\\") } else { String::new() }
    });
    lines.collect::<Vec<_>>().join("\n")
}

impl Document {
    fn place(&self, line: usize) -> String {
        format!("{}:{}", self.path.display(), line + 1)
    }

    /// Each line with its number and whether it stands in a block of code.
    fn lines(&self) -> Vec<(usize, &str, bool)> {
        let mut fenced = false;
        let mut before_is_blank = true;
        let mut indented = false;
        let mut lines = Vec::new();
        for (number, line) in self.text.lines().enumerate() {
            if line.trim_start().starts_with("```") {
                fenced = !fenced;
                lines.push((number, "", fenced));
                before_is_blank = true;
                continue;
            }
            let far_in = line.starts_with("    ");
            // A line far in is code after a blank line or other code; a list's text is neither.
            indented = far_in
                && !line.trim_start().starts_with("- ")
                && (before_is_blank || indented || self.path.extension() != Some("md".as_ref()));
            lines.push((number, line, fenced || indented));
            before_is_blank = line.trim().is_empty();
        }
        lines
    }

    /// What stands between backticks outside blocks of code.
    pub fn spans(&self) -> Vec<Piece> {
        let mut found = Vec::new();
        let mut open: Option<(usize, String)> = None;
        for (number, line, code) in self.lines() {
            if code || line.trim().is_empty() {
                open = None;
                continue;
            }
            let mut parts = line.split('`');
            if let Some((_, text)) = &mut open {
                text.push(' ');
                text.push_str(parts.next().unwrap_or_default().trim_start());
            } else {
                parts.next();
            }
            for part in parts {
                match open.take() {
                    Some((start, text)) => found.push(Piece { place: self.place(start), text }),
                    None => open = Some((number, part.to_owned())),
                }
            }
        }
        found
    }

    /// The targets of all links and images, without those to other hosts.
    pub fn links(&self) -> Vec<Piece> {
        let mut found = Vec::new();
        for (number, line, code) in self.lines() {
            if code {
                continue;
            }
            for part in line.split("](").skip(1) {
                let Some(target) = part.split(')').next() else { continue };
                if !target.contains("://") && !target.starts_with("mailto:") {
                    found.push(Piece { place: self.place(number), text: target.to_owned() });
                }
            }
        }
        found
    }

    /// The anchors that GitHub gives to the headings.
    pub fn anchors(&self) -> Vec<String> {
        self.lines()
            .iter()
            .filter(|(_, line, code)| !code && line.starts_with('#'))
            .map(|(_, line, _)| {
                let heading = line.trim_start_matches('#').trim().to_lowercase();
                let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
                kept.map(|c| if c == ' ' { '-' } else { c }).collect()
            })
            .collect()
    }

    /// The commands in blocks of code and in code spans.
    pub fn commands(&self) -> Vec<Command> {
        let mut found = Vec::new();
        let mut pending: Option<(usize, String)> = None;
        for (number, line, code) in self.lines() {
            if !code {
                pending = None;
                continue;
            }
            let (start, mut text) = pending.take().unwrap_or((number, String::new()));
            text.push_str(line.trim());
            if let Some(more) = text.strip_suffix('\\') {
                pending = Some((start, more.to_owned()));
                continue;
            }
            for words in commands_of(&text) {
                found.push(Command { place: self.place(start), words, whole: true });
            }
        }
        for span in self.spans() {
            for words in commands_of(&span.text) {
                found.push(Command { place: span.place.clone(), words, whole: false });
            }
        }
        found
    }
}

/// The commands of one line of shell: words unquoted, without assignments, comments, redirections.
fn commands_of(line: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let (mut word, mut quote, mut begun) = (String::new(), None, false);
    let mut skip_next = false;
    for c in line.chars().chain([' ']) {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (Some(_), c) => word.push(c),
            (None, '"' | '\'') => (quote, begun) = (Some(c), true),
            (None, '#') if word.is_empty() && !begun => break,
            (None, ' ' | '|' | ';' | '&' | '>' | '<') => {
                if begun || !word.is_empty() {
                    let whole = std::mem::take(&mut word);
                    if !std::mem::take(&mut skip_next)
                        && let Some(words) = commands.last_mut()
                    {
                        words.push(whole);
                    }
                }
                begun = false;
                match c {
                    '|' | ';' | '&' => commands.push(Vec::new()),
                    '>' | '<' => skip_next = true,
                    _ => {}
                }
            }
            (None, c) => word.push(c),
        }
    }
    for words in &mut commands {
        let assignment = |word: &String| {
            word.split_once('=').is_some_and(|(name, _)| {
                !name.is_empty()
                    && name.chars().all(|c| c.is_ascii_uppercase() || "_0123456789".contains(c))
            })
        };
        let starts = words
            .iter()
            .take_while(|word| ["$", "sudo", "exec"].contains(&word.as_str()) || assignment(word));
        let count = starts.count();
        words.drain(..count);
        // `ros2 run f1_policy PROGRAM` is that program.
        if words.len() > 3 && words[..3] == ["ros2", "run", "f1_policy"] {
            words.drain(..3);
        }
        if let Some(program) = words.first_mut() {
            for name in ["f1", "f1_policy_node", "f1_sim_node"] {
                if program.ends_with(&format!("/{name}")) && !program.starts_with("./") {
                    *program = name.to_owned();
                }
            }
        }
    }
    commands.retain(|words| !words.is_empty());
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(text: &str) -> Document {
        Document { path: "page.md".into(), text: text.to_owned() }
    }

    #[test]
    fn commands_come_from_blocks_and_spans() {
        let page = page(
            "Text `f1 doctor --robot R` and `a/b`.\n\n```bash\nX=1 ./f1 demo --json >out # why\n\
             f1 run --instruction \"red cube\" \\\n  --device cpu &\n```\n",
        );
        let commands = page.commands();
        let words: Vec<String> = commands.iter().map(|c| c.words.join("|")).collect();
        assert_eq!(words[..2], ["./f1|demo|--json", "f1|run|--instruction|red cube|--device|cpu"]);
        assert_eq!(commands[1].place, "page.md:5");
        assert!(commands[1].whole && !commands[2].whole);
    }

    #[test]
    fn spans_may_go_on_in_the_next_line() {
        let spans = page("a `b\nc` d\n").spans();
        assert_eq!(spans.len(), 1);
        assert_eq!(spans[0].text, "b c");
    }

    #[test]
    fn indented_blocks_are_code_and_lists_are_not() {
        let page = page("a\n\n    f1 demo\n\n- b\n    f1 run\n");
        assert_eq!(page.commands().len(), 1);
    }

    #[test]
    fn anchors_are_those_of_the_web() {
        assert_eq!(
            page("## The `f1 filter`, at a glance\n").anchors(),
            ["the-f1-filter-at-a-glance"]
        );
    }
}
