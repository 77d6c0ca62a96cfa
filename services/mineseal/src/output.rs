use std::fmt::Display;
use std::io::{self, Write};

/// Prints a line of results; a reader that has gone away (`| head`) is no error.
pub(crate) fn line(text: impl Display) -> io::Result<()> {
    match writeln!(io::stdout().lock(), "{text}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        result => result,
    }
}

/// Prints a line of progress for the person at the terminal.
pub(crate) fn note(text: impl Display) {
    // Nothing can be done where standard error is closed.
    writeln!(io::stderr().lock(), "{text}").ok();
}
