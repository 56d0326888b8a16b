//! Small models and their folders.

use std::path::PathBuf;

use f1_model::Config;

/// The golden data of the repository.
pub fn goldens() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/goldens")
}

/// The tiny golden model.
pub fn tiny() -> PathBuf {
    goldens().join("tiny_f32")
}

/// The tiny golden configuration.
pub fn tiny_config() -> Config {
    Config::load(&tiny()).expect("the tiny configuration loads")
}
