//! Commands that turn videos into ones that can be read, to be pasted into a shell.

use std::path::Path;

/// What is asked of ffmpeg: H.264 of 8 bits and 4:2:0, every second frame alone, frames in the
/// order they are shown in.
const ENCODING: &str = "-c:v libx264 -pix_fmt yuv420p -crf 18 -g 2 -bf 0 -an";

/// Converts one file in its place.
pub(super) fn convert_file(path: &Path) -> String {
    let (old, new) =
        (quoted(&path.to_string_lossy()), quoted(&format!("{}.new.mp4", path.display())));
    format!("ffmpeg -y -i {old} {ENCODING} {new} && mv {new} {old}")
}

/// Converts all files of a folder in their places.
pub(super) fn convert_folder(folder: &Path) -> String {
    format!(
        "find {} -name '*.mp4' -exec sh -c 'ffmpeg -y -i \"$1\" {ENCODING} \"$1.new.mp4\" && \
         mv \"$1.new.mp4\" \"$1\"' sh {{}} \\;",
        quoted(&folder.to_string_lossy())
    )
}

/// A word of a shell's command line.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
