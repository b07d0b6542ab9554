//! What is said: users, notifications, events, positions, and the records that carry them.
//!
//! Pure: no network, no disk, no clock. Time, and where a record stands in the log, are arguments.

mod directory;
mod event;
mod log;
mod notification;
mod position;
mod raw_json;
mod record;
mod time;
mod user;

pub use directory::{DirectoryChange, LAYOUT_KEY};
pub use event::{Event, Sent, Undecodable};
pub use log::{Offset, Partition, Place, TopicId};
pub use notification::{
    InvalidPriority, MAX_RECORD_BYTES, Notification, NotificationId, Priority, Sender,
};
pub use position::{InvalidPosition, Position};
pub use raw_json::RawJson;
pub use record::{Record, TYPE_SENT};
pub use time::{InvalidTimestamp, Timestamp};
pub use user::{InvalidUserId, MAX_USER_ID_BYTES, User, UserId, seed_users};
