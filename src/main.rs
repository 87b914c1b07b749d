//! The command line program: parse, call, report, exit code.

fn main() {}
