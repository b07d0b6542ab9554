//! The embedded broker: one node, durable, speaking the Kafka protocol.
