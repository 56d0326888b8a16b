//! Times of the stages of one chunk (the rows of the paper's table 9), and what `/diagnostics` and
//! `status` say of them.

use std::time::{Duration, Instant};

/// How long each stage of one chunk took.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct StageTimes {
    /// Decoding the camera messages of the observation.
    pub decode: Duration,
    /// Fitting the understanding images.
    pub resize: Duration,
    /// Encoding the newest history frame.
    pub history: Duration,
    /// Embedding the fitted images: the image encoder of the understanding expert.
    pub image_encoder: Duration,
    /// Understanding and generation: the rest of `F1Policy::perceive`.
    pub foresight: Duration,
    /// Flow matching: `F1Policy::act`.
    pub action: Duration,
    /// Of a request to a policy server, what is not the server's own time.
    pub network: Duration,
    /// Of a request to a policy server, the time that the server says it took.
    pub server: Duration,
    /// Decoding the chunk for the robot and everything in the safety filter.
    pub filter: Duration,
}

impl StageTimes {
    /// All stages together.
    #[must_use]
    pub fn total(&self) -> Duration {
        self.rows().into_iter().map(|(_, took)| took).sum()
    }

    /// Each stage with its name, for diagnostics.
    #[must_use]
    pub fn rows(&self) -> [(&'static str, Duration); 9] {
        [
            ("decode", self.decode),
            ("resize", self.resize),
            ("history", self.history),
            ("image encoder", self.image_encoder),
            ("foresight", self.foresight),
            ("action", self.action),
            ("network", self.network),
            ("server", self.server),
            ("filter", self.filter),
        ]
    }
}

/// Processor time of this process while parts of the policy ran, since they were configured. On a
/// virtual clock nothing else runs meanwhile; in real time what runs beside is counted too.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ProcessorTimes {
    /// Encoding history frames.
    pub history: Duration,
    /// Fitting images, understanding and foresight.
    pub perceive: Duration,
    /// Flow matching and decoding of chunks.
    pub act: Duration,
    /// Decoding, packing and comparing foreseen images.
    pub show: Duration,
}

impl ProcessorTimes {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> Duration {
        self.history + self.perceive + self.act + self.show
    }
}

/// Runs `work`: the result and the processor time of all threads of this process meanwhile.
pub fn processor_timed<R>(work: impl FnOnce() -> R) -> (R, Duration) {
    let now = || {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
    };
    let start = now();
    let result = work();
    (result, now().saturating_sub(start))
}

/// Runs a stage within a `tracing` span of its name; the result and the time that it took on the
/// machine's clock, virtual time or not. The programs print a span's time when it closes, with
/// `RUST_LOG=f1_policy_node=debug`.
macro_rules! stage {
    ($name:literal, $work:expr) => {{
        let span = tracing::debug_span!($name);
        let _inside = span.enter();
        $crate::stages::timed($work)
    }};
}
pub(crate) use stage;

/// Runs `work`: the result and the time that it took on the machine's clock, virtual time or not.
pub fn timed<R>(work: impl FnOnce() -> R) -> (R, Duration) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed())
}

/// Events a second over a sliding window, from stamps that the caller gives.
#[derive(Debug, Clone, Default)]
pub struct RateMeter {
    stamps_ns: std::collections::VecDeque<i64>,
}

impl RateMeter {
    const WINDOW_NS: i64 = 2_000_000_000;

    /// Counts an event.
    pub fn tick(&mut self, now_ns: i64) {
        self.stamps_ns.push_back(now_ns);
        self.forget(now_ns);
        // A burst cannot grow it.
        while self.stamps_ns.len() > 4096 {
            self.stamps_ns.pop_front();
        }
    }

    /// Events a second over the last two seconds, Hz.
    pub fn rate(&mut self, now_ns: i64) -> f64 {
        self.forget(now_ns);
        self.stamps_ns.len() as f64 / (Self::WINDOW_NS as f64 * 1e-9)
    }

    fn forget(&mut self, now_ns: i64) {
        while self
            .stamps_ns
            .front()
            .is_some_and(|&first| now_ns - first > Self::WINDOW_NS || first > now_ns)
        {
            self.stamps_ns.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_follows_the_last_two_seconds() {
        let mut meter = RateMeter::default();
        for step in 0..100 {
            meter.tick(step * 100_000_000);
        }
        assert!((meter.rate(9_900_000_000) - 10.0).abs() < 0.6);
        assert_eq!(meter.rate(20_000_000_000), 0.0);
    }
}
