//! The program kafka-notify: all in one, and each part alone.
