//! The only door to a broker: writer, reader, topics, partitioner.
