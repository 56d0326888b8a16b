//! What the four nodes of one process share: resources, instruction, epoch, pacing, ports and the
//! board.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::board::Board;
use crate::observation::{Foreseen, Instruction, Observation, PolicyChunk};
use crate::pacer::Pacer;
use crate::port::Port;
use crate::resources::{ResourceError, Resources};

/// Makes the resources: from files in a robot's process, from memory in tests.
pub type Loader = Box<dyn Fn() -> Result<Resources, ResourceError> + Send + Sync>;

/// Told of a new epoch, with its reason.
pub type Restart = Box<dyn Fn(u64, &str) + Send + Sync>;

/// An instruction as given, and prepared for the network once that is there.
type Pending = Option<(Arc<str>, Option<Instruction>)>;

/// Shared by `Arc` between the nodes of one process.
pub struct Core {
    loader: Loader,
    resources: Mutex<Option<Arc<Resources>>>,
    users: Mutex<Vec<&'static str>>,
    instruction: Mutex<Pending>,
    epoch: AtomicU64,
    sequence: AtomicU64,
    /// How everything is.
    pub board: Mutex<Board>,
    /// When to infer.
    pub pacer: Mutex<Pacer>,
    /// perception -> foresight
    pub observations: Port<Arc<Observation>>,
    /// foresight -> action
    pub prefixes: Port<Foreseen>,
    /// action -> safety filter
    pub chunks: Port<PolicyChunk>,
    /// Whoever wants to know that the policy's memory restarts (a new epoch, with its reason), by
    /// the node's name.
    pub restarts: Mutex<BTreeMap<&'static str, Restart>>,
    /// What demands that the robot stands still, by its source, with the reason.
    holds: Mutex<BTreeMap<String, String>>,
    /// Epoch and sequence of the chunk that the robot follows; none after a stop.
    followed: Mutex<Option<(u64, u64)>>,
    /// How far a stamp may lie ahead of now, ns.
    future_ns: AtomicI64,
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
            resources: Mutex::new(None),
            users: Mutex::new(Vec::new()),
            instruction: Mutex::new(None),
            epoch: AtomicU64::new(1),
            sequence: AtomicU64::new(0),
            board: Mutex::new(Board::default()),
            pacer: Mutex::new(Pacer::new(replan_steps)),
            observations: Port::default(),
            prefixes: Port::default(),
            chunks: Port::default(),
            restarts: Mutex::default(),
            holds: Mutex::default(),
            followed: Mutex::new(None),
            future_ns: AtomicI64::new(100_000_000),
        };
        core.board.lock().condition("instruction", Some("no instruction".into()));
        Arc::new(core)
    }

    /// The loaded resources, loading them for the first node that asks. The lock is held while
    /// loading: four nodes that are configured at once load once.
    ///
    /// # Errors
    /// Whatever the loader finds wrong.
    pub fn acquire(&self, node: &'static str) -> Result<Arc<Resources>, ResourceError> {
        let mut slot = self.resources.lock();
        let resources = match &*slot {
            Some(resources) => resources.clone(),
            None => match (self.loader)() {
                Ok(resources) => {
                    let resources = Arc::new(resources);
                    *slot = Some(resources.clone());
                    resources
                }
                Err(error) => {
                    self.board.lock().condition("configuration", Some(error.to_string()));
                    return Err(error);
                }
            },
        };
        let mut users = self.users.lock();
        if !users.contains(&node) {
            users.push(node);
        }
        let mut board = self.board.lock();
        board.condition("configuration", None);
        board.configured = true;
        board.robot.clone_from(&resources.robot.file().name);
        board.model = resources.model.display().to_string();
        Ok(resources)
    }

    /// A node was cleaned up; the last one frees the memory.
    pub fn release(&self, node: &'static str) {
        let mut users = self.users.lock();
        users.retain(|user| *user != node);
        if users.is_empty() {
            *self.resources.lock() = None;
            if let Some((_, prepared)) = &mut *self.instruction.lock() {
                *prepared = None;
            }
            self.board.lock().configured = false;
        }
    }

    /// The loaded resources, when there are any.
    #[must_use]
    pub fn resources(&self) -> Option<Arc<Resources>> {
        self.resources.lock().clone()
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

    /// Restarts the policy's memory: a new epoch, and everybody who keeps something is told.
    pub fn restart(&self, reason: &str) {
        let epoch = self.epoch.fetch_add(1, Ordering::SeqCst) + 1;
        self.sequence.store(0, Ordering::SeqCst);
        self.pacer.lock().restart();
        {
            let mut board = self.board.lock();
            board.epoch = epoch;
            board.chunks = 0;
            // Told until a chunk of the new epoch moves the robot.
            board.condition("restart", Some(reason.to_owned()));
            board.condition("chunk", None);
        }
        self.follow(None);
        if let Some((_, Some(prepared))) = &mut *self.instruction.lock() {
            prepared.epoch = epoch;
        }
        for told in self.restarts.lock().values() {
            told(epoch, reason);
        }
    }

    /// Demands, or no longer demands, that the robot stands still: the safety filter brakes at its
    /// next tick.
    pub fn hold(&self, source: &str, reason: Option<String>) {
        let mut holds = self.holds.lock();
        match reason {
            Some(reason) => {
                holds.insert(source.to_owned(), reason);
            }
            None => {
                holds.remove(source);
            }
        }
    }

    /// Why the robot has to stand still.
    #[must_use]
    pub fn holds(&self) -> Vec<String> {
        self.holds.lock().values().cloned().collect()
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
            let mut board = self.board.lock();
            board.instruction = text.into();
            board.condition("instruction", text.is_empty().then(|| "no instruction".to_owned()));
        }
        self.restart(if text.is_empty() {
            "the instruction was taken back"
        } else {
            "a new instruction"
        });
        true
    }

    /// The instruction with its prompt, encoded once. `None` without instruction or resources.
    ///
    /// # Errors
    /// A text that the prompt's tokenizer refuses.
    pub fn instruction(&self) -> Result<Option<Instruction>, f1_model::Error> {
        let Some(resources) = self.resources() else { return Ok(None) };
        let mut slot = self.instruction.lock();
        let Some((text, prepared)) = &mut *slot else { return Ok(None) };
        if prepared.is_none() {
            let prompt = resources.policy.encode_prompt(text)?;
            if let Some(warning) = prompt.warning() {
                tracing::warn!("{warning}");
            }
            *prepared = Some(Instruction { text: text.clone(), prompt, epoch: self.epoch() });
        }
        Ok(prepared.clone())
    }
}
