//! The program `kafka-notify`, built where the tests of this crate can start it.

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
