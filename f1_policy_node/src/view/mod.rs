//! The live page of a policy's process: what the four nodes take in and send out, as topics, and
//! their status.
//!
//! The node `view` has a thread of its own. It subscribes to images, joints and motion only while a
//! page is open; what comes is kept as it is, the newest only, until a page asks.

mod feed;
mod state;

use std::collections::VecDeque;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use f1_interfaces::f1_msgs::msg::{ForesightError, SafetyEvent};
use f1_interfaces::std_srvs::srv::{Trigger, TriggerRequest};
use f1_middleware::parameters::Descriptor;
use f1_middleware::{Context, Node, NodeOptions, ServiceClient};
use f1_view::{Command, ImageState, Server, Settings, Source, Token};
use image::RgbImage;
use parking_lot::Mutex;
use serde_json::Value;

use self::feed::Feed;
use crate::core::Core;
use crate::error::{NodeError, NodeResult};
use crate::safety::Stopper;
use crate::topics;

/// Events and errors that the page shows.
const SHOWN: usize = 120;
/// How long a reset is waited for.
const RESET: Duration = Duration::from_secs(2);

/// What happened while no page was open, too.
#[derive(Default)]
struct Past {
    /// Newest last.
    events: VecDeque<SafetyEvent>,
    /// Newest last: time of the moment, s; PSNR and PSNR of "nothing changes", dB.
    errors: VecDeque<[f64; 3]>,
}

/// What the page of a policy's process shows and does.
struct PolicyView {
    core: Arc<Core>,
    stopper: Stopper,
    locks: Vec<String>,
    node: Node,
    reset: ServiceClient<Trigger>,
    past: Arc<Mutex<Past>>,
    feed: Mutex<Option<Feed>>,
}

/// Serves the page of a process, where its options or the parameters of `node` ask for it.
///
/// # Errors
/// As [`start`]; an address that cannot be read, a file that holds no token.
pub(crate) fn open(
    context: &Context,
    node: &Node,
    of: (&Arc<Core>, &Stopper),
    locks: Vec<String>,
    asked: Option<Settings>,
) -> NodeResult<Option<Server>> {
    let text = |name: &str, description: &str| {
        let descriptor = Descriptor::new(description).read_only();
        node.parameters().declare(name, String::new(), descriptor)
    };
    let address = text(
        "view",
        "Serve the live page here (127.0.0.1:8080, an address or a port); empty: not.",
    )?;
    let token = text(
        "view_token_file",
        "The file with the token that the live page needs on any address but loopback.",
    )?;
    let settings = match asked {
        Some(settings) => Some(settings),
        None => settings(&address, &token)?,
    };
    let Some(settings) = settings else { return Ok(None) };
    start(context, node.namespace(), of, locks, settings).map(Some)
}

/// The settings that the parameters give; `None` where no page is wanted.
///
/// # Errors
/// An address that cannot be read, a file that holds no token.
fn settings(address: &str, token_file: &str) -> NodeResult<Option<Settings>> {
    if address.is_empty() {
        return Ok(None);
    }
    let token = if token_file.is_empty() {
        None
    } else {
        let text = std::fs::read_to_string(token_file)
            .map_err(|error| format!("view_token_file: {token_file}: {error}"))
            .and_then(|text| Token::new(&text));
        Some(text.map_err(NodeError::Parameter)?)
    };
    let fault = |error| NodeError::Parameter(format!("view: {error}"));
    Settings::parse(address, token).map(Some).map_err(fault)
}

/// Serves the page of a process until it is dropped.
///
/// # Errors
/// A virtual clock, which does not wait for people; an address that cannot be listened on, or needs
/// a token; names that the middleware refuses.
fn start(
    context: &Context,
    namespace: &str,
    (core, stopper): (&Arc<Core>, &Stopper),
    locks: Vec<String>,
    settings: Settings,
) -> NodeResult<Server> {
    if context.is_virtual() {
        return Err(NodeError::Parameter(
            "view: a page cannot follow a virtual clock; it needs the back end dds or rcl".into(),
        ));
    }
    let options = NodeOptions::in_namespace(namespace).on_own_thread();
    let node = context.create_node_with("view", options)?;
    let past: Arc<Mutex<Past>> = Arc::default();
    let into = past.clone();
    node.keep(node.create_subscription::<SafetyEvent>(
        topics::EVENT.name,
        topics::EVENT.recording_qos(),
        move |event, _| keep(&mut into.lock().events, (*event).clone()),
    )?);
    let into = past.clone();
    node.keep(node.create_subscription::<ForesightError>(
        topics::FORESIGHT_ERROR.name,
        topics::FORESIGHT_ERROR.recording_qos(),
        move |error, _| {
            let moment = error.foreseen_stamp.nanoseconds() as f64 * 1e-9;
            keep(&mut into.lock().errors, [moment, error.psnr, error.psnr_if_still]);
        },
    )?);
    let reset = node.create_client::<Trigger>(topics::RESET_FILTER.name)?;
    let (core, stopper, feed) = (core.clone(), stopper.clone(), Mutex::new(None));
    let view = Arc::new(PolicyView { core, stopper, locks, node, reset, past, feed });
    let server = Server::start(settings, view)?;
    tracing::info!("live page at http://{}", server.address());
    Ok(server)
}

fn keep<T>(list: &mut VecDeque<T>, item: T) {
    list.push_back(item);
    while list.len() > SHOWN {
        list.pop_front();
    }
}

impl PolicyView {
    /// The subscriptions of an open page; `None` before the robot is loaded.
    fn with_feed<R>(&self, read: impl FnOnce(&Feed) -> R) -> Option<R> {
        let mut feed = self.feed.lock();
        let robot = self.core.resources()?.robot.clone();
        // A node that was configured again may have another robot.
        if feed.as_ref().is_some_and(|feed| !Arc::ptr_eq(feed.robot(), &robot)) {
            *feed = None;
        }
        if feed.is_none() {
            match Feed::open(&self.node, robot, &self.locks) {
                Ok(opened) => *feed = Some(opened),
                Err(error) => {
                    tracing::warn!(%error, "the page cannot subscribe");
                    return None;
                }
            }
        }
        feed.as_ref().map(read)
    }

    fn call_reset(&self) -> Result<String, String> {
        let (sender, answer) = mpsc::channel();
        let sent = self.reset.call(TriggerRequest::default(), RESET, move |outcome| {
            let _ = sender.send(outcome.map(|response| (*response).clone()));
        });
        sent.map_err(|error| error.to_string())?;
        match answer.recv_timeout(RESET + Duration::from_secs(1)) {
            Ok(Ok(response)) if response.success => Ok("reset: it may move again".into()),
            Ok(Ok(response)) => Err(format!("not reset: {}", response.message)),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("not reset: the safety filter does not answer".into()),
        }
    }
}

impl Source for PolicyView {
    fn state(&self) -> Value {
        let now_ns = self.node.now().nanoseconds();
        let mut value = state::of_status(&self.core, now_ns);
        state::of_past(&mut value, &self.past.lock());
        let steady = self.node.steady_now();
        self.with_feed(|feed| feed.describe(&mut value, now_ns, steady));
        value
    }

    fn images(&self) -> Vec<ImageState> {
        self.with_feed(Feed::images).unwrap_or_default()
    }

    fn image(&self, key: &str) -> Option<(u64, RgbImage)> {
        // Decoded without the lock: another page may ask meanwhile.
        let coded = self.with_feed(|feed| feed.coded(key))??;
        coded.decode()
    }

    fn command(&self, command: &Command) -> Result<String, String> {
        match command {
            Command::Stop if self.stopper.stop("stop was asked for on the page") => {
                Ok("stopped: reset lets it move again".into())
            }
            Command::Stop => Ok("the safety filter is busy: it stops at its next step".into()),
            Command::Reset => self.call_reset(),
            Command::Instruction { text } => {
                let changed = self.core.set_instruction(text);
                Ok(match (changed, text.trim()) {
                    (false, _) => "the same instruction as before".into(),
                    (true, "") => "no instruction: the robot comes to rest".into(),
                    (true, text) => format!("instruction: {text}"),
                })
            }
        }
    }

    fn pages(&self, count: usize) {
        if count == 0 {
            *self.feed.lock() = None;
        }
    }
}
