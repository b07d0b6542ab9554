//! Load for the services: how many requests they answer, how fast, and what each costs, beside a
//! bare handler under the same load.
//!
//! On a small machine the client competes with the server for the processor, so the client is a
//! few lines over a socket and the requests are bytes made before the load starts.

mod answer;
mod args;
mod compare;
mod connection;
mod latency;
mod load;
mod process;
mod progress;
mod reference;
mod report;
mod request;
mod schedule;
mod table;
mod tally;
mod target;
mod visible;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use args::{Command, Program};

/// Runs the program with the arguments of this process: 0 when the load ran and every answer was
/// 2xx, 1 when not.
pub fn main() -> ExitCode {
    let ended = match Program::parse().command {
        Command::Publish(args) => compare::publish(&args),
        Command::Query(args) => compare::query(&args),
        Command::Visible(args) => visible::run(&args),
        Command::ReferenceServer(args) => reference::serve(&args),
    };
    ended.unwrap_or_else(|error| {
        // Nobody reads it: the exit code says it as well.
        let _ = writeln!(std::io::stderr(), "loadgen: {error:#}");
        ExitCode::FAILURE
    })
}
