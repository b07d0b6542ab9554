//! The only door to a broker: writer, reader, topics, partitioner, committed offsets.
//!
//! Data goes through `rskafka`. What that library lacks (topic settings, topic ids, offsets of
//! groups), and the data that it cannot read or would stall on, goes through a small client of our own
//! (`wire`). Every call has a deadline, and errors are told apart here: what passes by itself is
//! retried, the rest is reported.

mod admin;
mod args;
mod backoff;
mod batch;
mod client;
mod cluster;
mod end;
mod error;
mod fetched;
mod group;
mod inspection;
mod leader;
mod partitioner;
mod produce;
mod queue;
mod reader;
mod throttle;
mod topic;
mod topics;
mod wire;
mod writer;

pub use args::{BrokersArgs, TopicsArgs};
pub use backoff::Backoff;
pub use cluster::ClusterConfig;
pub use end::End;
pub use error::Error;
pub use fetched::Fetched;
pub use group::GroupOffsets;
pub use inspection::{
    Inspection, ProduceQuota, TopicInspection, ends, inspect, produce_quotas, reach,
};
pub use partitioner::{Partitioner, UnknownPartitioner};
pub use produce::{Lane, ProduceError, ProtocolCode};
pub use reader::{FetchError, Reader, Wait};
pub use topic::Topic;
pub use topics::{Drift, Topics, TopicsConfig, TopicsError, connect, ensure, watch};
pub use writer::{Begun, Writer, WriterConfig, WriterMetrics, WriterTask};
