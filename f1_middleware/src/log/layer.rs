//! Takes the lines of `tracing`: to the console and to `/rosout`.

use std::fmt::Write as _;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::filter::{EnvFilter, LevelFilter, Targets};
use tracing_subscriber::layer::{Context, Filter, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use super::console::{Console, Line};
use super::{Place, filter, levels, scope};
use crate::args::Severity;

/// Whether the end of a span is a line, with the time that it took, when `RUST_LOG` selects it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spans {
    /// No.
    Silent,
    /// Yes: the stages of the policy.
    Timed,
}

/// The name under which a line stands that belongs to no node.
const PROGRAM: &str = "f1";

/// Installs what takes the process's lines, once, from `main`.
///
/// `default` selects the targets and levels on the console, as `warn,f1=info`; a level that
/// `--log-level` or a logger-level service gives wins over it for our own lines. With `RUST_LOG`
/// the console shows what that selects, in the form of `tracing`. `/rosout` gets our own lines in
/// either case.
pub fn init(default: &str, spans: Spans) {
    let levels = |targets: Targets| Levels { targets };
    let targets = filter(default).parse::<Targets>().unwrap_or_default();
    let registry = tracing_subscriber::registry();
    match EnvFilter::try_from_default_env() {
        Ok(selected) => {
            let terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
            let closing = match spans {
                Spans::Silent => fmt::format::FmtSpan::NONE,
                Spans::Timed => fmt::format::FmtSpan::CLOSE,
            };
            let shown = fmt::layer()
                .with_span_events(closing)
                .with_ansi(terminal)
                .with_writer(std::io::stderr)
                // Without it a closed stderr would end the process in a panic.
                .log_internal_errors(false)
                .with_filter(selected);
            let none = levels(Targets::new());
            let silent = Lines { targets: Targets::new(), console: None }.with_filter(none);
            let _ = registry.with(shown).with(silent).try_init();
        }
        Err(_) => {
            let lines =
                Lines { targets: targets.clone(), console: Some(Console::from_environment()) };
            let _ = registry.with(lines.with_filter(levels(targets))).try_init();
        }
    }
}

/// Gives a line that is published already to the console.
pub(super) fn to_console(node: &str, severity: Severity, message: &str, place: Place<'_>) {
    let (file, line) = (place.file, place.line);
    scope::published(|| match severity {
        Severity::Debug => tracing::debug!(target: "f1", node, file, line, "{message}"),
        Severity::Info => tracing::info!(target: "f1", node, file, line, "{message}"),
        Severity::Warn => tracing::warn!(target: "f1", node, file, line, "{message}"),
        Severity::Error | Severity::Fatal => {
            tracing::error!(target: "f1", node, file, line, "{message}")
        }
    });
}

fn severity_of(level: Level) -> Severity {
    match level {
        Level::ERROR => Severity::Error,
        Level::WARN => Severity::Warn,
        Level::INFO => Severity::Info,
        Level::DEBUG | Level::TRACE => Severity::Debug,
    }
}

/// Whether a line is of our own code, not of a library's.
fn is_ours(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("f1")
}

/// Which lines are looked at.
struct Levels {
    targets: Targets,
}

impl<S: Subscriber> Filter<S> for Levels {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        if !metadata.is_event() || *metadata.level() == Level::TRACE {
            return false;
        }
        self.targets.would_enable(metadata.target(), metadata.level())
            || (is_ours(metadata) && severity_of(*metadata.level()) as u8 >= levels::lowest())
    }

    fn callsite_enabled(
        &self,
        metadata: &'static Metadata<'static>,
    ) -> tracing::subscriber::Interest {
        // A level may change later.
        if metadata.is_event() {
            tracing::subscriber::Interest::sometimes()
        } else {
            tracing::subscriber::Interest::never()
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        let of_targets = self.targets.iter().map(|(_, level)| level).max();
        let of_loggers = if levels::lowest() <= Severity::Debug as u8 {
            LevelFilter::DEBUG
        } else {
            LevelFilter::INFO
        };
        let default = self.targets.default_level().unwrap_or(LevelFilter::OFF);
        of_targets.into_iter().chain([of_loggers, default]).max()
    }
}

/// Writes lines.
struct Lines {
    targets: Targets,
    console: Option<Console>,
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        let severity = severity_of(*metadata.level());
        let mut content = Content::default();
        event.record(&mut content);
        let message = content.whole();
        let place = Place {
            file: content.file.as_deref().or(metadata.file()).unwrap_or_default(),
            function: metadata.module_path().unwrap_or_default(),
            line: content.line.or(metadata.line()).unwrap_or_default(),
        };
        let logger = scope::current().or_else(levels::first);
        let ours = is_ours(metadata);
        if let Some(console) = &self.console {
            let asked = |logger: &std::sync::Arc<super::Inner>| {
                logger.asked.load(std::sync::atomic::Ordering::Relaxed)
            };
            let shown = match &logger {
                Some(logger) if ours && asked(logger) => logger.is_enabled(severity),
                _ => self.targets.would_enable(metadata.target(), metadata.level()),
            };
            if shown && logger.as_ref().is_none_or(|logger| logger.stdout) {
                let name = match &logger {
                    Some(logger) if ours => logger.name.as_str(),
                    None if ours => PROGRAM,
                    _ => metadata.target(),
                };
                console.write(&Line { severity, name, message: &message, place });
            }
        }
        if let Some(logger) = logger
            && ours
            && !scope::is_published()
            && logger.is_enabled(severity)
        {
            logger.publish_later(logger.message(severity, message, place));
        }
    }
}

/// What a line says: its message, then its fields.
#[derive(Default)]
struct Content {
    message: String,
    fields: String,
    /// Given by a [`super::Logger`], whose callers are elsewhere.
    file: Option<String>,
    line: Option<u32>,
}

impl Content {
    fn whole(&self) -> String {
        format!("{}{}", self.message, self.fields).trim_start().to_owned()
    }

    /// Whether a field belongs to the line itself and not to its text.
    fn is_of_logger(&self, field: &Field) -> bool {
        matches!(field.name(), "node" | "file" | "line") && scope::is_published()
    }
}

impl Visit for Content {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if self.is_of_logger(field) && field.name() == "line" {
            self.line = u32::try_from(value).ok();
        } else {
            self.record_debug(field, &value);
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.message.push_str(value),
            "file" if self.is_of_logger(field) => self.file = Some(value.to_owned()),
            _ if self.is_of_logger(field) => {}
            // Writing to a String cannot fail.
            name => drop(write!(self.fields, " {name}={value}")),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if self.is_of_logger(field) {
            return;
        }
        // Writing to a String cannot fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}
