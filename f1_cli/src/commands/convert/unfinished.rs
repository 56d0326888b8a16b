//! A data set that is being written: it takes its name when it is whole, and nothing is left of one
//! that is not.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

/// A folder beside the output; removed when dropped unfinished.
pub(super) struct Unfinished {
    folder: PathBuf,
    output: PathBuf,
}

impl Unfinished {
    /// For the folder `output`, which must not hold anything yet.
    pub fn beside(output: &Path) -> Result<Self> {
        if output.join("meta/info.json").exists() {
            bail!("{}: already holds a data set; choose another folder", output.display());
        }
        if std::fs::read_dir(output).is_ok_and(|mut entries| entries.next().is_some()) {
            bail!("{}: is not empty; choose another folder", output.display());
        }
        let name =
            output.file_name().with_context(|| format!("{}: no folder", output.display()))?;
        let name = format!(".{}.unfinished-{}", name.to_string_lossy(), std::process::id());
        Ok(Self { folder: output.with_file_name(name), output: output.to_path_buf() })
    }

    /// Where to write.
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// Gives the folder its name.
    pub fn finish(self) -> Result<()> {
        if self.output.is_dir() {
            std::fs::remove_dir(&self.output)
                .with_context(|| format!("{} cannot be replaced", self.output.display()))?;
        }
        std::fs::rename(&self.folder, &self.output)
            .with_context(|| format!("{} cannot be made", self.output.display()))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if self.folder.exists()
            && let Err(error) = std::fs::remove_dir_all(&self.folder)
        {
            tracing::warn!("{} cannot be removed: {error}", self.folder.display());
        }
    }
}
