//! A browser that a test drives: Debian's chromium by its chromedriver, over the WebDriver protocol
//! (W3C), which is JSON over HTTP.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Longest wait for something to appear on a page of a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Whether the programs are there. Without them the tests that need a browser say so and end:
/// `.ci/run` installs them.
pub fn is_installed() -> bool {
    let there = |program: &str| Command::new(program).arg("--version").output().is_ok();
    let both = there("chromium") && there("chromedriver");
    if !both {
        eprintln!("no chromium with chromedriver here: nothing is tested");
    }
    both
}

/// A running browser with one window.
pub struct Browser {
    driver: Child,
    session: String,
    agent: ureq::Agent,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Opens a window of this size.
    pub fn open(width: u32, height: u32) -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // "ChromeDriver was started successfully on port 36501."
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port: u16 = loop {
            let line = lines.next().expect("a line with the port").unwrap();
            if let Some((_, port)) = line.split_once("successfully on port ") {
                break port.trim_end_matches('.').parse().unwrap();
            }
        };
        std::thread::spawn(move || lines.for_each(drop));
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE * 2))
            .build()
            .into();
        let profile = tempfile::tempdir().unwrap();
        let size = format!("--window-size={width},{height}");
        let folder = format!("--user-data-dir={}", profile.path().display());
        // As root and in a container neither the sandbox nor /dev/shm can be used.
        let options = [
            "--headless=new",
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--force-color-profile=srgb",
            &size,
            &folder,
        ];
        let chrome = json!({"args": options, "binary": "/usr/bin/chromium"});
        let wanted = json!({"browserName": "chrome", "goog:chromeOptions": chrome});
        let base = format!("http://127.0.0.1:{port}");
        let mut browser = Self { driver, session: base.clone(), agent, _profile: profile };
        let opened = browser.ask("/session", json!({"capabilities": {"alwaysMatch": wanted}}));
        let id = opened["sessionId"].as_str().unwrap_or_else(|| panic!("{opened}"));
        browser.session = format!("{base}/session/{id}");
        browser
    }

    fn ask(&self, path: &str, body: Value) -> Value {
        let url = format!("{}{path}", self.session);
        let request = self.agent.post(&url).header("Content-Type", "application/json");
        let text = request.send(body.to_string()).unwrap().body_mut().read_to_string().unwrap();
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert!(answer["value"]["error"].is_null(), "{path}: {text}");
        answer["value"].clone()
    }

    /// Opens a page.
    pub fn go(&self, url: &str) {
        self.ask("/url", json!({"url": url}));
    }

    /// The value of a JavaScript expression on the page.
    pub fn value(&self, expression: &str) -> Value {
        self.ask("/execute/sync", json!({"script": format!("return {expression};"), "args": []}))
    }

    /// The value of an expression as text.
    pub fn text(&self, expression: &str) -> String {
        self.value(expression).as_str().unwrap_or_default().to_owned()
    }

    /// Waits until an expression is true; the time that it took.
    pub fn wait(&self, what: &str, expression: &str) -> Duration {
        let begin = Instant::now();
        while self.value(&format!("Boolean({expression})")) != true {
            let page = || self.text("document.body.innerText");
            assert!(begin.elapsed() < PATIENCE, "{what} does not come:\n{}", page());
            std::thread::sleep(Duration::from_millis(100));
        }
        eprintln!("{what}: {:.1} s", begin.elapsed().as_secs_f64());
        begin.elapsed()
    }

    /// Clicks on an element, as a mouse does: it must be visible and not covered.
    pub fn click(&self, selector: &str) {
        let found = self.ask("/element", json!({"using": "css selector", "value": selector}));
        let id = found.as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned();
        self.ask(&format!("/element/{id}/click"), json!({}));
    }

    /// Presses keys, one after the other; WebDriver names special ones by private characters.
    pub fn press(&self, keys: &[&str]) {
        let keys = keys
            .iter()
            .flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({"type": kind, "value": key})));
        let source = json!({"type": "key", "id": "keys", "actions": keys.collect::<Vec<_>>()});
        self.ask("/actions", json!({"actions": [source]}));
    }

    /// Gives the page this size, also one that is narrower than a window may be.
    pub fn resize(&self, width: u32, height: u32) {
        let size =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        let order = json!({"cmd": "Emulation.setDeviceMetricsOverride", "params": size});
        self.ask("/goog/cdp/execute", order);
    }

    /// What the window shows, as a PNG file in base64.
    pub fn screenshot(&self) -> String {
        let url = format!("{}/screenshot", self.session);
        let text = self.agent.get(&url).call().unwrap().body_mut().read_to_string().unwrap();
        let answer: Value = serde_json::from_str(&text).unwrap();
        answer["value"].as_str().unwrap().to_owned()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Ends the browser; then its driver.
        let _ = self.agent.delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
