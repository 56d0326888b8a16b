//! Where the golden files are.

use std::path::PathBuf;

/// The golden data of the repository.
pub fn goldens() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/goldens")
}

/// The tiny golden model.
pub fn tiny() -> PathBuf {
    goldens().join("tiny_f32")
}
