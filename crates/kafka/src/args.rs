//! Command-line flags about Kafka, shared by both services.

use crate::{ClusterConfig, Partitioner, TopicsConfig};

/// Where the brokers are.
#[derive(Clone, Debug, clap::Args)]
pub struct BrokersArgs {
    /// Kafka brokers to start from, separated by commas
    #[arg(
        long,
        env = "NOTIFY_BROKERS",
        value_name = "HOST:PORT,...",
        default_value = "localhost:9092",
        value_delimiter = ',',
        value_parser = broker_address
    )]
    pub brokers: Vec<String>,
}

impl BrokersArgs {
    /// The cluster, for a process of this name.
    pub fn cluster(&self, client_id: &str) -> ClusterConfig {
        ClusterConfig::new(self.brokers.clone(), client_id)
    }
}

/// Which topics, and how they are made.
#[derive(Clone, Debug, clap::Args)]
pub struct TopicsArgs {
    /// Name of the notifications topic; the others are named after it
    #[arg(long, env = "NOTIFY_TOPIC", value_name = "NAME", default_value = "notifications", value_parser = topic_name)]
    pub topic: String,
    /// Partitions of the notifications topic, where it does not exist yet
    #[arg(
        long,
        env = "NOTIFY_PARTITIONS_AT_CREATION",
        value_name = "N",
        default_value_t = 6,
        value_parser = clap::value_parser!(i32).range(1..=10_000)
    )]
    pub partitions_at_creation: i32,
    /// Which partition a user id belongs to: java (the Java client's rule, for new topics) or
    /// sarama; without it, what the topics were laid out with
    #[arg(long, env = "NOTIFY_PARTITIONER", value_name = "NAME")]
    pub partitioner: Option<Partitioner>,
}

impl TopicsArgs {
    /// As the configuration of topics.
    pub fn config(&self) -> TopicsConfig {
        TopicsConfig {
            topic: self.topic.clone(),
            partitions_at_creation: self.partitions_at_creation,
            partitioner: self.partitioner,
        }
    }
}

fn broker_address(text: &str) -> Result<String, String> {
    let (host, port) = text.rsplit_once(':').ok_or("a broker is HOST:PORT, as localhost:9092")?;
    if host.is_empty() || host.contains('/') {
        return Err("a broker is HOST:PORT without a scheme, as localhost:9092".to_owned());
    }
    match port.parse::<u16>() {
        Ok(1..) => Ok(text.to_owned()),
        Ok(0) | Err(_) => Err(format!("{port:?} is no port: it is a number from 1 to 65535")),
    }
}

/// Kafka's rule for topic names, with room left for the suffixes of the others.
fn topic_name(name: &str) -> Result<String, String> {
    const LONGEST: usize = 249 - ".users".len();
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.is_empty() || name.len() > LONGEST || name == "." || name == ".." {
        return Err(format!("a topic name has 1 to {LONGEST} characters and is not . or .."));
    }
    match name.chars().find(|c| !is_allowed(*c)) {
        Some(c) => {
            Err(format!("a topic name has only characters from A-Z a-z 0-9 . _ -, not {c:?}"))
        }
        None => Ok(name.to_owned()),
    }
}
