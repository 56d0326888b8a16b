//! The live page in a real browser, of a robot and a policy in two further processes. Screenshots
//! go to the folder that `F1_VIEW_SHOTS` names.

use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use f1_tests::PATIENT;

use crate::browser::{Browser, PATIENCE, is_installed};
use crate::process::{REST, Running, root, speed};

/// WebDriver's names of keys.
const ESCAPE: &str = "\u{e00c}";
const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";

/// One browser and one policy at a time: a chunk that comes after the second that it covers is
/// refused, and nothing moves.
static ALONE: Mutex<()> = Mutex::new(());

/// Both cameras have shown some images.
const CAMERAS: &str = "(counts => counts.length === 2 && counts.every(count => count >= 3))\
    ([...document.querySelectorAll('#cameras .images figure')].map(f => Number(f.dataset.count)))";

/// A policy with its page, which answers when this returns; ended when it is dropped.
fn policy(namespace: &str, port: u16) -> Running {
    let mut command = Command::new(env!("CARGO_BIN_EXE_f1"));
    command
        .args(["run", "--backend", "dds", "--namespace", namespace])
        .args(["--view", &port.to_string(), "--", "--ros-args"])
        .args(PATIENT.iter().flat_map(|parameter| ["-p", parameter]))
        .env("F1_SHARE", root())
        .stderr(Stdio::null());
    let running = Running::start(&mut command, false);
    let begin = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(begin.elapsed() < PATIENCE, "no page on port {port}");
        std::thread::sleep(Duration::from_millis(100));
    }
    running
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Waits until each of the robot's last joint states is at rest.
fn comes_to_rest(robot: &Running) {
    robot.rest();
    let mut still = 0;
    robot.wait("rest", |line| {
        if let Some(speed) = speed(line) {
            still = if speed < REST { still + 1 } else { 0 };
        }
        still == 50
    });
}

/// Writes an instruction as a person does, and sends it by Enter.
fn instruct(browser: &Browser, text: &str) {
    let input = "document.getElementById('instruction')";
    browser.value(&format!("({input}.focus(), {input}.select())"));
    let keys: Vec<String> = text.chars().map(String::from).collect();
    browser.press(&keys.iter().map(String::as_str).collect::<Vec<_>>());
    browser.press(&[ENTER]);
    let answered = format!("document.getElementById('answer').textContent.includes('{text}')");
    browser.wait("the instruction is taken", &answered);
}

fn keep(browser: &Browser, name: &str) {
    if let Some(folder) = std::env::var_os("F1_VIEW_SHOTS") {
        let file = base64::engine::general_purpose::STANDARD.decode(browser.screenshot()).unwrap();
        std::fs::write(PathBuf::from(folder).join(name), file).unwrap();
    }
}

#[test]
fn the_page_shows_the_robot_and_stops_it_where_chromium_is_installed() {
    if !is_installed() {
        return;
    }
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let robot = Running::part("robot /view");
    let port = free_port();
    let mut policy = policy("/view", port);
    let browser = Browser::open(1280, 1000);
    browser.go(&format!("http://127.0.0.1:{port}/"));
    browser.wait("both cameras move", CAMERAS);
    // Why it does not move, in large letters.
    let waits = "document.body.dataset.state === 'waiting' \
                 && document.getElementById('reason').textContent.includes('instruction')";
    browser.wait("it waits for an instruction", waits);

    instruct(&browser, "pick up the red cube");
    robot.rest();
    robot.wait("motion", |line| speed(line) > Some(5.0 * REST));
    // Stop brings the arm to rest, and says so in large letters.
    browser.click("#stop");
    browser.wait("stopped", "document.body.dataset.state === 'stopped'");
    assert!(browser.text("document.getElementById('reason').textContent").contains("stop"));
    comes_to_rest(&robot);
    keep(&browser, "stopped_1280.png");
    browser.click("#reset");
    browser.wait("reset", "document.body.dataset.state !== 'stopped'");

    browser.wait("it runs", "document.body.dataset.state === 'running'");
    let foreseen = "[...document.querySelectorAll('#foresight .images figure')]\
                    .some(figure => figure.dataset.count >= 2)";
    browser.wait("the foreseen image", foreseen);
    browser.wait("its error", "document.querySelectorAll('#error svg circle').length >= 2");
    browser.wait("joints", "document.querySelectorAll('#joints tbody tr').length >= 7");
    browser.wait("the path", "document.querySelectorAll('#path svg circle').length > 4");
    browser.wait("stage times", "document.querySelectorAll('#stages tbody tr').length >= 5");
    let received = "[...document.querySelectorAll('#publishers tbody tr')]\
                    .filter(row => row.cells[1].textContent === 'received').length >= 3";
    browser.wait("cameras and joints are received", received);
    browser.wait("a safety event", "document.querySelectorAll('#events tbody tr').length >= 1");
    keep(&browser, "page_1280.png");

    // A phone's width: nothing is cut off, and the large letters are still there.
    browser.resize(400, 850);
    browser.wait("narrow", "window.innerWidth === 400");
    let wide = browser.value("document.documentElement.scrollWidth - window.innerWidth");
    assert!(wide.as_i64().unwrap() <= 0, "{wide} pixels are cut off");
    keep(&browser, "page_400.png");
    browser.resize(1280, 1000);

    // A publisher that falls silent is shown as such.
    drop(robot);
    let silent = "[...document.querySelectorAll('#publishers tbody tr')]\
                  .filter(row => row.cells[1].textContent === 'silent').length >= 3";
    browser.wait("the robot is silent", silent);

    // A killed program is shown as such, and the page comes back by itself.
    policy.signal("-KILL");
    policy.ended();
    let gone = "document.getElementById('state').textContent.startsWith('No connection')";
    browser.wait("the program is gone", gone);
    keep(&browser, "gone_1280.png");
    let _robot = Running::part("robot /view");
    let _again = self::policy("/view", port);
    browser.wait("the page comes back", "!document.body.classList.contains('gone')");
    browser.value("document.querySelectorAll('#cameras figure').forEach(f => f.dataset.count = 0)");
    browser.wait("with images", CAMERAS);
}

#[test]
fn the_page_is_operated_by_keyboard_and_labelled_where_chromium_is_installed() {
    if !is_installed() {
        return;
    }
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let _robot = Running::part("robot /keys");
    let port = free_port();
    let _policy = policy("/keys", port);
    let browser = Browser::open(1280, 1000);
    browser.go(&format!("http://127.0.0.1:{port}/"));
    browser.wait("joints", "document.querySelectorAll('#joints tbody tr').length >= 7");

    // Every control has a name, every image a text, every table its headings.
    for (what, all) in [
        ("inputs", "[...document.querySelectorAll('input')].every(i => i.labels.length === 1)"),
        ("buttons", "[...document.querySelectorAll('button')].every(b => b.textContent.trim())"),
        ("images", "[...document.querySelectorAll('img')].every(i => i.alt)"),
        (
            "drawings",
            "[...document.querySelectorAll('svg')].every(s => s.getAttribute('role') === 'img' \
             && (s.getAttribute('aria-label') || s.getAttribute('aria-labelledby')))",
        ),
        ("tables", "[...document.querySelectorAll('th')].every(h => h.scope === 'col')"),
        (
            "sections",
            "[...document.querySelectorAll('section')].every(s => \
             document.getElementById(s.getAttribute('aria-labelledby')))",
        ),
        ("meters", "[...document.querySelectorAll('[role=meter]')].every(m => m.ariaLabel)"),
        ("banner", "document.getElementById('banner').getAttribute('aria-live') === 'assertive'"),
        ("language", "document.documentElement.lang === 'en'"),
    ] {
        assert_eq!(browser.value(all), true, "{what}");
    }
    // Nothing comes from another host.
    let elsewhere = "performance.getEntriesByType('resource').filter(r => \
                     !r.name.startsWith(location.origin) && !r.name.startsWith('blob:')).length";
    assert_eq!(browser.value(elsewhere), 0);

    browser.press(&[TAB]);
    assert_eq!(browser.text("document.activeElement.id"), "stop");
    browser.press(&[ENTER]);
    browser.wait("stopped by Enter", "document.body.dataset.state === 'stopped'");
    browser.press(&[TAB]);
    assert_eq!(browser.text("document.activeElement.id"), "reset");
    browser.press(&[ENTER]);
    browser.wait("reset by Enter", "document.body.dataset.state !== 'stopped'");
    browser.press(&[TAB]);
    assert_eq!(browser.text("document.activeElement.id"), "instruction");
    instruct(&browser, "pick up the blue ball");
    browser.press(&[ESCAPE]);
    browser.wait("stopped by Escape", "document.body.dataset.state === 'stopped'");
}
