//! What the four nodes of one process share: resources, instruction, epoch, pacing, ports and
//! status.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::condition::{Condition, Restart, Source};
use crate::observation::{Foreseen, Instruction, Observation, PolicyChunk};
use crate::pacer::Pacer;
use crate::policy::PolicyError;
use crate::port::Port;
use crate::resources::{ResourceError, Resources};
use crate::safety::HomeRequest;
use crate::stages::{ProcessorTimes, processor_timed};
use crate::status::Status;

/// Makes the resources: from files in a robot's process, from memory in tests.
pub type Loader = Box<dyn Fn() -> Result<Resources, ResourceError> + Send + Sync>;

/// Called with each new epoch and its reason.
pub type RestartHandler = Box<dyn Fn(u64, &Restart) + Send + Sync>;

/// An instruction as given, and prepared for the policy once that is there.
type Pending = Option<(Arc<str>, Option<Instruction>)>;

/// The loaded resources and who uses them. One lock guards both; it is not held while loading.
#[derive(Default)]
struct Loaded {
    resources: Option<Arc<Resources>>,
    /// Nodes between [`Core::acquire`] and [`Core::release`].
    users: Vec<&'static str>,
    /// A node runs the loader at the moment; others wait for its end.
    loading: bool,
}

/// Shared by `Arc` between the nodes of one process.
///
/// Locks are taken in the order `loaded`, `instruction`, `status`, and none of them while the
/// loader runs.
pub struct Core {
    loader: Loader,
    loaded: Mutex<Loaded>,
    /// Signals the end of loading.
    load_ended: Condvar,
    instruction: Mutex<Pending>,
    epoch: AtomicU64,
    sequence: AtomicU64,
    /// The status of all nodes.
    pub status: Mutex<Status>,
    /// When to infer.
    pub pacer: Mutex<Pacer>,
    /// perception -> foresight
    pub observations: Port<Arc<Observation>>,
    /// foresight -> action
    pub prefixes: Port<Foreseen>,
    /// action -> safety filter
    pub chunks: Port<PolicyChunk>,
    /// Wishes to go home -> safety filter
    pub homes: Port<HomeRequest>,
    /// Each instruction that comes into force, for the topic `instruction/active`.
    pub instructions: Port<Arc<str>>,
    /// Called when the policy's memory restarts, by the node's name.
    pub restarts: Mutex<BTreeMap<&'static str, RestartHandler>>,
    /// What demands that the robot stands still, by its source.
    holds: Mutex<BTreeMap<Source, Condition>>,
    /// Epoch and sequence of the chunk that the robot follows; none after a stop.
    followed: Mutex<Option<(u64, u64)>>,
    /// How far a stamp may lie ahead of now, ns.
    future_ns: AtomicI64,
    /// Chunks are made without foresight: no history is needed.
    without_foresight: AtomicBool,
}

impl std::fmt::Debug for Core {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Core").field("epoch", &self.epoch()).finish_non_exhaustive()
    }
}

impl Core {
    /// A core whose resources are made by `loader` when the first node is configured.
    #[must_use]
    pub fn new(loader: Loader, replan_steps: usize) -> Arc<Self> {
        let core = Self {
            loader,
            loaded: Mutex::default(),
            load_ended: Condvar::new(),
            instruction: Mutex::new(None),
            epoch: AtomicU64::new(1),
            sequence: AtomicU64::new(0),
            status: Mutex::new(Status::default()),
            pacer: Mutex::new(Pacer::new(replan_steps)),
            observations: Port::default(),
            prefixes: Port::default(),
            chunks: Port::default(),
            instructions: Port::default(),
            homes: Port::default(),
            restarts: Mutex::default(),
            holds: Mutex::default(),
            followed: Mutex::new(None),
            future_ns: AtomicI64::new(100_000_000),
            without_foresight: AtomicBool::new(false),
        };
        core.status.lock().raise(Condition::NoInstruction);
        Arc::new(core)
    }

    /// The loaded resources, for the node `node`. The first node that asks runs the loader; others
    /// that ask meanwhile wait and get the same resources.
    ///
    /// # Errors
    /// What the loader finds wrong.
    pub fn acquire(&self, node: &'static str) -> Result<Arc<Resources>, ResourceError> {
        let mut loaded = self.loaded.lock();
        while loaded.loading {
            self.load_ended.wait(&mut loaded);
        }
        let resources = match &loaded.resources {
            Some(resources) => resources.clone(),
            None => {
                loaded.loading = true;
                drop(loaded);
                let panics = LoaderPanics(self);
                let outcome = (self.loader)();
                std::mem::forget(panics);
                loaded = self.loaded.lock();
                loaded.loading = false;
                self.load_ended.notify_all();
                match outcome {
                    Ok(resources) => loaded.resources.insert(Arc::new(resources)).clone(),
                    Err(error) => {
                        let text = error.to_string();
                        self.status.lock().raise(Condition::Configuration(text));
                        return Err(error);
                    }
                }
            }
        };
        if !loaded.users.contains(&node) {
            loaded.users.push(node);
        }
        let mut status = self.status.lock();
        status.clear(&Source::Configuration);
        status.configured = true;
        status.robot.clone_from(&resources.robot.file().name);
        status.model.clone_from(&resources.model);
        status.foresees = resources.foresees();
        status.unchecked = resources.robot.clearance().not_checked();
        Ok(resources)
    }

    /// Notes in status whether a node could be configured, and why not. What is wrong with the
    /// resources is noted once, when they are loaded.
    pub fn note_configured(&self, node: &str, fault: Option<String>) {
        let mut status = self.status.lock();
        let node = node.to_owned();
        let fault = fault.filter(|reason| !status.has(&Condition::Configuration(reason.clone())));
        let condition = fault.map(|reason| Condition::NotConfigured { node: node.clone(), reason });
        status.set(&Source::Node(node), condition);
    }

    /// The node `node` no longer uses the resources; the last one frees the memory. Does not wait
    /// for another node that is loading.
    pub fn release(&self, node: &'static str) {
        let mut loaded = self.loaded.lock();
        loaded.users.retain(|user| *user != node);
        if !loaded.users.is_empty() {
            return;
        }
        let freed = loaded.resources.take();
        if let Some((_, prepared)) = &mut *self.instruction.lock() {
            *prepared = None;
        }
        self.status.lock().configured = false;
        drop(loaded);
        // Gigabytes are freed without the lock.
        drop(freed);
    }

    /// The loaded resources, when there are any.
    #[must_use]
    pub fn resources(&self) -> Option<Arc<Resources>> {
        self.loaded.lock().resources.clone()
    }

    /// Counts restarts of the policy's memory; chunks of an older epoch are void.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::SeqCst)
    }

    /// The next chunk's number within the epoch.
    #[must_use]
    pub fn next_sequence(&self) -> u64 {
        self.sequence.fetch_add(1, Ordering::SeqCst)
    }

    /// Restarts the policy's memory: a new epoch, and the handlers of all nodes that keep
    /// something.
    pub fn restart(&self, reason: Restart) {
        let epoch = self.epoch.fetch_add(1, Ordering::SeqCst) + 1;
        self.sequence.store(0, Ordering::SeqCst);
        self.pacer.lock().restart();
        {
            let mut status = self.status.lock();
            status.epoch = epoch;
            status.chunks = 0;
            // Stays until a chunk of the new epoch moves the robot.
            status.raise(Condition::Restarted(reason.clone()));
            status.clear(&Source::Chunk);
        }
        self.follow(None);
        if let Some((_, Some(prepared))) = &mut *self.instruction.lock() {
            prepared.epoch = epoch;
        }
        for handler in self.restarts.lock().values() {
            handler(epoch, &reason);
        }
    }

    /// Demands that the robot stands still because of a condition, or no longer demands it for what
    /// `source` says: the safety filter brakes at its next tick.
    pub fn hold(&self, source: &Source, condition: Option<Condition>) {
        let mut holds = self.holds.lock();
        match condition {
            Some(condition) => {
                holds.insert(source.clone(), condition);
            }
            None => {
                holds.remove(source);
            }
        }
    }

    /// Why the robot has to stand still.
    #[must_use]
    pub fn holds(&self) -> Vec<String> {
        self.holds.lock().values().map(ToString::to_string).collect()
    }

    /// Forgets all demands of [`Core::hold`].
    pub fn release_holds(&self) {
        self.holds.lock().clear();
    }

    /// The robot follows the chunk with this (epoch, sequence) from now on; `None`: it was stopped.
    pub fn follow(&self, chunk: Option<(u64, u64)>) {
        *self.followed.lock() = chunk;
    }

    /// (epoch, sequence) of the chunk that the robot follows.
    #[must_use]
    pub fn followed(&self) -> Option<(u64, u64)> {
        *self.followed.lock()
    }

    /// Runs `work` and counts its processor time where `part` says.
    pub fn spend<R>(
        &self,
        part: fn(&mut ProcessorTimes) -> &mut Duration,
        work: impl FnOnce() -> R,
    ) -> R {
        let (result, took) = processor_timed(work);
        *part(&mut self.status.lock().processor) += took;
        result
    }

    /// Sets whether chunks are made without foresight.
    pub fn set_without_foresight(&self, without: bool) {
        self.without_foresight.store(without, Ordering::SeqCst);
    }

    /// Whether chunks are made without foresight: history frames are not encoded then.
    #[must_use]
    pub fn is_without_foresight(&self) -> bool {
        self.without_foresight.load(Ordering::SeqCst)
    }

    /// Sets how far a stamp may lie ahead of now, ns.
    pub fn set_future(&self, future_ns: i64) {
        self.future_ns.store(future_ns, Ordering::Relaxed);
    }

    /// How far a stamp may lie ahead of now, ns: clocks of two machines differ.
    #[must_use]
    pub fn future_ns(&self) -> i64 {
        self.future_ns.load(Ordering::Relaxed)
    }

    /// Sets what to do; an empty text brings the robot to rest. The same text again changes
    /// nothing. Returns whether it changed.
    pub fn set_instruction(&self, text: &str) -> bool {
        let text = text.trim();
        {
            let mut instruction = self.instruction.lock();
            let same = match &*instruction {
                Some((current, _)) => current.as_ref() == text,
                None => text.is_empty(),
            };
            if same {
                return false;
            }
            *instruction = if text.is_empty() { None } else { Some((text.into(), None)) };
            let mut status = self.status.lock();
            status.instruction = text.into();
            let none = text.is_empty().then_some(Condition::NoInstruction);
            status.set(&Source::Instruction, none);
        }
        self.instructions.send(text.into());
        self.restart(if text.is_empty() {
            Restart::InstructionRemoved
        } else {
            Restart::NewInstruction
        });
        true
    }

    /// The instruction, for which the policy was made ready once. `None` without instruction or
    /// resources.
    ///
    /// # Errors
    /// A text that the policy refuses.
    pub fn instruction(&self) -> Result<Option<Instruction>, PolicyError> {
        let Some(resources) = self.resources() else { return Ok(None) };
        let mut slot = self.instruction.lock();
        let Some((text, prepared)) = &mut *slot else { return Ok(None) };
        if prepared.is_none() {
            resources.policy.instruct(text)?;
            *prepared = Some(Instruction { text: text.clone(), epoch: self.epoch() });
        }
        Ok(prepared.clone())
    }
}

/// Ends the state of loading when the loader panics: the nodes that wait load themselves.
struct LoaderPanics<'a>(&'a Core);

impl Drop for LoaderPanics<'_> {
    fn drop(&mut self) {
        self.0.loaded.lock().loading = false;
        self.0.load_ended.notify_all();
    }
}
