//! The program `kafka-notify`: all in one, each part alone, and a client.

mod broker_command;
mod client;
mod client_args;
mod doctor;
mod failure;
mod import;
mod inbox_command;
mod output;
mod read_command;
mod reference;
mod send_command;
mod text;
mod up;
mod users_command;
mod watch_command;

use std::path::PathBuf;
use std::process::ExitCode;

use broker::{Broker, StartError};
use clap::{CommandFactory, Parser, Subcommand};
use service::Exit;

use broker_command::BrokerCommand;
use failure::finish;

/// Durable notifications over Kafka: publish over HTTP, query every user's inbox.
#[derive(Parser)]
#[command(name = "kafka-notify", version)]
struct Program {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run everything in one process: an embedded broker, the producer and the consumer
    Up(up::UpArgs),
    /// Run the embedded broker alone
    Broker(BrokerCommand),
    /// Run the producer alone: POST /send
    Producer(producer::Command),
    /// Run the consumer alone: GET /notifications/{userID}
    Consumer(consumer::Command),
    /// Send a notification
    Send(send_command::SendCommand),
    /// Show an inbox, the newest first
    Inbox(inbox_command::InboxCommand),
    /// Show what happens to an inbox, as it happens
    Watch(watch_command::WatchCommand),
    /// Mark notifications read
    Read(read_command::ReadCommand),
    /// Send a file of notifications, one JSON object a line; it can be run again and sends nothing
    /// twice
    Import(import::ImportCommand),
    /// List, create, rename and remove users
    Users(users_command::UsersCommand),
    /// Check brokers, topics, lag and services, and say what to fix
    Doctor(doctor::DoctorCommand),
    /// Print a script that completes commands and flags in a shell
    Completions(reference::CompletionsCommand),
    /// Print the manual page, or write one a command
    Man(reference::ManCommand),
}

/// Where data is kept.
#[derive(Clone, Debug, clap::Args)]
struct DataArgs {
    /// Folder for all data: the broker's log in `broker` below it, the inboxes in `inbox`
    /// [default: kafka-notify in the platform's state folder]
    #[arg(long, env = "NOTIFY_DATA_DIR", value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
}

/// Where the embedded broker listens.
#[derive(Clone, Debug, clap::Args)]
struct BrokerArgs {
    /// Where the broker listens
    #[arg(
        long,
        env = "NOTIFY_BROKER_ADDR",
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:9092"
    )]
    broker_addr: String,
    /// Where clients are told that the broker is, if they reach it through a mapped port or a proxy
    #[arg(long, env = "NOTIFY_BROKER_ADVERTISED_ADDR", value_name = "HOST:PORT")]
    broker_advertised_addr: Option<String>,
}

impl DataArgs {
    fn folder(self) -> Result<PathBuf, Exit> {
        self.data_dir.or_else(service::state_folder).ok_or_else(|| {
            Exit::unusable("no folder for data: HOME is not set; choose one with --data-dir")
        })
    }
}

/// Starts the embedded broker on its part of the data folder.
async fn start_broker(data_dir: PathBuf, args: BrokerArgs) -> Result<Broker, Exit> {
    let mut config = broker::Config::new(data_dir.join("broker"), args.broker_addr);
    config.advertised = args.broker_advertised_addr;
    Broker::start(config).await.map_err(|error: StartError| match error.advice() {
        Some(advice) => Exit::unusable(advice),
        None => Exit::failed(&anyhow::Error::from(error).context("the broker did not start")),
    })
}

/// Runs the program with the arguments of this process.
#[tokio::main]
pub async fn main() -> ExitCode {
    match Program::parse().command {
        Command::Up(args) => up::run(args).await,
        Command::Broker(command) => command.run().await,
        Command::Producer(command) => command.run().await,
        Command::Consumer(command) => command.run().await,
        Command::Send(command) => finish(command.run().await),
        Command::Inbox(command) => finish(command.run().await),
        Command::Watch(command) => finish(command.run().await),
        Command::Read(command) => finish(command.run().await),
        Command::Import(command) => finish(command.run().await),
        Command::Users(command) => finish(command.run().await),
        Command::Doctor(command) => finish(command.run().await),
        Command::Completions(command) => finish(command.run(Program::command())),
        Command::Man(command) => finish(command.run(Program::command())),
    }
}
