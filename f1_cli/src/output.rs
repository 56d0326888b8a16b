//! Printing that outlives its reader: `f1 ... | head -1` closes the pipe after one line.
//!
//! The macros here take the place of the standard library's, which panic then. A command whose
//! output is not read any more ends silently, with the status of a program that SIGPIPE ended. What
//! goes to stderr is lost when that is closed, and the command goes on: a robot that moves is not
//! stopped because its status line is not read.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write as _};

/// 128 + SIGPIPE, as a shell reports a program that the signal ended.
#[allow(dead_code, reason = "two programs share this file")]
pub const CLOSED: u8 = 141;

/// Writes to stdout; ends the process silently when its reader is gone.
pub fn write(text: Arguments<'_>) {
    let mut stdout = std::io::stdout().lock();
    let written = stdout.write_fmt(text).and_then(|()| stdout.flush());
    match written {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {
            std::process::exit(i32::from(CLOSED));
        }
        Err(error) => {
            write_error(format_args!("error: stdout cannot be written: {error}\n"));
            std::process::exit(1);
        }
    }
}

/// Writes to stderr, if that can be written.
pub fn write_error(text: Arguments<'_>) {
    // There is no other place to report it.
    let _ = std::io::stderr().lock().write_fmt(text);
}

#[allow(unused_macros, reason = "two programs share this file")]
macro_rules! print {
    ($($text:tt)*) => { $crate::output::write(format_args!($($text)*)) };
}

#[allow(unused_macros, reason = "two programs share this file")]
macro_rules! println {
    () => { $crate::output::write(format_args!("\n")) };
    ($($text:tt)*) => { $crate::output::write(format_args!("{}\n", format_args!($($text)*))) };
}

#[allow(unused_macros, reason = "two programs share this file")]
macro_rules! eprint {
    ($($text:tt)*) => { $crate::output::write_error(format_args!($($text)*)) };
}

#[allow(unused_macros, reason = "two programs share this file")]
macro_rules! eprintln {
    () => { $crate::output::write_error(format_args!("\n")) };
    ($($text:tt)*) => {
        $crate::output::write_error(format_args!("{}\n", format_args!($($text)*)))
    };
}
