//! The page's server over real sockets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use f1_view::{Command, ImageState, Server, Settings, Source, Token, ViewError};
use image::RgbImage;
use serde_json::{Value, json};
use tungstenite::client::IntoClientRequest as _;
use tungstenite::{Message, WebSocket};

const PATIENCE: Duration = Duration::from_secs(60);

/// A program that counts what it is asked.
#[derive(Default)]
struct Program {
    commands: Mutex<Vec<Command>>,
    pages: AtomicUsize,
    sequence: AtomicU64,
    images: AtomicU64,
    /// Cameras beside the first, with images that do not compress.
    more: usize,
}

/// The name of each further camera.
fn further(index: usize) -> String {
    format!("cameras/further {index}")
}

impl Source for Program {
    fn state(&self) -> Value {
        json!({"state": "running", "sequence": self.sequence.load(Ordering::SeqCst)})
    }

    fn images(&self) -> Vec<ImageState> {
        let sequence = self.sequence.load(Ordering::SeqCst);
        let further = (0..self.more).map(further);
        std::iter::once("cameras/front".to_owned())
            .chain(further)
            .map(|key| ImageState { key, sequence })
            .collect()
    }

    fn image(&self, key: &str) -> Option<(u64, RgbImage)> {
        self.images.fetch_add(1, Ordering::SeqCst);
        let mut noise = 1u32;
        let image = RgbImage::from_fn(320, 240, |_, _| {
            if key == "cameras/front" {
                return image::Rgb([0; 3]);
            }
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let [_, red, green, blue] = noise.to_le_bytes();
            image::Rgb([red, green, blue])
        });
        Some((self.sequence.load(Ordering::SeqCst), image))
    }

    fn command(&self, command: &Command) -> Result<String, String> {
        self.commands.lock().unwrap().push(command.clone());
        Ok("done".into())
    }

    fn pages(&self, count: usize) {
        self.pages.store(count, Ordering::SeqCst);
    }
}

fn start(address: &str, token: Option<&str>) -> (Server, Arc<Program>) {
    start_program(address, token, Program::default())
}

fn start_program(address: &str, token: Option<&str>, program: Program) -> (Server, Arc<Program>) {
    let program = Arc::new(program);
    let token = token.map(|token| Token::new(token).unwrap());
    let settings = Settings::parse(address, token).unwrap();
    (Server::start(settings, program.clone()).unwrap(), program)
}

/// Status of a plain request with these headers.
fn status(address: SocketAddr, path: &str, headers: &str) -> u16 {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nConnection: close\r\n{headers}\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text.split(' ').nth(1).unwrap().parse().unwrap()
}

type Page = WebSocket<TcpStream>;

fn open(address: SocketAddr, origin: Option<&str>) -> Result<Page, String> {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut request = format!("ws://{address}/socket").into_client_request().unwrap();
    if let Some(origin) = origin {
        request.headers_mut().insert("Origin", origin.parse().unwrap());
    }
    match tungstenite::client(request, stream) {
        Ok((page, _)) => Ok(page),
        Err(error) => Err(error.to_string()),
    }
}

fn say(page: &mut Page, value: &Value) {
    page.send(Message::text(value.to_string())).unwrap();
}

/// The next message with text; images before it are counted.
fn hear(page: &mut Page) -> (Value, usize) {
    let mut images = 0;
    loop {
        match page.read().unwrap() {
            Message::Text(text) => return (serde_json::from_str(&text).unwrap(), images),
            Message::Binary(bytes) => {
                let name = &bytes[1..=usize::from(bytes[0])];
                assert!(name.starts_with(b"cameras/f"), "{name:?}");
                assert!(bytes[name.len() + 1..].starts_with(&[0xff, 0xd8]), "a JPEG file");
                images += 1;
            }
            _ => {}
        }
    }
}

fn wait(what: &str, mut done: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !done() {
        assert!(begin.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_name_that_is_not_this_machines_is_refused_on_loopback_too() {
    let (server, _) = start("127.0.0.1:0", None);
    let address = server.address();
    for path in ["/", "/style.css", "/script.js", "/counts"] {
        assert_eq!(status(address, path, &format!("Host: {address}\r\n")), 200, "{path}");
        assert_eq!(status(address, path, "Host: evil.example:8080\r\n"), 403, "{path}");
    }
    let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let rebound = format!("Host: evil.example\r\nOrigin: http://evil.example\r\n{upgrade}");
    assert_eq!(status(address, "/socket", &rebound), 403);
    assert!(open(address, Some("http://evil.example")).is_err());
    assert!(open(address, Some("null")).is_err());
    assert!(open(address, Some(&format!("http://{address}"))).is_ok());
}

#[test]
fn another_address_needs_a_token() {
    let settings = Settings::parse("0.0.0.0:0", None).unwrap();
    let refused = Server::start(settings, Arc::new(Program::default())).unwrap_err();
    assert!(matches!(refused, ViewError::Exposed(_)), "{refused}");
    let (server, program) = start("0.0.0.0:0", Some("a long secret"));
    let address = SocketAddr::from(([127, 0, 0, 1], server.address().port()));
    let mut page = open(address, None).unwrap();
    let answer = |page: &mut Page, value: Value| {
        say(page, &value);
        hear(page).0["answer"].clone()
    };
    assert_eq!(answer(&mut page, json!({"do": "stop"}))["good"], true);
    let instruction = json!({"do": "instruction", "text": "go"});
    assert_eq!(answer(&mut page, instruction.clone())["good"], false);
    assert_eq!(answer(&mut page, json!({"do": "reset", "token": "guessed it"}))["good"], false);
    assert_eq!(*program.commands.lock().unwrap(), [Command::Stop]);
    let mut allowed = instruction;
    allowed["token"] = "a long secret".into();
    assert_eq!(answer(&mut page, allowed)["good"], true);
    assert_eq!(program.commands.lock().unwrap().len(), 2);
}

#[test]
fn guesses_of_the_token_wait_and_stop_does_not() {
    let (server, program) = start("0.0.0.0:0", Some("a long secret"));
    let address = SocketAddr::from(([127, 0, 0, 1], server.address().port()));
    let mut page = open(address, None).unwrap();
    let guesses = 200;
    for guess in 1..=guesses {
        say(&mut page, &json!({"do": "reset", "token": format!("guess {guess}"), "id": guess}));
    }
    say(&mut page, &json!({"do": "stop", "id": 999}));
    let mut refused = 0;
    loop {
        let answer = hear(&mut page).0["answer"].clone();
        if answer["id"] == 999 {
            break;
        }
        refused += 1;
        assert_eq!(answer["good"], false);
    }
    assert_eq!(*program.commands.lock().unwrap(), [Command::Stop]);
    assert!(refused < guesses, "stop waits for no guess");
}

#[test]
fn ten_pages_share_one_encoding() {
    let (server, program) = start("127.0.0.1:0", None);
    let mut pages: Vec<Page> = (0..10).map(|_| open(server.address(), None).unwrap()).collect();
    wait("ten pages", || program.pages.load(Ordering::SeqCst) == 10);
    for round in 1..=3 {
        program.sequence.fetch_add(1, Ordering::SeqCst);
        pages.iter_mut().for_each(|page| say(page, &json!({"next": true})));
        for page in &mut pages {
            assert_eq!(hear(page).1, 1, "one new image a round");
        }
        assert_eq!(program.images.load(Ordering::SeqCst), round);
    }
    // Without a new image none is sent.
    say(&mut pages[0], &json!({"next": true}));
    assert_eq!(hear(&mut pages[0]).1, 0);
    drop(pages);
    wait("no page", || program.pages.load(Ordering::SeqCst) == 0);
}

#[test]
fn a_page_that_stalls_asks_for_nothing_and_then_gets_the_newest() {
    let (server, program) = start("127.0.0.1:0", None);
    let mut stalled = open(server.address(), None).unwrap();
    say(&mut stalled, &json!({"next": true}));
    hear(&mut stalled);
    let before = program.images.load(Ordering::SeqCst);
    program.sequence.fetch_add(1000, Ordering::SeqCst);
    // Another page goes on, and nothing is made for the one that does not ask.
    let mut other = open(server.address(), None).unwrap();
    for _ in 0..3 {
        say(&mut other, &json!({"next": true}));
        hear(&mut other);
    }
    assert_eq!(program.images.load(Ordering::SeqCst), before + 1);
    say(&mut stalled, &json!({"next": true}));
    let (state, images) = hear(&mut stalled);
    assert_eq!((state["state"]["sequence"].as_u64(), images), (Some(1000), 1));
}

#[test]
fn a_page_that_takes_nothing_holds_up_neither_stop_nor_the_others() {
    // One update has more bytes than the sockets on both sides hold (Linux: up to 4 + 6 MB).
    let cameras = 200;
    let program = Program { more: cameras, ..Program::default() };
    let (server, program) = start_program("127.0.0.1:0", None, program);
    let mut deaf = open(server.address(), None).unwrap();
    // It asks and reads nothing: what is sent fills the sockets.
    say(&mut deaf, &json!({"next": true}));
    wait("the update is on its way", || program.images.load(Ordering::SeqCst) > 10);
    let mut other = open(server.address(), None).unwrap();
    say(&mut other, &json!({"do": "stop", "id": 7}));
    assert_eq!(hear(&mut other).0["answer"]["id"], 7);
    say(&mut other, &json!({"next": true}));
    assert_eq!(hear(&mut other).1, 1 + cameras, "the other page has its images");
    say(&mut deaf, &json!({"do": "stop"}));
    wait("its own stop", || program.commands.lock().unwrap().len() == 2);
}

#[test]
fn the_server_ends_with_its_program_while_pages_are_open() {
    let (server, _) = start("127.0.0.1:0", None);
    let address = server.address();
    let mut page = open(address, None).unwrap();
    say(&mut page, &json!({"next": true}));
    hear(&mut page);
    drop(server);
    assert!(page.read().is_err(), "the page hears that the program has ended");
    assert!(TcpStream::connect(address).is_err());
}
