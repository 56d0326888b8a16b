//! Turns ROS 2 interface files (`.msg`, `.srv`, `.action`) into the Rust types of `f1_interfaces`.
//!
//! [`read`] a tree of definitions, then [`generate`] gives the text of every Rust file; the program
//! of this crate writes them. Type hashes come from [`describe`].

pub mod describe;
mod emit;
pub mod model;
mod parse;

use std::path::{Path, PathBuf};

pub use emit::generate;
use model::{Element, Interfaces, Kind};
pub use parse::{ParseError, parse};

/// Why no types can be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder cannot be read.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A file is not an interface.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// A field's type is defined nowhere.
    #[error("{user} uses {name}, which is not defined")]
    Unknown {
        /// The structure with the field.
        user: String,
        /// The type that is missing.
        name: String,
    },
    /// A default or constant is no value of its type.
    #[error("{place}: `{value}` is no value of its type")]
    Value {
        /// Structure and member.
        place: String,
        /// The text.
        value: String,
    },
}

/// Reads `package/{msg,srv,action}/*` below each folder of `roots`, and each of `packages` (a
/// folder that is itself one package); checks that every type used is defined.
///
/// # Errors
/// The first file that cannot be read or understood.
pub fn read(roots: &[&Path], packages: &[&Path]) -> Result<Interfaces, Error> {
    let mut interfaces = Interfaces::new();
    for root in roots {
        for package in children(root)? {
            if package.is_dir() {
                read_package(&package, &mut interfaces)?;
            }
        }
    }
    for package in packages {
        read_package(package, &mut interfaces)?;
    }
    for interface in interfaces.values() {
        for structure in interface.structures() {
            for field in &structure.fields {
                if let Element::Nested(name) = &field.element
                    && !interfaces.contains_key(name)
                {
                    return Err(Error::Unknown { user: structure.name.full(), name: name.full() });
                }
            }
        }
    }
    Ok(interfaces)
}

fn read_package(folder: &Path, interfaces: &mut Interfaces) -> Result<(), Error> {
    let package = file_word(folder.file_name());
    for kind in [Kind::Msg, Kind::Srv, Kind::Action] {
        let folder = folder.join(kind.word());
        if !folder.is_dir() {
            continue;
        }
        for path in children(&folder)? {
            if path.extension().is_some_and(|e| e == kind.word()) {
                let text = std::fs::read_to_string(&path)
                    .map_err(|source| Error::Io { path: path.clone(), source })?;
                let interface = parse(&package, kind, &file_word(path.file_stem()), &text)?;
                interfaces.insert(interface.name().clone(), interface);
            }
        }
    }
    Ok(())
}

fn file_word(name: Option<&std::ffi::OsStr>) -> String {
    name.map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
}

fn children(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let fail = |source| Error::Io { path: folder.to_owned(), source };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        paths.push(entry.map_err(fail)?.path());
    }
    paths.sort();
    Ok(paths)
}
