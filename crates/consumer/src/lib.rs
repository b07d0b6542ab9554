//! The query service: reads partitions, keeps inboxes, answers over HTTP.
