//! How a line looks on the console: ROS's form, or a shorter one on a terminal without a ROS.
//!
//! Source: rcutils' `logging.c` (format, tokens, colours, environment).

use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use super::Place;
use crate::args::Severity;

/// The form of rcutils.
const ROS_FORM: &str = "[{severity}] [{time}] [{name}]: {message}";
/// On a terminal without a ROS: a reader there has no use for nanoseconds since 1970.
const SHORT_FORM: &str = "[{severity}] [{name}]: {message}";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Severity,
    Name,
    Message,
    FunctionName,
    FileName,
    ShortFileName,
    Time,
    TimeAsNanoseconds,
    LineNumber,
}

impl Token {
    fn named(name: &str) -> Option<Token> {
        Some(match name {
            "severity" => Token::Severity,
            "name" => Token::Name,
            "message" => Token::Message,
            "function_name" => Token::FunctionName,
            "file_name" => Token::FileName,
            "short_file_name" => Token::ShortFileName,
            "time" => Token::Time,
            "time_as_nanoseconds" => Token::TimeAsNanoseconds,
            "line_number" => Token::LineNumber,
            _ => return None,
        })
    }
}

enum Part {
    Text(String),
    Token(Token),
}

/// What is written and where.
pub(super) struct Console {
    parts: Vec<Part>,
    colours: bool,
    to_stdout: bool,
}

/// One line to be written.
pub(super) struct Line<'a> {
    pub severity: Severity,
    pub name: &'a str,
    pub message: &'a str,
    pub place: Place<'a>,
}

impl Console {
    /// As the environment says: `RCUTILS_CONSOLE_OUTPUT_FORMAT`, `RCUTILS_COLORIZED_OUTPUT`,
    /// `RCUTILS_LOGGING_USE_STDOUT`, `NO_COLOR`, and whether a ROS is sourced.
    pub(super) fn from_environment() -> Console {
        let get = |name: &str| std::env::var(name).ok();
        let to_stdout = get("RCUTILS_LOGGING_USE_STDOUT").as_deref() == Some("1");
        let terminal = if to_stdout {
            std::io::IsTerminal::is_terminal(&std::io::stdout())
        } else {
            std::io::IsTerminal::is_terminal(&std::io::stderr())
        };
        Console::new(get, terminal, to_stdout)
    }

    fn new(get: impl Fn(&str) -> Option<String>, terminal: bool, to_stdout: bool) -> Console {
        let set = |name: &str| get(name).filter(|value| !value.is_empty());
        let sourced = set("ROS_DISTRO").or_else(|| set("AMENT_PREFIX_PATH")).is_some();
        let format = set("RCUTILS_CONSOLE_OUTPUT_FORMAT");
        let usual = if sourced || !terminal { ROS_FORM } else { SHORT_FORM };
        let colours = match set("RCUTILS_COLORIZED_OUTPUT").as_deref() {
            Some("1") => true,
            Some("0") => false,
            _ => terminal && set("NO_COLOR").is_none(),
        };
        Console { parts: parts(format.as_deref().unwrap_or(usual)), colours, to_stdout }
    }

    /// The line as text, without its end.
    fn text(&self, line: &Line<'_>, nanoseconds: u128) -> String {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Token(token) => text.push_str(&value(*token, line, nanoseconds)),
            }
        }
        if !self.colours {
            return text;
        }
        let colour = match line.severity {
            Severity::Debug => 32,
            Severity::Info => 0,
            Severity::Warn => 33,
            Severity::Error | Severity::Fatal => 31,
        };
        format!("\x1b[{colour}m{text}\x1b[0m")
    }

    /// Writes a line. That the console is gone can be said nowhere.
    pub(super) fn write(&self, line: &Line<'_>) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let text = self.text(line, now.as_nanos()) + "\n";
        let _ = if self.to_stdout {
            std::io::stdout().lock().write_all(text.as_bytes())
        } else {
            std::io::stderr().lock().write_all(text.as_bytes())
        };
    }
}

/// The texts and tokens of a format; an unknown token stays as it is, as in rcutils.
fn parts(format: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut rest = format;
    while let Some(at) = rest.find('{') {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        let token = rest.find('}').and_then(|end| Some((end, Token::named(&rest[1..end])?)));
        if let Some((end, token)) = token {
            parts.push(Part::Text(std::mem::take(&mut text)));
            parts.push(Part::Token(token));
            rest = &rest[end + 1..];
        } else {
            text.push('{');
            rest = &rest[1..];
        }
    }
    text.push_str(rest);
    parts.push(Part::Text(text));
    parts
}

fn value(token: Token, line: &Line<'_>, nanoseconds: u128) -> String {
    match token {
        Token::Severity => match line.severity {
            Severity::Debug => "DEBUG",
            Severity::Info => "INFO",
            Severity::Warn => "WARN",
            Severity::Error => "ERROR",
            Severity::Fatal => "FATAL",
        }
        .to_owned(),
        Token::Name => line.name.to_owned(),
        Token::Message => line.message.to_owned(),
        Token::FunctionName => line.place.function.to_owned(),
        Token::FileName => line.place.file.to_owned(),
        Token::ShortFileName => {
            line.place.file.rsplit('/').next().unwrap_or(line.place.file).to_owned()
        }
        Token::Time => {
            format!("{}.{:09}", nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000)
        }
        Token::TimeAsNanoseconds => nanoseconds.to_string(),
        Token::LineNumber => line.place.line.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u128 = 1_764_530_679_000_000_042;

    fn shown(environment: &[(&str, &str)], terminal: bool) -> String {
        let get = |name: &str| {
            environment.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        };
        let line = Line {
            severity: Severity::Warn,
            name: "f1.safety_filter",
            message: "lock door is engaged",
            place: Place { file: "src/safety/motion.rs", function: "step", line: 17 },
        };
        Console::new(get, terminal, false).text(&line, NOW)
    }

    #[test]
    fn where_a_ros_is_sourced_or_no_terminal_reads_the_form_is_that_of_ros() {
        let ros = "[WARN] [1764530679.000000042] [f1.safety_filter]: lock door is engaged";
        assert_eq!(shown(&[], false), ros);
        assert_eq!(shown(&[("ROS_DISTRO", "jazzy")], true), format!("\x1b[33m{ros}\x1b[0m"));
        let short = "[WARN] [f1.safety_filter]: lock door is engaged";
        assert_eq!(shown(&[("NO_COLOR", "1")], true), short);
    }

    #[test]
    fn colours_reach_no_file_unless_they_are_asked_for() {
        assert!(!shown(&[("ROS_DISTRO", "jazzy")], false).contains('\x1b'));
        assert!(shown(&[("RCUTILS_COLORIZED_OUTPUT", "1")], false).contains('\x1b'));
        assert!(!shown(&[("RCUTILS_COLORIZED_OUTPUT", "0")], true).contains('\x1b'));
    }

    #[test]
    fn the_format_of_rcutils_is_obeyed_and_unknown_tokens_stay() {
        let format = "{time_as_nanoseconds} {short_file_name}:{line_number} {file_name} \
                      {function_name} {nothing} {{message} {";
        let text = shown(&[("RCUTILS_CONSOLE_OUTPUT_FORMAT", format)], false);
        assert_eq!(
            text,
            "1764530679000000042 motion.rs:17 src/safety/motion.rs step {nothing} \
             {lock door is engaged {"
        );
    }
}
