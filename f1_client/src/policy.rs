//! The policy of the nodes that asks a server.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use f1_model::ActRequest;
use f1_policy_node::foresight::ServerOptions;
use f1_policy_node::observation::Observation;
use f1_policy_node::policy::{
    PastFrame, PerceiveRequest, Perceived, Policy, PolicyError, PolicyInfo,
};
use f1_policy_node::resources::{ResourceError, Resources};
use f1_policy_node::stages::StageTimes;
use f1_robot::{ChunkDecoder, Robot};
use f1_serve::key::ApiKey;
use f1_serve::layout::Layout;
use f1_serve::message;
use image::RgbImage;
use parking_lot::{Condvar, Mutex};
use rmpv::Value;

use crate::address::ServerAddress;
use crate::answer::Answer;
use crate::check::check;
use crate::connection::{Connection, ConnectionSettings};
use crate::request::{Entries, RequestWriter};
use crate::tls;

/// How long to wait for the foreseen image of an observation whose chunk is not asked for.
const UNASKED: Duration = Duration::from_millis(500);

/// Connects to the policy server `address` and makes the resources of the nodes for a robot.
/// Layouts that are named are looked for in the folder `layouts`.
///
/// # Errors
/// The robot file; an address, a key, certificates or a layout that cannot be used; a server that
/// is not reached in time; a server, layout and robot that do not fit together, with every fault.
pub fn connect(
    robot_file: &Path,
    address: &str,
    options: &ServerOptions,
    layouts: &Path,
) -> Result<Resources, ResourceError> {
    let robot = Arc::new(Robot::load(robot_file)?);
    let refused = |reason: String| ResourceError::Server { url: address.to_owned(), reason };
    let server = ServerAddress::parse(address).map_err(|reason| {
        // What is no address may hold a secret: it is not shown.
        ResourceError::Server { url: "(of the parameter model)".into(), reason }
    })?;
    let key = ApiKey::read(options.key_file.as_deref()).map_err(refused)?;
    if key.is_some() && server.shows_a_key() {
        tracing::warn!("policy server {server}: the API key travels unencrypted; use wss://");
    }
    let settings = ConnectionSettings {
        address: server.clone(),
        key,
        tls: tls::client_config(options.authorities.as_deref()).map_err(refused)?,
        connecting: options.timeout.max(Duration::from_secs(1)),
    };
    let connection = Connection::start(settings).map_err(refused)?;
    let metadata = connection.wait_open(options.wait).map_err(refused)?;
    let layout = match (options.layout.as_str(), &metadata.layout) {
        ("", Some(layout)) => layout.clone(),
        ("", None) => {
            let reason = "it does not say how its observations are laid out: name a layout \
                          (server_layout, --layout)";
            return Err(refused(reason.into()));
        }
        (layout, _) => layout.to_owned(),
    };
    let layout = Layout::load(&layout, layouts).map_err(|error| refused(error.to_string()))?;
    let writer = RequestWriter::new(&robot, layout, metadata.clone()).map_err(|faults| {
        ResourceError::Mismatch {
            robot: robot.file().name.clone(),
            model: server.to_string(),
            faults,
        }
    })?;
    let server_side = Arc::new(ServerSide {
        connection,
        writer,
        decoder: ChunkDecoder::in_robot_units(robot.clone()),
        robot: robot.clone(),
        timeout: options.timeout,
        horizon: AtomicUsize::new(metadata.horizon.unwrap_or(1)),
        checked: AtomicU64::new(0),
        name: format!("policy server {server}"),
    });
    let policy = ServerPolicy { info: metadata.info.clone(), server: server_side };
    Ok(Resources::in_robot_units(robot, Arc::new(policy), server.to_string()))
}

/// A policy that computes at the other end of a socket.
struct ServerPolicy {
    info: PolicyInfo,
    server: Arc<ServerSide>,
}

struct ServerSide {
    connection: Connection,
    writer: RequestWriter,
    robot: Arc<Robot>,
    decoder: ChunkDecoder,
    /// How long an answer is waited for.
    timeout: Duration,
    /// Rows of the last chunk.
    horizon: AtomicUsize,
    /// The connection whose first answer was found to fit the robot; 0 before any.
    checked: AtomicU64,
    name: String,
}

impl ServerSide {
    fn failed(&self, reason: impl std::fmt::Display) -> PolicyError {
        PolicyError::Remote(format!("{}: {reason}", self.name))
    }
}

impl Policy for ServerPolicy {
    fn info(&self) -> &PolicyInfo {
        &self.info
    }

    fn horizon(&self) -> usize {
        self.server.horizon.load(Ordering::Relaxed)
    }

    fn instruct(&self, _: &str) -> Result<(), PolicyError> {
        // The words go with each request.
        Ok(())
    }

    fn keep(&self, image: &Arc<RgbImage>) -> Result<PastFrame, PolicyError> {
        Ok(PastFrame::Image(image.clone()))
    }

    fn perceive(
        &self,
        request: &PerceiveRequest<'_>,
        times: &mut StageTimes,
    ) -> Result<Arc<dyn Perceived>, PolicyError> {
        let begin = Instant::now();
        let PerceiveRequest { observation, seed, show } = *request;
        let entries = self
            .server
            .writer
            .write(observation, seed, show)
            .map_err(|reason| self.server.failed(reason))?;
        times.network = begin.elapsed();
        Ok(Arc::new(Asked {
            server: self.server.clone(),
            observation: observation.clone(),
            entries,
            image: Mutex::new(Image::Unasked),
            changed: Condvar::new(),
        }))
    }
}

/// The foreseen image of one observation.
enum Image {
    /// The image comes with the chunk, which has not been asked for yet.
    Unasked,
    /// The request is under way.
    UnderWay,
    /// What came.
    Came(Result<RgbImage, String>),
}

/// One observation, ready to be sent: it goes out when its chunk is asked for, so that the rows
/// that are held fixed are those of that moment.
struct Asked {
    server: Arc<ServerSide>,
    observation: Arc<Observation>,
    entries: Entries,
    image: Mutex<Image>,
    changed: Condvar,
}

impl Perceived for Asked {
    fn act(
        &self,
        request: &ActRequest,
        times: &mut StageTimes,
    ) -> Result<Vec<Vec<f32>>, PolicyError> {
        self.note(Image::UnderWay);
        let span = tracing::debug_span!("request");
        let _inside = span.enter();
        let outcome = self.ask(request, times);
        let image = match &outcome {
            Ok((_, Some(image))) => Ok(image.clone()),
            Ok((_, None)) => Err("its answer holds no foreseen image".into()),
            Err(reason) => Err(reason.clone()),
        };
        self.note(Image::Came(image));
        outcome.map(|(rows, _)| rows).map_err(|reason| self.server.failed(reason))
    }

    fn imagine(&self) -> Result<RgbImage, PolicyError> {
        let mut image = self.image.lock();
        let limit = self.server.timeout + UNASKED;
        let unasked = Instant::now() + UNASKED;
        let end = Instant::now() + limit;
        loop {
            let until = match &*image {
                Image::Came(Ok(image)) => return Ok(image.clone()),
                Image::Came(Err(reason)) => return Err(self.server.failed(reason)),
                Image::Unasked => unasked,
                Image::UnderWay => end,
            };
            if self.changed.wait_until(&mut image, until).timed_out()
                && !matches!(*image, Image::Came(_))
            {
                return Err(self.server.failed("no foreseen image came"));
            }
        }
    }
}

impl Asked {
    fn note(&self, image: Image) {
        *self.image.lock() = image;
        self.changed.notify_all();
    }

    /// Sends the request, waits, and checks what comes.
    fn ask(
        &self,
        request: &ActRequest,
        times: &mut StageTimes,
    ) -> Result<(Vec<Vec<f32>>, Option<RgbImage>), String> {
        let begin = Instant::now();
        let server = &self.server;
        let mut entries = self.entries.clone();
        if let Some(guidance) = &request.guidance {
            let held = guidance.weights.iter().take_while(|weight| **weight >= 1.0).count();
            if held > 0 && server.writer.takes("frozen") {
                entries.push(server.writer.frozen(&guidance.previous[..held])?);
            }
        }
        let bytes = message::write(&Value::Map(entries));
        let reply = server.connection.ask(bytes, server.timeout)?;
        let answer = Answer::read(&reply.bytes, server.writer.layout())
            .map_err(|reason| format!("its answer is malformed: {reason}"))?;
        if let Some(stamp) = answer.stamp
            && stamp != self.observation.stamp_ns
        {
            return Err(format!("its answer is to another observation, stamped {stamp} ns"));
        }
        let as_f32 = |row: &Vec<f64>| row.iter().map(|value| *value as f32).collect();
        let rows: Vec<Vec<f32>> = answer.actions.iter().map(as_f32).collect();
        // Another server may stand behind a new connection.
        if server.checked.load(Ordering::Relaxed) != reply.connection {
            let start = &self.observation.joints.positions;
            check(&server.robot, &server.decoder, &rows, start)?;
            server.checked.store(reply.connection, Ordering::Relaxed);
        }
        server.horizon.store(rows.len(), Ordering::Relaxed);
        // The server's share cannot be more than the whole.
        times.server = answer.server.min(reply.took);
        times.network += begin.elapsed().saturating_sub(times.server);
        Ok((rows, answer.foreseen))
    }
}
