//! The command line of the `broker` program.

use std::path::PathBuf;

use crate::config::Config;
use crate::error::StartError;

/// The embedded broker: one node, durable, speaking the Kafka protocol.
#[derive(Debug, Clone, clap::Parser)]
#[command(name = "broker", version)]
pub struct Args {
    /// Folder for data, made when it is missing; the broker keeps its part in `broker` below it
    #[arg(long, env = "NOTIFY_DATA_DIR", default_value = "data")]
    pub data_dir: PathBuf,

    /// host:port to listen on
    #[arg(long, env = "NOTIFY_BROKER_ADDR", default_value = "127.0.0.1:9092")]
    pub broker_addr: String,

    /// host:port that clients are told to connect to, where they reach the broker through a mapped port
    /// or a proxy
    #[arg(long, env = "NOTIFY_BROKER_ADVERTISED_ADDR")]
    pub broker_advertised_addr: Option<String>,
}

impl From<Args> for Config {
    fn from(args: Args) -> Config {
        let config = Config::new(args.data_dir.join("broker"), args.broker_addr);
        Config { advertised: args.broker_advertised_addr, ..config }
    }
}

impl StartError {
    /// One sentence for the person who started the program, if a flag can change it.
    pub fn advice(&self) -> Option<String> {
        match self {
            StartError::AddressInUse { addr } => Some(format!(
                "The address {addr} is in use; choose another with --broker-addr or NOTIFY_BROKER_ADDR."
            )),
            StartError::DataDirInUse { path } => Some(format!(
                "The data folder {} is in use by another broker; choose another with --data-dir or \
                 NOTIFY_DATA_DIR.",
                path.display()
            )),
            StartError::Address { addr, source } => Some(format!(
                "Cannot use the address {addr}: {source}; choose another with --broker-addr or \
                 NOTIFY_BROKER_ADDR."
            )),
            StartError::Advertised { .. } => Some(format!(
                "{self}; choose another with --broker-advertised-addr or NOTIFY_BROKER_ADVERTISED_ADDR."
            )),
            StartError::Io { doing, path, source } => Some(format!(
                "Cannot {doing} {}: {source}; choose another data folder with --data-dir or \
                 NOTIFY_DATA_DIR.",
                path.display()
            )),
            StartError::Damaged { .. } | StartError::FormatVersion { .. } => None,
        }
    }
}
