//! What is said: users, notifications, events, positions, and the records that carry them.
//!
//! Pure: no network, no disk, no clock. Time, and where a record stands in the log, are arguments.

mod cloud_event;
mod command;
mod dead_letter;
mod directory;
mod event;
mod fnv;
mod log;
mod notification;
mod notification_id;
mod position;
mod raw_json;
mod record;
mod relay;
mod time;
mod undecodable;
mod user;

pub use command::{Change, Changed, Erased, Selection};
pub use dead_letter::{DeadLetter, DeadReason};
pub use directory::{DirectoryChange, LAYOUT_KEY};
pub use event::{Event, Sent};
pub use fnv::{Fingerprint, Fnv1a};
pub use log::{Offset, Partition, Place, TopicId, UnreadableRange};
pub use notification::{InvalidPriority, MAX_RECORD_BYTES, Notification, Priority, Sender};
pub use notification_id::NotificationId;
pub use position::{InvalidPosition, Position};
pub use raw_json::RawJson;
pub use record::{Record, TYPE_CHANGED, TYPE_ERASED, TYPE_SENT};
pub use time::{InvalidTimestamp, Timestamp};
pub use undecodable::Undecodable;
pub use user::{InvalidUserId, MAX_USER_ID_BYTES, User, UserId, seed_users};
