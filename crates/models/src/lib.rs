//! What is said: users, notifications, events, positions, and the records that carry them.
