//! The Python peer of `tests/peer`: a ROS 2 node made of a DDS that shares no code with ours, as a
//! child process.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::environment;

/// Names a Python that has what `tests/peer/requirements.txt` asks for; no environment is made
/// then.
pub const PYTHON_VARIABLE: &str = "F1_PEER_PYTHON";

/// Why the peer cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No Python with Cyclone DDS, and none could be made.
    #[error(
        "the Python peer cannot be set up: {0}\nIt needs python3 with venv and pip, and a package index; or set \
         {PYTHON_VARIABLE} to a Python that has `pip install -r tests/peer/requirements.txt`"
    )]
    Setup(String),
    /// The process cannot be started or has gone.
    #[error("the Python peer: {0}")]
    Process(String),
    /// It answered a request with an error.
    #[error("the Python peer refused {request}: {error}")]
    Refused {
        /// What was asked.
        request: String,
        /// Its answer.
        error: String,
    },
    /// What was waited for did not come in time.
    #[error("the Python peer sent nothing about {0} in time")]
    Timeout(String),
}

/// The folder of the peer's sources.
pub fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peer")
}

/// A Python with Cyclone DDS. Made once, in the target folder: a virtual environment and `pip
/// install`.
///
/// # Errors
/// [`Error::Setup`] with the output of the step that failed.
pub fn python() -> Result<PathBuf, Error> {
    static PYTHON: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let requirements = source().join("requirements.txt");
    PYTHON
        .get_or_init(|| environment::python("peer-venv", &requirements, PYTHON_VARIABLE))
        .clone()
        .map_err(Error::Setup)
}

/// A running peer. Killed when dropped.
#[derive(Debug)]
pub struct Peer {
    child: Child,
    input: Option<ChildStdin>,
    output: Receiver<Value>,
    /// Lines that were read while another was waited for.
    kept: Vec<Value>,
    next: u64,
}

impl Peer {
    /// Starts `python -m f1_peer COMMAND` in the DDS domain `domain`.
    ///
    /// # Errors
    /// No Python, or the process does not start.
    pub fn start(command: &str, domain: u16) -> Result<Peer, Error> {
        let mut child = Command::new(python()?)
            .args(["-m", "f1_peer", "--domain", &domain.to_string(), command])
            .env("PYTHONPATH", source())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| Error::Process(e.to_string()))?;
        let (sender, output) = channel();
        if let Some(stdout) = child.stdout.take() {
            std::thread::spawn(move || forward(stdout, &sender));
        }
        Ok(Peer { input: child.stdin.take(), child, output, kept: Vec::new(), next: 0 })
    }

    /// A node driven by requests: see `tests/peer/f1_peer/session.py`.
    ///
    /// # Errors
    /// As [`Peer::start`]; a peer that is not ready in 30 s.
    pub fn session(domain: u16) -> Result<Peer, Error> {
        let mut peer = Peer::start("session", domain)?;
        peer.wait(Duration::from_secs(30), "its start", |line| line["event"] == "ready")?;
        Ok(peer)
    }

    /// The process, for signals.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a line.
    ///
    /// # Errors
    /// The process has gone.
    pub fn send(&mut self, line: &Value) -> Result<(), Error> {
        let gone = |e: std::io::Error| Error::Process(e.to_string());
        let input = self.input.as_mut().ok_or_else(|| Error::Process("has no input".to_owned()))?;
        writeln!(input, "{line}").map_err(gone)?;
        input.flush().map_err(gone)
    }

    /// The next line in order, whatever it is.
    ///
    /// # Errors
    /// None within `timeout`, or the process has gone.
    pub fn next(&mut self, timeout: Duration) -> Result<Value, Error> {
        if !self.kept.is_empty() {
            return Ok(self.kept.remove(0));
        }
        self.output.recv_timeout(timeout).map_err(|e| match e {
            RecvTimeoutError::Timeout => Error::Timeout("anything".to_owned()),
            RecvTimeoutError::Disconnected => Error::Process("has ended".to_owned()),
        })
    }

    /// The first line, kept or new, that `matches`; others are kept in their order.
    ///
    /// # Errors
    /// None within `timeout`, or the process has gone.
    pub fn wait(
        &mut self,
        timeout: Duration,
        what: &str,
        matches: impl Fn(&Value) -> bool,
    ) -> Result<Value, Error> {
        if let Some(index) = self.kept.iter().position(&matches) {
            return Ok(self.kept.remove(index));
        }
        let end = Instant::now() + timeout;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(line) if matches(&line) => return Ok(line),
                Ok(line) => self.kept.push(line),
                Err(RecvTimeoutError::Timeout) => return Err(Error::Timeout(what.to_owned())),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Error::Process(format!("has ended before {what}")));
                }
            }
        }
    }

    /// Sends a request of a session without waiting; the number goes to [`Peer::reply`].
    ///
    /// # Errors
    /// The process has gone.
    pub fn ask(&mut self, mut request: Value) -> Result<u64, Error> {
        self.next += 1;
        request["id"] = json!(self.next);
        self.send(&request)?;
        Ok(self.next)
    }

    /// The reply to a request.
    ///
    /// # Errors
    /// None within `timeout`, or the peer refused it.
    pub fn reply(&mut self, number: u64, timeout: Duration) -> Result<Value, Error> {
        let what = format!("request {number}");
        let reply = self.wait(timeout, &what, |line| line["reply"] == number)?;
        match reply.get("error") {
            None => Ok(reply),
            Some(error) => Err(Error::Refused { request: what, error: error.to_string() }),
        }
    }

    /// Sends a request of a session and waits up to 30 s for its reply.
    ///
    /// # Errors
    /// As [`Peer::ask`] and [`Peer::reply`].
    pub fn request(&mut self, request: Value) -> Result<Value, Error> {
        let number = self.ask(request)?;
        self.reply(number, Duration::from_secs(30))
    }

    /// The next event of this kind.
    ///
    /// # Errors
    /// None within `timeout`, or the process has gone.
    pub fn event(&mut self, kind: &str, timeout: Duration) -> Result<Value, Error> {
        self.wait(timeout, kind, |line| line["event"] == kind)
    }

    /// Ends it as a crash would: no goodbye on the network.
    pub fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        // It may have ended by itself: then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.end();
    }
}

fn forward(stdout: impl std::io::Read, sender: &Sender<Value>) {
    for line in BufReader::new(stdout).lines() {
        let Ok(line) = line else { return };
        // A line that is no JSON is a library's.
        if let Ok(value) = serde_json::from_str(&line)
            && sender.send(value).is_err()
        {
            return;
        }
    }
}
