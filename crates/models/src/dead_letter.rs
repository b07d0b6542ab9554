//! Dead letters: what lies on the notifications topic and means nothing there.

use crate::{Headers, MAX_RECORD_BYTES, Offset, Place, Record, Timestamp, Undecodable};

/// Why something on the notifications topic is a dead letter. The texts hold no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeadReason {
    /// It says nothing that can be folded.
    #[error(transparent)]
    Undecodable(#[from] Undecodable),
    /// Its event id belongs to an event with another fingerprint: one Idempotency-Key, two
    /// requests.
    #[error("the event's id was used before, for another request")]
    IdempotencyConflict,
    /// It is off its home partition and, with the headers of a relay, larger than
    /// [`MAX_RECORD_BYTES`].
    #[error(
        "off its home partition, and with {0} bytes larger than the {MAX_RECORD_BYTES} that can be relayed"
    )]
    TooLargeToRelay(usize),
    /// A batch whose records nobody can tell, and what is wrong with it.
    #[error("the batch cannot be read: {0}")]
    UnreadableBatch(String),
}

impl DeadReason {
    /// A short name for metrics and headers.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Undecodable(why) => why.reason(),
            Self::IdempotencyConflict => "idempotency_conflict",
            Self::TooLargeToRelay(_) => "too_large_to_relay",
            Self::UnreadableBatch(_) => "unreadable_batch",
        }
    }
}

const TOPIC: &str = "notify_topic";
const TOPIC_ID: &str = "notify_topic_id";
const PARTITION: &str = "notify_partition";
const OFFSET: &str = "notify_offset";
const LAST_OFFSET: &str = "notify_last_offset";
const TIMESTAMP: &str = "notify_timestamp";
const REASON: &str = "notify_reason";
const DETAIL: &str = "notify_detail";
const TRUNCATED: &str = "notify_truncated";
const KEY_TRUNCATED: &str = "notify_key_truncated";
const HEADERS_DROPPED: &str = "notify_headers_dropped";

/// The most that a record's own headers may take of a letter. Larger, and little is left for the
/// value; smaller, and headers are lost that someone would have looked at.
const MAX_HEADER_BYTES: usize = 100_000;

/// Room for the headers that say what was cut.
const FLAG_BYTES: usize = 200;

/// A library's words about what it could not read may be of any length.
const MAX_DETAIL_BYTES: usize = 1_000;

/// What makes a record of the dead-letter topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadLetter<'a> {
    /// The topic's name.
    pub topic: &'a str,
    /// Where it lies.
    pub place: Place,
    /// Why, in one word: [`DeadReason::code`].
    pub reason: &'a str,
    /// Why, in more words. Never the text of a message.
    pub detail: &'a str,
}

impl DeadLetter<'_> {
    /// The letter of a record: the record as it was read, and headers that say where it lay and
    /// why it is here.
    ///
    /// It is never larger than [`MAX_RECORD_BYTES`]. Where the record leaves it no room the value
    /// is cut, and the key where even that is too large; more than 100,000 bytes of headers are
    /// left out. `notify_truncated`, `notify_key_truncated` and `notify_headers_dropped` say how
    /// many bytes there were.
    ///
    /// Its time is the one it is given: by the record's own, which `notify_timestamp` says, retention
    /// might remove the letter at once.
    pub fn of_record(&self, record: Record, timestamp: Timestamp) -> Record {
        let Record { mut key, mut value, headers: read, timestamp: at } = record;
        let mut headers = self.headers();
        headers.set(TIMESTAMP, at.to_text());
        let mut room = MAX_RECORD_BYTES.saturating_sub(FLAG_BYTES + headers.size_bytes());
        let read_bytes = read.size_bytes();
        if read_bytes > MAX_HEADER_BYTES {
            headers.set(HEADERS_DROPPED, read_bytes.to_string());
        } else {
            room = room.saturating_sub(read_bytes);
            let is_ours = |name| headers.iter().any(|(ours, _)| ours == name);
            let theirs = read.iter().filter(|(name, _)| !is_ours(*name));
            headers = headers.iter().chain(theirs).collect();
        }
        for (name, part) in [(KEY_TRUNCATED, &mut key), (TRUNCATED, &mut value)] {
            let Some(part) = part else { continue };
            if part.len() > room {
                headers.set(name, part.len().to_string());
                part.truncate(room);
            }
            room -= part.len();
        }
        Record { key, value, headers, timestamp }
    }

    /// The letter of a whole batch that nobody could read, from the letter's place to `last`. It
    /// has no key and no value, and the time it is given.
    pub fn of_batch(&self, last: Offset, timestamp: Timestamp) -> Record {
        let mut headers = self.headers();
        headers.set(LAST_OFFSET, last.to_string());
        Record { key: None, value: None, headers, timestamp }
    }

    fn headers(&self) -> Headers {
        let end = self.detail.floor_char_boundary(MAX_DETAIL_BYTES);
        let detail = self.detail.get(..end).unwrap_or_default();
        let Place { topic_id, partition, offset } = self.place;
        Headers::of(&[
            (TOPIC, self.topic.as_bytes()),
            (TOPIC_ID, topic_id.to_string().as_bytes()),
            (PARTITION, partition.to_string().as_bytes()),
            (OFFSET, offset.to_string().as_bytes()),
            (REASON, self.reason.as_bytes()),
            (DETAIL, detail.as_bytes()),
        ])
    }
}
