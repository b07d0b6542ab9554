//! What is said: users, notifications, events, positions, and the records that carry them.
//!
//! Pure: no network, no disk, no clock. Time, and where a record stands in the log, are arguments.

mod cloud_event;
mod command;
mod cursor;
mod dead_letter;
mod directory;
mod event;
mod event_stream;
mod fnv;
mod headers;
mod idempotency_key;
mod log;
mod notification;
mod notification_id;
mod opaque;
mod position;
mod raw_json;
mod record;
mod relay;
mod request_id;
pub mod schema;
mod send;
mod text_limits;
mod time;
mod undecodable;
mod user;
mod user_name;
mod users_cursor;
pub mod varint;
mod view;

pub use command::{Change, Changed, Erased, Selection};
pub use cursor::{Cursor, Filters, InvalidCursor};
pub use dead_letter::{DeadLetter, DeadReason};
pub use directory::{DirectoryChange, LAYOUT_KEY};
pub use event::{Event, Sent};
pub use event_stream::{EventStreamReader, EventTooLong, ServerSentEvent};
pub use fnv::{Fingerprint, Fnv1a};
pub use headers::Headers;
pub use idempotency_key::{IdempotencyKey, InvalidIdempotencyKey, MAX_KEY_CHARACTERS};
pub use log::{Offset, Partition, Place, TopicId, UnreadableRange};
pub use notification::{InvalidPriority, MAX_RECORD_BYTES, Notification, Priority, Sender};
pub use notification_id::NotificationId;
pub use position::{InvalidPosition, Position};
pub use raw_json::RawJson;
pub use record::{Record, TYPE_CHANGED, TYPE_ERASED, TYPE_SENT};
pub use request_id::RequestId;
pub use send::{
    MAX_DATA_DEPTH, MAX_RECIPIENTS, MAX_TAG_CHARACTERS, MAX_TAGS, MAX_TITLE_CHARACTERS,
    MAX_URL_CHARACTERS, Recipients, SendBody, SendFrom, SendRequest,
};
pub use text_limits::InvalidText;
pub use time::{InvalidTimestamp, Timestamp};
pub use undecodable::Undecodable;
pub use user::{InvalidUserId, MAX_USER_ID_BYTES, User, UserId, seed_users};
pub use user_name::{MAX_NAME_CHARACTERS, UserName};
pub use users_cursor::UsersCursor;
pub use view::{InboxState, NotificationView, SenderView, UserView};
