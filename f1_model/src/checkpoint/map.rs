//! A memory-mapped file whose pages are released while it is read.

use std::fs::File;
use std::path::{Path, PathBuf};

use memmap2::{Mmap, UncheckedAdvice};

use crate::{Error, Result};

/// Pages are released after this many bytes, so that a model is not resident twice while it loads.
const WINDOW: usize = 64 << 20;

/// A read-only mapping.
pub(super) struct MappedFile {
    map: Mmap,
    path: PathBuf,
}

impl MappedFile {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|source| Error::io(path, source))?;
        let length = file.metadata().map_err(|source| Error::io(path, source))?.len();
        if length == 0 {
            return Err(Error::Checkpoint {
                path: path.to_path_buf(),
                faults: vec!["the file is empty".to_string()],
            });
        }
        // SAFETY: the mapping is private to this value and only read. If another program truncated
        // the file, this process would be killed; checkpoints are replaced by renaming and never
        // written in place.
        #[allow(
            unsafe_code,
            reason = "a memory map is the only way to read a 9 GB file without holding it twice"
        )]
        let map = unsafe { Mmap::map(&file) }.map_err(|source| Error::io(path, source))?;
        Ok(Self { map, path: path.to_path_buf() })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn len(&self) -> usize {
        self.map.len()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.map
    }

    /// Calls `read` with pieces of whole elements and releases the pages behind them.
    pub(super) fn read(
        &self,
        start: usize,
        end: usize,
        element: usize,
        mut take: impl FnMut(&[u8]),
    ) {
        let step = WINDOW / element.max(1) * element.max(1);
        let mut at = start;
        while at < end {
            let next = (at + step).min(end);
            take(self.map.get(at..next).unwrap_or_default());
            // Rounded inward to whole pages: the neighbouring bytes are still to be read.
            let (from, to) = (at.next_multiple_of(4096), next / 4096 * 4096);
            if from < to {
                // SAFETY: a read-only mapping of a file; released pages are read from the file
                // again when they are accessed.
                #[allow(unsafe_code, reason = "releases pages that were read")]
                let released = unsafe {
                    self.map.unchecked_advise_range(UncheckedAdvice::DontNeed, from, to - from)
                };
                if let Err(error) = released {
                    tracing::debug!(%error, "the system keeps the pages of a read checkpoint");
                }
            }
            at = next;
        }
    }
}
