//! The command line program: all of it is in the library.

use std::env;
use std::process::ExitCode;

fn main() -> ExitCode {
    synwatch::run::run(env::args_os().collect()).into()
}
