//! `kafka-notify import`: a file of notifications, sent once however often it is tried.

mod failures;
mod key;
mod plan;
mod progress;
mod results;
mod run;
mod session;
mod source;
mod state;
mod tracker;

use std::path::PathBuf;

use crate::client::Client;
use crate::client_args::{ClientArgs, ProducerUrl};
use crate::failure::{EXIT_CODES, Ending, Failure};

use plan::Plan;
use run::Import;

const HOW: &str = "\
Each line is a JSON object as for POST /v1/notifications, such as {\"to\":1,\"message\":\"Hi\"}. A line
that has no idempotency_key of its own gets one made of what the file contains and of the number of
the line. So the same file, wherever it lies, is sent once however often it is imported, and a file
that differs anywhere is another one. With --key-prefix you name the import yourself: the keys are
PREFIX:1, PREFIX:2 and so on, for a file that grows, or for one with the same lines every day.

How far it came is kept in the folder kafka-notify/import of the platform's state folder, until all
lines are sent.";

/// What to import, and how.
#[derive(clap::Args)]
#[command(after_help = EXIT_CODES, after_long_help = format!("{HOW}\n\n{EXIT_CODES}"))]
pub(crate) struct ImportCommand {
    /// The file of notifications, one JSON object a line; `-` is standard input
    file: PathBuf,
    /// The beginning of the keys, instead of one made of the file's content
    #[arg(long, value_name = "PREFIX", value_parser = key::prefix)]
    key_prefix: Option<String>,
    /// Begin at the first line, whatever was sent before; the keys keep it from being sent twice
    #[arg(long)]
    restart: bool,
    /// Where lines that failed go, each with its number and the reason; such a file can be imported
    /// [default: FILE.failed.ndjson; standard error for standard input]
    #[arg(long, value_name = "FILE")]
    failures: Option<PathBuf>,
    #[command(flatten)]
    client: ClientArgs,
    #[command(flatten)]
    at: ProducerUrl,
}

impl ImportCommand {
    pub(crate) async fn run(self) -> Result<Ending, Failure> {
        let client = Client::new(&self.client)?;
        let plan = Plan::make(&self)?;
        Import::new(client, &self, plan)?.run().await
    }
}
