//! The program `kafka-notify`.

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
