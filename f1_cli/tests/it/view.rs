//! The live page in a real browser. Screenshots go to the folder that `F1_VIEW_SHOTS` names.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use base64::Engine as _;

use crate::browser::{Browser, is_installed};

/// WebDriver's names of keys.
const ESCAPE: &str = "\u{e00c}";
const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// The demo on topics with its page, ended when it is dropped.
struct Demo {
    child: Child,
    _out: tempfile::TempDir,
}

impl Demo {
    fn start(port: u16) -> Self {
        let out = tempfile::tempdir().unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_f1"))
            // The belt stands: the objects stay before the camera until the time is over.
            .args(["demo", "--backend", "dds", "--episodes", "50", "--task", "static"])
            .args(["--view", &port.to_string(), "--out"])
            .arg(out.path())
            .env("F1_SHARE", root())
            .env("ROS_DOMAIN_ID", (1 + std::process::id() % 99).to_string())
            .env("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, _out: out }
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        self.kill();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn keep(browser: &Browser, name: &str) {
    if let Some(folder) = std::env::var_os("F1_VIEW_SHOTS") {
        let file = base64::engine::general_purpose::STANDARD.decode(browser.screenshot()).unwrap();
        std::fs::write(PathBuf::from(folder).join(name), file).unwrap();
    }
}

/// How many images of a kind the page has shown.
fn shown(section: &str) -> String {
    format!(
        "[...document.querySelectorAll('#{section} .images figure')].map(f => Number(f.dataset.count))"
    )
}

#[test]
fn the_page_shows_the_demo_and_stops_it_where_chromium_is_installed() {
    if !is_installed() {
        return;
    }
    let port = free_port();
    let mut demo = Demo::start(port);
    let browser = Browser::open(1280, 1000);
    let page = format!("http://127.0.0.1:{port}/");
    // The program may not listen yet: the browser's own error page is asked again.
    let begin = std::time::Instant::now();
    loop {
        if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
            break;
        }
        assert!(begin.elapsed() < crate::browser::PATIENCE, "no page on port {port}");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    browser.go(&page);

    let both = format!("{0}.length === 2 && {0}.every(n => n >= 3)", shown("cameras"));
    browser.wait("both cameras move", &both);
    browser.wait("the foreseen image", &format!("{}.some(n => n >= 2)", shown("foresight")));
    browser.wait("its error", "document.querySelectorAll('#error svg circle').length >= 2");
    browser.wait("joints", "document.querySelectorAll('#joints tbody tr').length >= 7");
    browser.wait("the path", "document.querySelectorAll('#path svg circle').length > 4");
    browser.wait("stage times", "document.querySelectorAll('#stages tbody tr').length === 7");
    let received = "[...document.querySelectorAll('#publishers tbody tr')]\
                    .filter(row => row.cells[1].textContent === 'received').length >= 3";
    browser.wait("cameras and joints are received", received);
    browser.wait("it runs", "document.body.dataset.state === 'running'");
    keep(&browser, "page_1280.png");

    // Stop brings the arm to rest, and says so in large letters.
    browser.click("#stop");
    browser.wait("stopped", "document.body.dataset.state === 'stopped'");
    assert!(browser.text("document.getElementById('reason').textContent").contains("stop"));
    let joints = "[...document.querySelectorAll('#joints tbody tr')].map(r => r.cells[2].textContent).join()";
    let still = format!(
        "(window.f1_last === (window.f1_last = {joints})) ? (window.f1_still = (window.f1_still || 0) + 1) > 10 \
         : (window.f1_still = 0)"
    );
    browser.wait("the arm is at rest", &still);
    keep(&browser, "stopped_1280.png");
    browser.click("#reset");
    browser.wait("reset", "document.body.dataset.state !== 'stopped'");

    // A phone's width: nothing is cut off, and the large letters are still there.
    browser.resize(400, 850);
    browser.wait("narrow", "window.innerWidth === 400");
    let wide = browser.value("document.documentElement.scrollWidth - window.innerWidth");
    assert!(wide.as_i64().unwrap() <= 0, "{wide} pixels are cut off");
    keep(&browser, "page_400.png");
    browser.resize(1280, 1000);

    // A killed program is shown as such, and the page comes back by itself.
    demo.kill();
    let gone = "document.getElementById('state').textContent.startsWith('No connection')";
    browser.wait("the program is gone", gone);
    keep(&browser, "gone_1280.png");
    let _again = Demo::start(port);
    browser.wait("the page comes back", "!document.body.classList.contains('gone')");
    browser.wait("with images", &both);
}

#[test]
fn the_page_is_operated_by_keyboard_and_labelled_where_chromium_is_installed() {
    if !is_installed() {
        return;
    }
    let port = free_port();
    let _demo = Demo::start(port);
    let begin = std::time::Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(begin.elapsed() < crate::browser::PATIENCE, "no page on port {port}");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
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
    browser.value("document.getElementById('instruction').select()");
    let words: Vec<String> = "pick up the blue ball".chars().map(String::from).collect();
    browser.press(&words.iter().map(String::as_str).collect::<Vec<_>>());
    browser.press(&[ENTER]);
    let answered =
        "document.getElementById('answer').textContent.includes('pick up the blue ball')";
    browser.wait("the instruction is taken", answered);
    browser.press(&[ESCAPE]);
    browser.wait("stopped by Escape", "document.body.dataset.state === 'stopped'");
}
