//! Commands that turn videos into ones that can be read, to be pasted into a shell.

use std::path::Path;

/// What is asked of ffmpeg: H.264 of 8 bits and 4:2:0, every second frame alone, frames in the
/// order they are shown in. 4:2:0 has an even width and height: the last column or row of an odd
/// size is cut off. `quote` keeps the shell from reading its brackets.
fn encoding(quote: char) -> String {
    format!(
        "-vf {quote}crop=trunc(iw/2)*2:trunc(ih/2)*2:0:0{quote} -c:v libx264 -pix_fmt yuv420p \
         -crf 18 -g 2 -bf 0 -an"
    )
}

/// Converts one file in its place.
pub(super) fn convert_file(path: &Path) -> String {
    let (old, new) =
        (quoted(&path.to_string_lossy()), quoted(&format!("{}.new.mp4", path.display())));
    let encoding = encoding('\'');
    format!("ffmpeg -y -i {old} {encoding} {new} && mv {new} {old}")
}

/// Converts all files of a folder in their places.
pub(super) fn convert_folder(folder: &Path) -> String {
    let encoding = encoding('"');
    format!(
        "find {} -name '*.mp4' -exec sh -c 'ffmpeg -y -i \"$1\" {encoding} \"$1.new.mp4\" && \
         mv \"$1.new.mp4\" \"$1\"' sh {{}} \\;",
        quoted(&folder.to_string_lossy())
    )
}

/// A word of a shell's command line.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
