//! Whole systems under test: real processes, asked over HTTP and over the Kafka protocol.
//!
//! Nothing here outlives its test: a [`Process`] is killed when it is dropped, folders go with it.
//! What a process wrote is printed then, which the test runner shows where the test failed.

#[cfg(feature = "apache-kafka")]
mod apache_kafka;
#[cfg(feature = "apache-kafka")]
mod cache;
mod http;
mod network;
mod process;
mod proxy;
#[cfg(feature = "apache-kafka")]
mod sarama_tools;
mod system;
mod usage;
mod wait;

#[cfg(feature = "apache-kafka")]
pub use apache_kafka::{Admin, ApacheKafka, ApacheKafkaCluster, JavaTools, PartitionState, kcat};
pub use http::{Answer, Http};
pub use network::free_port;
pub use process::{Finished, Process, run};
pub use proxy::{ChaosProxy, Counts, Direction};
#[cfg(feature = "apache-kafka")]
pub use sarama_tools::SaramaTools;
pub use system::{Addresses, Backup, Client, Part, System};
pub use usage::{Memory, memory, processor_time};
pub use wait::eventually;
