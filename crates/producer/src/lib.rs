//! The publisher: an HTTP service that appends notifications to the log.
