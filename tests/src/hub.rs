//! A stand-in for the hub's API on loopback: it lists one repository, serves its files with byte
//! ranges from another port, as the hub's storage does, and misbehaves as a test wants.

use std::collections::HashMap;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

/// The commit of the repository.
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
/// The only token that opens a closed repository.
pub const TOKEN: &str = "hf_of_the_test";

/// What the stand-in does.
#[derive(Debug, Clone, Default)]
pub struct Behaviour {
    /// The repository, `OWNER/NAME`; of data sets `datasets/OWNER/NAME`.
    pub repository: String,
    /// The licence on its card.
    pub licence: Option<String>,
    /// Path and contents of each file.
    pub files: Vec<(String, Vec<u8>)>,
    /// Paths of large files, which have a SHA-256.
    pub large: Vec<String>,
    /// Entries that are listed beside the files, as they are.
    pub more_entries: Vec<Value>,
    /// Answers without the right token get this status.
    pub closed: Option<u16>,
    /// Connections that send a file end after so many bytes of it, so many times.
    pub cuts: (usize, usize),
    /// Files come with their first byte changed, so many times.
    pub corrupted: usize,
    /// Byte ranges are not understood: the whole file comes.
    pub without_ranges: bool,
    /// So many answers are status 503 first.
    pub busy: usize,
    /// No file is sent before so many listings were asked for.
    pub listings_first: usize,
}

/// One request that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Path and query.
    pub path: String,
    /// Headers by their names in lower case.
    pub headers: HashMap<String, String>,
    /// Whether it came to the storage's port.
    pub storage: bool,
}

struct State {
    behaviour: Behaviour,
    requests: Vec<Request>,
    listings: usize,
}

/// The running stand-in; it ends with the process.
pub struct StandIn {
    /// `http://127.0.0.1:PORT`.
    pub endpoint: String,
    shared: Arc<(Mutex<State>, Condvar)>,
}

impl StandIn {
    /// Starts it.
    ///
    /// # Errors
    /// No port on loopback.
    pub fn start(behaviour: Behaviour) -> io::Result<Self> {
        let state = State { behaviour, requests: Vec::new(), listings: 0 };
        let shared = Arc::new((Mutex::new(state), Condvar::new()));
        let (api, storage) = (TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?);
        let endpoint = format!("http://{}", api.local_addr()?);
        let elsewhere = format!("http://localhost:{}", storage.local_addr()?.port());
        for (listener, is_storage) in [(api, false), (storage, true)] {
            let (shared, elsewhere, own) = (shared.clone(), elsewhere.clone(), endpoint.clone());
            std::thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    let (shared, elsewhere, own) = (shared.clone(), elsewhere.clone(), own.clone());
                    std::thread::spawn(move || {
                        // A client that goes away is part of the tests.
                        let _ = answer(stream, &shared, is_storage, &own, &elsewhere);
                    });
                }
            });
        }
        Ok(Self { endpoint, shared })
    }

    /// What came so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner).requests.clone()
    }

    /// The requests of files that came to the storage.
    #[must_use]
    pub fn downloads(&self) -> Vec<Request> {
        self.requests().into_iter().filter(|request| request.storage).collect()
    }

    /// Changes what it does from now on.
    pub fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.shared.0.lock().unwrap_or_else(PoisonError::into_inner).behaviour);
    }
}

/// Git's name of a file's contents.
#[must_use]
pub fn git_name(contents: &[u8]) -> String {
    let mut sum = Sha1::new();
    sum.update(format!("blob {}\0", contents.len()).as_bytes());
    sum.update(contents);
    hex(&sum.finalize())
}

/// SHA-256 of a file's contents.
#[must_use]
pub fn sha256(contents: &[u8]) -> String {
    hex(&Sha256::digest(contents))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read_request(stream: &TcpStream, storage: bool) -> io::Result<Request> {
    let mut lines = BufReader::new(stream.take(64 << 10)).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = HashMap::new();
    for line in lines {
        let line = line?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.insert(name.trim().to_lowercase(), value.trim().to_owned());
    }
    Ok(Request { path, headers, storage })
}

fn send(stream: &mut TcpStream, status: &str, headers: &str, body: &[u8]) -> io::Result<()> {
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
    )?;
    stream.write_all(body)
}

fn answer(
    mut stream: TcpStream,
    shared: &(Mutex<State>, Condvar),
    storage: bool,
    own: &str,
    elsewhere: &str,
) -> io::Result<()> {
    let request = read_request(&stream, storage)?;
    let (state, changed) = shared;
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    state.requests.push(request.clone());
    let behaviour = state.behaviour.clone();
    if state.behaviour.busy > 0 {
        state.behaviour.busy -= 1;
        return send(&mut stream, "503 Service Unavailable", "", b"");
    }
    let right =
        request.headers.get("authorization").is_some_and(|t| *t == format!("Bearer {TOKEN}"));
    if let (Some(status), false, false) = (behaviour.closed, right, storage) {
        let why = "X-Error-Code: GatedRepo\r\nX-Error-Message: Access to it is restricted\r\n";
        return send(&mut stream, &format!("{status} Refused"), why, b"{}");
    }
    let repository = behaviour.repository.clone();
    let (kind, name) = match repository.strip_prefix("datasets/") {
        Some(name) => ("datasets", name.to_owned()),
        None => ("models", repository.clone()),
    };
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let encoded = path;
    // The only character that the files of the tests have encoded.
    let path = path.replace("%20", " ");
    let path = path.as_str();
    if path.starts_with(&format!("/api/{kind}/{name}/revision/")) {
        if !["main", COMMIT].iter().any(|revision| path.ends_with(revision)) {
            return send(&mut stream, "404 Not Found", "X-Error-Code: RevisionNotFound\r\n", b"");
        }
        state.listings += 1;
        changed.notify_all();
        let card = behaviour.licence.map_or(json!({}), |licence| json!({"license": licence}));
        let info = json!({"sha": COMMIT, "cardData": card}).to_string();
        return send(&mut stream, "200 OK", "", info.as_bytes());
    }
    if path == format!("/api/{kind}/{name}/tree/{COMMIT}") {
        return send_listing(&mut stream, &behaviour, query, &format!("{own}{path}"));
    }
    let prefix = format!("/{repository}/resolve/{COMMIT}/");
    let Some(file) = path.strip_prefix(&prefix) else {
        return send(&mut stream, "404 Not Found", "X-Error-Code: RepoNotFound\r\n", b"");
    };
    if !storage {
        let location = format!("Location: {elsewhere}{encoded}\r\n");
        return send(&mut stream, "302 Found", &location, b"");
    }
    while state.listings < behaviour.listings_first {
        let wait = changed.wait_timeout(state, Duration::from_secs(60));
        let (guard, late) = wait.unwrap_or_else(PoisonError::into_inner);
        state = guard;
        if late.timed_out() {
            break;
        }
    }
    send_file(stream, &request, state, file)
}

/// Two entries a page, so that a listing has several.
fn send_listing(
    stream: &mut TcpStream,
    behaviour: &Behaviour,
    query: &str,
    address: &str,
) -> io::Result<()> {
    let mut entries = vec![json!({"type": "directory", "path": "meta", "oid": "", "size": 0})];
    entries.extend(behaviour.files.iter().map(|(path, contents)| {
        let (oid, size) = (git_name(contents), contents.len());
        let mut entry = json!({"type": "file", "path": path, "oid": oid, "size": size});
        if behaviour.large.contains(path) {
            entry["lfs"] = json!({"oid": sha256(contents), "size": size, "pointerSize": 134});
        }
        entry
    }));
    entries.extend(behaviour.more_entries.iter().cloned());
    let from = query.split('&').find_map(|part| part.strip_prefix("cursor="));
    let from: usize = from.and_then(|from| from.parse().ok()).unwrap_or(0);
    let page: Vec<Value> = entries.iter().skip(from).take(2).cloned().collect();
    let next = from + 2;
    let more = next < entries.len();
    let link = format!("Link: <{address}?recursive=true&cursor={next}>; rel=\"next\"\r\n");
    let body = Value::Array(page).to_string();
    send(stream, "200 OK", if more { &link } else { "" }, body.as_bytes())
}

fn send_file(
    mut stream: TcpStream,
    request: &Request,
    mut state: std::sync::MutexGuard<'_, State>,
    file: &str,
) -> io::Result<()> {
    let behaviour = &mut state.behaviour;
    let found = behaviour.files.iter().find(|(path, _)| path == file);
    let Some((_, contents)) = found.cloned() else {
        return send(&mut stream, "404 Not Found", "X-Error-Code: EntryNotFound\r\n", b"");
    };
    let mut contents = contents;
    if behaviour.corrupted > 0 && !contents.is_empty() {
        behaviour.corrupted -= 1;
        contents[0] ^= 1;
    }
    let cut = (behaviour.cuts.1 > 0).then_some(behaviour.cuts.0);
    behaviour.cuts.1 = behaviour.cuts.1.saturating_sub(1);
    let range = request.headers.get("range").filter(|_| !behaviour.without_ranges);
    let from =
        range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    drop(state);
    let (from, size): (usize, usize) = (from.unwrap_or(0), contents.len());
    let body = contents.get(from..).unwrap_or_default();
    let length = body.len();
    let status = match range {
        Some(_) if from >= size => "416 Range Not Satisfiable".to_owned(),
        Some(_) => {
            format!("206 Partial Content\r\nContent-Range: bytes {from}-{}/{size}", size - 1)
        }
        None => "200 OK".to_owned(),
    };
    write!(stream, "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n")?;
    stream.write_all(&body[..cut.unwrap_or(length).min(length)])?;
    stream.flush()?;
    stream.shutdown(Shutdown::Both)
}
