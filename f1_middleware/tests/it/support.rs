//! Pairs of contexts that are connected, one pair for each back end of this build.

use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use f1_middleware::{Backend, Context, ContextOptions, MemBus, RosArgs, Time};

/// Two contexts on one back end.
pub struct Pair {
    pub name: &'static str,
    pub a: Context,
    pub b: Context,
    _alone: Option<MutexGuard<'static, ()>>,
}

/// Tests share a domain and names: those on a network run one after another.
static ALONE: Mutex<()> = Mutex::new(());

/// After this long a condition has failed: far above what a busy machine needs.
pub const LIMIT: Duration = Duration::from_secs(60);

pub fn args(line: &str) -> RosArgs {
    RosArgs::parse(line.split_whitespace()).unwrap().0
}

fn context(backend: Backend, line: &str) -> Context {
    Context::new(ContextOptions { backend, args: args(line) }).unwrap()
}

/// A pair for every back end of this build.
pub fn pairs() -> Vec<Pair> {
    pairs_with("")
}

/// The same with arguments for the first of each pair.
pub fn pairs_with(line: &str) -> Vec<Pair> {
    let alone = ALONE.lock();
    let mut pairs = Vec::new();
    let mut add = |name, backend: Backend| {
        pairs.push(Pair {
            name,
            a: context(backend.clone(), line),
            b: context(backend, ""),
            _alone: None,
        });
    };
    add("mem", Backend::Mem { bus: MemBus::new(), virtual_start: None });
    #[cfg(feature = "dds")]
    {
        private_domain();
        add("dds", Backend::Dds);
    }
    #[cfg(feature = "rcl")]
    {
        private_domain();
        add("rcl", Backend::Rcl);
    }
    if let Some(last) = pairs.last_mut() {
        last._alone = Some(alone);
    }
    pairs
}

/// Chooses a domain for this test process, apart from others on the machine.
#[cfg(any(feature = "dds", feature = "rcl"))]
fn private_domain() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        // A child process of a test uses its parent's domain.
        if std::env::var_os("F1_TEST_PART").is_some() {
            return;
        }
        let domain = 1 + std::process::id() % 99;
        // SAFETY: runs once, before any context of this process reads the environment.
        #[allow(unsafe_code)]
        unsafe {
            std::env::set_var("ROS_DOMAIN_ID", domain.to_string());
            std::env::set_var("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST");
        }
    });
}

/// A context on a virtual clock that starts at one second.
pub fn virtual_context() -> Context {
    context(Backend::mem_virtual(), "")
}

/// Waits until no other test uses the network, for a test that uses it without a [`Pair`].
#[cfg(feature = "dds")]
pub fn alone() -> MutexGuard<'static, ()> {
    private_domain();
    ALONE.lock()
}

impl Pair {
    /// Runs both contexts until `done`, at most [`LIMIT`].
    pub fn spin_until(&self, what: &str, mut done: impl FnMut() -> bool) {
        let start = std::time::Instant::now();
        while !done() {
            assert!(
                start.elapsed() < LIMIT,
                "{}: {what} did not happen within {LIMIT:?}",
                self.name
            );
            self.a.executor().spin_for(Duration::from_millis(2));
            self.b.executor().spin_for(Duration::from_millis(2));
        }
    }
}

pub fn seconds(seconds: f64) -> Time {
    Time::from_seconds(seconds)
}
