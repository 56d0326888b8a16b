//! Models and data sets of the Hugging Face hub by their names: `hf://OWNER/NAME[@REVISION]` and
//! `hf://datasets/OWNER/NAME[@REVISION]`.
//!
//! Files lie in the hub's own cache, with its layout and locks, so that Python's `huggingface_hub`
//! and this crate find what the other has fetched. A download that was cut goes on where it ended,
//! and a file is put in place only when its size and checksum are those that the hub lists.

mod cache;
mod client;
mod download;
mod error;
mod fetch;
mod licence;
mod name;
mod patterns;
mod settings;

pub use client::{Digest, RemoteFile, Repository};
pub use error::HubError;
pub use fetch::{Fetched, Hub, Watch};
pub use licence::Licence;
pub use name::{HubName, RepoKind};
pub use patterns::Patterns;
pub use settings::Settings;

/// What begins a name of the hub where a folder is taken.
pub const SCHEME: &str = "hf://";

/// Files of a model that are read here.
pub const MODEL_FILES: [&str; 2] = ["*.json", "*.safetensors"];

/// The text tokenizer of a model.
pub const TOKENIZER_FILE: &str = "tokenizer.json";
