//! The live page of a server: its connections with their prompts, images and timings.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use f1_view::{Command, ImageState, Source};
use image::RgbImage;
use parking_lot::Mutex;
use serde_json::{Value, json};

/// What one connection last did.
struct Shown {
    protocol: &'static str,
    prompt: String,
    requests: u64,
    infer: Duration,
    waited: Duration,
    /// Newest images by their names.
    images: BTreeMap<String, Arc<RgbImage>>,
}

/// All connections, for a page.
#[derive(Default)]
pub struct Watching {
    name: String,
    /// Whether a page is open: images are kept only then.
    open: AtomicBool,
    state: Mutex<(u64, BTreeMap<u64, Shown>)>,
}

impl Watching {
    /// Nothing is connected yet; `name` says what is served.
    #[must_use]
    pub fn new(name: String) -> Arc<Self> {
        Arc::new(Self { name, ..Self::default() })
    }

    /// Whether a page is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }

    /// A new connection.
    pub fn connect(self: &Arc<Self>, protocol: &'static str) -> Watched {
        let mut state = self.state.lock();
        state.0 += 1;
        let id = state.0;
        let shown = Shown {
            protocol,
            prompt: String::new(),
            requests: 0,
            infer: Duration::ZERO,
            waited: Duration::ZERO,
            images: BTreeMap::new(),
        };
        state.1.insert(id, shown);
        Watched { id, watching: self.clone() }
    }
}

/// One connection; it leaves the page when it is dropped.
pub struct Watched {
    id: u64,
    watching: Arc<Watching>,
}

impl Watched {
    /// Images that the page shows, where one is open.
    pub fn images<'a>(
        &self,
        images: impl Iterator<Item = (&'a str, &'a RgbImage)>,
    ) -> Vec<(String, Arc<RgbImage>)> {
        if !self.watching.is_open() {
            return Vec::new();
        }
        images.map(|(name, image)| (name.to_owned(), Arc::new(image.clone()))).collect()
    }

    /// A request was answered after the network's `infer` and a wait of `waited`.
    pub fn answered(
        &self,
        prompt: &str,
        (infer, waited): (Duration, Duration),
        images: Vec<(String, Arc<RgbImage>)>,
    ) {
        let mut state = self.watching.state.lock();
        let Some(shown) = state.1.get_mut(&self.id) else { return };
        shown.requests += 1;
        (shown.infer, shown.waited) = (infer, waited);
        if shown.prompt != prompt {
            prompt.clone_into(&mut shown.prompt);
        }
        shown.images.extend(images);
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.watching.state.lock().1.remove(&self.id);
    }
}

/// An image's name on the page.
fn key(id: u64, name: &str) -> String {
    format!("cameras/connection {id}, {name}")
}

impl Source for Watching {
    fn state(&self) -> Value {
        let state = self.state.lock();
        let connections: Vec<Value> = state
            .1
            .iter()
            .map(|(id, shown)| {
                json!({
                    "client": format!("connection {id}"),
                    "protocol": shown.protocol,
                    "prompt": shown.prompt,
                    "requests": shown.requests,
                    "infer": shown.infer.as_secs_f64(),
                    "waited": shown.waited.as_secs_f64(),
                })
            })
            .collect();
        drop(state);
        let many = if connections.len() == 1 { "connection" } else { "connections" };
        let keys: Vec<String> = self.images().into_iter().map(|one| one.key).collect();
        json!({
            "program": "f1 serve",
            "model": self.name,
            "state": "serving",
            "reason": format!("{}: {} {many}", self.name, connections.len()),
            "controls": false,
            "connections": connections,
            "images": keys,
        })
    }

    fn images(&self) -> Vec<ImageState> {
        let state = self.state.lock();
        let of_one = state.1.iter().flat_map(|(id, shown)| {
            let of_name =
                move |name: &String| ImageState { key: key(*id, name), sequence: shown.requests };
            shown.images.keys().map(of_name)
        });
        of_one.collect()
    }

    fn image(&self, wanted: &str) -> Option<(u64, RgbImage)> {
        let found = {
            let state = self.state.lock();
            state.1.iter().find_map(|(id, shown)| {
                let image = shown.images.iter().find(|(name, _)| key(*id, name) == wanted)?;
                Some((shown.requests, image.1.clone()))
            })
        };
        found.map(|(sequence, image)| (sequence, (*image).clone()))
    }

    fn command(&self, _: &Command) -> Result<String, String> {
        Err("a policy server moves no robot: stop and instruction are the client's".into())
    }

    fn pages(&self, count: usize) {
        self.open.store(count > 0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_shown_with_its_images_while_a_page_is_open() {
        let watching = Watching::new("f1_bench".into());
        let connection = watching.connect("openpi");
        let image = RgbImage::from_pixel(2, 2, image::Rgb([9; 3]));
        let taken = || connection.images(std::iter::once(("front", &image)));
        assert!(taken().is_empty(), "no page is open");
        watching.pages(1);
        let times = (Duration::from_millis(30), Duration::from_millis(4));
        connection.answered("pick", times, taken());
        let state = watching.state();
        assert_eq!(state["connections"][0]["prompt"], "pick");
        assert_eq!(state["connections"][0]["infer"], 0.03);
        let shown = &watching.images()[0];
        assert_eq!(watching.image(&shown.key).unwrap(), (1, image.clone()));
        drop(connection);
        assert_eq!(watching.state()["connections"], json!([]));
        assert!(watching.images().is_empty());
    }
}
