//! The loggers of this process and their levels, as rcutils keeps them: a level that is set for a
//! name holds for the loggers below it, the longest name wins, and the empty name is the default.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Weak};

use f1_interfaces::rcl_interfaces::msg::LoggerLevel;
use parking_lot::Mutex;

use super::Inner;
use crate::args::Severity;

/// What is known of the loggers.
struct Registry {
    loggers: Vec<Weak<Inner>>,
    /// Set by the services.
    set: BTreeMap<String, Severity>,
}

static REGISTRY: Mutex<Registry> =
    Mutex::new(Registry { loggers: Vec::new(), set: BTreeMap::new() });

/// The lowest level of any logger: nothing below it has to be looked at.
static LOWEST: AtomicU8 = AtomicU8::new(Severity::Info as u8);

/// Whether the logger `name` is `above` or below it.
pub(crate) fn is_at_or_below(name: &str, above: &str) -> bool {
    above.is_empty()
        || name.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

impl Registry {
    fn living(&self) -> impl Iterator<Item = Arc<Inner>> {
        self.loggers.iter().filter_map(Weak::upgrade)
    }

    /// The level that was set for a logger or above it.
    fn set_for(&self, name: &str) -> Option<Severity> {
        let names = self.set.iter().filter(|(above, _)| is_at_or_below(name, above));
        names.max_by_key(|(above, _)| above.len()).map(|(_, severity)| *severity)
    }
}

/// Adds a logger and gives it its level.
pub(super) fn register(logger: &Arc<Inner>) {
    let mut registry = REGISTRY.lock();
    logger.set(registry.set_for(&logger.name).or(logger.argument));
    registry.loggers.retain(|known| known.strong_count() > 0);
    registry.loggers.push(Arc::downgrade(logger));
    drop(registry);
    note_lowest();
}

/// The first logger of the process that still exists: what no node's callback writes is its.
pub(super) fn first() -> Option<Arc<Inner>> {
    REGISTRY.lock().living().next()
}

/// The lowest level of any logger.
pub(super) fn lowest() -> u8 {
    LOWEST.load(Ordering::Relaxed)
}

/// Looks for the lowest level anew; `tracing` looks again at places that it had left out.
pub(super) fn note_lowest() {
    let levels = |registry: &Registry| {
        registry.living().map(|logger| logger.lowest.load(Ordering::Relaxed)).min()
    };
    let lowest = levels(&REGISTRY.lock()).unwrap_or(Severity::Info as u8);
    if LOWEST.swap(lowest, Ordering::Relaxed) != lowest {
        tracing::callsite::rebuild_interest_cache();
    }
}

/// The level that holds for a name; 0 for a name without a logger and without a level of its own.
pub(super) fn level_of(name: &str) -> LoggerLevel {
    let registry = REGISTRY.lock();
    let logger = registry.living().find(|logger| logger.name == name);
    let level = match (logger, registry.set.get(name)) {
        (Some(logger), _) => u32::from(logger.lowest.load(Ordering::Relaxed)),
        (None, Some(severity)) => *severity as u32,
        (None, None) if name.is_empty() => Severity::Info as u32,
        (None, None) => u32::from(LoggerLevel::LOG_LEVEL_UNKNOWN),
    };
    LoggerLevel { name: name.to_owned(), level }
}

/// Sets a level for a name and what is below it; level 0 takes it back.
///
/// # Errors
/// A number that is no level.
pub(super) fn set(level: &LoggerLevel) -> Result<(), String> {
    let severity = match level.level {
        0 => None,
        number => Some(Severity::from_number(number).ok_or_else(|| {
            format!("{number} is no level: 10 debug, 20 info, 30 warn, 40 error, 50 fatal")
        })?),
    };
    let mut registry = REGISTRY.lock();
    match severity {
        Some(severity) => registry.set.insert(level.name.clone(), severity),
        None => registry.set.remove(&level.name),
    };
    for logger in registry.living().filter(|logger| is_at_or_below(&logger.name, &level.name)) {
        logger.set(registry.set_for(&logger.name).or(logger.argument));
    }
    drop(registry);
    note_lowest();
    Ok(())
}
