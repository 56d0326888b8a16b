//! A repository on the stand-in, a cache of its own, and a person who accepts or not.

use std::time::Duration;

use f1_hub::{Fetched, Hub, HubError, HubName, Licence, Patterns, Settings, Watch};
use f1_tests::hub::{Behaviour, StandIn};
use tempfile::TempDir;

pub const NAME: &str = "InternRobotics/F1-VLA";

/// A large file: three blocks of reading and a bit.
pub fn weights() -> Vec<u8> {
    (0..3_500_000u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

pub fn model() -> Behaviour {
    Behaviour {
        repository: NAME.into(),
        licence: Some("cc-by-nc-sa-4.0".into()),
        files: vec![
            ("model.safetensors".into(), weights()),
            ("config.json".into(), b"{\"chunk_size\": 50}".to_vec()),
            ("README.md".into(), b"# F1".to_vec()),
            ("assets/a b.json".into(), b"{}".to_vec()),
        ],
        large: vec!["model.safetensors".into()],
        ..Behaviour::default()
    }
}

#[derive(Default)]
pub struct Person {
    pub refuses: bool,
    pub asked: Vec<Licence>,
    pub said: Vec<String>,
    pub total: u64,
    pub at: Vec<u64>,
}

impl Watch for Person {
    fn begin(&mut self, _: usize, bytes: u64, present: u64) {
        self.total = bytes;
        self.at.push(present);
    }

    fn at(&mut self, bytes: u64) {
        self.at.push(bytes);
    }

    fn say(&mut self, text: &str) {
        self.said.push(text.into());
    }

    fn accept(&mut self, licence: &Licence) -> bool {
        self.asked.push(licence.clone());
        !self.refuses
    }
}

pub struct Place {
    pub hub: StandIn,
    pub cache: TempDir,
}

impl Place {
    pub fn new(behaviour: Behaviour) -> Self {
        let hub = StandIn::start(behaviour).unwrap();
        Self { hub, cache: tempfile::tempdir().unwrap() }
    }

    pub fn settings(&self) -> Settings {
        Settings {
            endpoint: self.hub.endpoint.clone(),
            token: None,
            cache: self.cache.path().to_owned(),
            offline: false,
            attempts: 3,
            pause: Duration::from_millis(1),
            silence: Duration::from_secs(60),
        }
    }

    pub fn fetch(&self, patterns: &[&str], person: &mut Person) -> Result<Fetched, HubError> {
        self.fetch_with(self.settings(), patterns, person)
    }

    pub fn fetch_with(
        &self,
        settings: Settings,
        patterns: &[&str],
        person: &mut Person,
    ) -> Result<Fetched, HubError> {
        let name: HubName = NAME.parse().unwrap();
        Hub::new(settings).fetch(&name, &Patterns::new(patterns.iter().copied()), person)
    }
}
