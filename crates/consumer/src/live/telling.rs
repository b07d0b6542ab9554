//! Events as they are sent: as an event stream, or as frames of a WebSocket.

use bytes::Bytes;
use inbox::{Gap, Head, InboxError, InboxEvent, RecentChange, Replay};
use models::{Change, NotificationId, Offset, Position, Selection, Timestamp};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::views::{Log, write_line};

/// How events are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// `text/event-stream`, as the HTML standard describes it.
    EventStream,
    /// One JSON object a line: each is a text frame.
    Frames,
}

/// Why a part of what happened is not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum GapReason {
    /// The log does not hold it any more.
    Retention,
    /// The position is one of another log, or of none.
    Reset,
    /// It is too long ago.
    TooOld,
}

/// Why the server ends a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ClosingReason {
    Slow,
    Shutdown,
}

/// Events, one after the other.
pub(super) struct Telling {
    log: Log,
    format: Format,
    out: Vec<u8>,
}

impl From<Gap> for GapReason {
    fn from(gap: Gap) -> Self {
        match gap {
            Gap::Retention => Self::Retention,
            Gap::TooOld => Self::TooOld,
        }
    }
}

impl Telling {
    pub(super) fn new(log: Log, format: Format) -> Self {
        Self { log, format, out: Vec::with_capacity(512) }
    }

    pub(super) fn into_bytes(self) -> Bytes {
        self.out.into()
    }

    /// What happened, and the counts after it.
    ///
    /// # Errors
    /// A row that the fold cannot have written.
    pub(super) fn news(&mut self, events: &[InboxEvent], head: Head) -> Result<(), InboxError> {
        for event in events {
            self.inbox_event(event)?;
        }
        self.counts(head);
        Ok(())
    }

    /// The counts by now, and what happened until then. That what lay below `told_start` was cut is
    /// known.
    ///
    /// # Errors
    /// A row that the fold cannot have written.
    pub(super) fn replay(&mut self, replay: &Replay, told_start: Offset) -> Result<(), InboxError> {
        let Replay { gap, events, head, log_start, .. } = replay;
        self.counts(*head);
        if let Some(gap) = *gap {
            self.gap(gap.into(), head.next_offset.unwrap_or(Offset(0)));
        } else if *log_start > told_start {
            // With an id that is not behind what is told next, nor before what was told.
            let next_offset = head.next_offset.unwrap_or(Offset(0));
            self.retention(*log_start, events.first().map_or(next_offset, InboxEvent::offset));
        }
        for event in events {
            self.inbox_event(event)?;
        }
        Ok(())
    }

    /// What lies between is not told; it goes on behind this offset.
    pub(super) fn gap(&mut self, reason: GapReason, next_offset: Offset) {
        self.event(Some(next_offset), "gap", &Reason { reason, retry_ms: None });
    }

    /// Retention has cut what lies below `log_start`.
    pub(super) fn retention(&mut self, log_start: Offset, id: Offset) {
        let selection = Selection::Before(log_start);
        let what = What::Deleted("retention");
        let changed = Changed { log: self.log, selection: &selection, what };
        self.event(Some(id), "changed", &changed);
    }

    pub(super) fn counts(&mut self, head: Head) {
        let Head { unread_count, unseen_count, .. } = head;
        self.event(None, "counts", &Counts { unread_count, unseen_count });
    }

    pub(super) fn closing(&mut self, reason: ClosingReason, retry_ms: Option<u64>) {
        if let Some(retry_ms) = retry_ms {
            self.retry(retry_ms);
        }
        self.event(None, "closing", &Reason { reason, retry_ms });
    }

    /// After how long a client whose connection was cut comes back.
    pub(super) fn retry(&mut self, retry_ms: u64) {
        match self.format {
            Format::EventStream => self.line("retry: ", &retry_ms.to_string()),
            // A WebSocket has no word for it.
            Format::Frames => {}
        }
    }

    /// All below this is told, without an event.
    pub(super) fn id(&mut self, next_offset: Offset) {
        let id = self.log.position(next_offset).to_string();
        match self.format {
            Format::EventStream => {
                self.line("id: ", &id);
                self.out.push(b'\n');
            }
            Format::Frames => {
                write_line(&mut self.out, &OnlyId { id });
                self.out.push(b'\n');
            }
        }
    }

    /// Nothing happened, and all below this is told.
    pub(super) fn keep_alive(&mut self, next_offset: Option<Offset>) {
        match self.format {
            Format::EventStream => self.line(":", ""),
            // WebSockets have pings.
            Format::Frames => {}
        }
        match next_offset {
            Some(next_offset) => self.id(next_offset),
            None if self.out.is_empty() => {}
            None => self.out.push(b'\n'),
        }
    }

    fn inbox_event(&mut self, event: &InboxEvent) -> Result<(), InboxError> {
        match event {
            InboxEvent::Sent(entry) => {
                let notification = self.log.notification(entry)?;
                self.event(Some(entry.offset.next()), "notification", &notification);
            }
            InboxEvent::Changed(RecentChange { offset, changed_at, selection, change, reason }) => {
                let at = *changed_at;
                let what = match change {
                    Change::Read(is_read) => What::ReadAt(is_read.then_some(at)),
                    Change::Archived(is_archived) => What::ArchivedAt(is_archived.then_some(at)),
                    Change::Deleted => What::Deleted(reason_of(reason.as_deref())),
                    // The counts behind it tell that.
                    Change::Seen => return Ok(()),
                };
                let changed = Changed { log: self.log, selection, what };
                self.event(Some(offset.next()), "changed", &changed);
            }
        }
        Ok(())
    }

    fn event(&mut self, id: Option<Offset>, name: &str, data: &impl Serialize) {
        let id = id.map(|next_offset| self.log.position(next_offset));
        match self.format {
            Format::EventStream => {
                if let Some(id) = id {
                    self.line("id: ", &id.to_string());
                }
                self.line("event: ", name);
                self.out.extend_from_slice(b"data: ");
                write_line(&mut self.out, data);
                self.out.extend_from_slice(b"\n\n");
            }
            Format::Frames => {
                let id = id.map(|id: Position| id.to_string());
                write_line(&mut self.out, &Frame { id, event: name, data });
                self.out.push(b'\n');
            }
        }
    }

    fn line(&mut self, name: &str, value: &str) {
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(value.as_bytes());
        self.out.push(b'\n');
    }
}

/// Anybody may write any reason.
fn reason_of(reason: Option<&str>) -> &'static str {
    if reason == Some("expired") { "expired" } else { "user" }
}

#[derive(serde::Serialize)]
struct Frame<'a, T> {
    id: Option<String>,
    event: &'a str,
    data: &'a T,
}

#[derive(serde::Serialize)]
struct OnlyId {
    id: String,
}

#[derive(serde::Serialize)]
struct Counts {
    unread_count: u64,
    unseen_count: u64,
}

#[derive(serde::Serialize)]
struct Reason<T> {
    reason: T,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_ms: Option<u64>,
}

/// What was done to which notifications.
struct Changed<'a> {
    log: Log,
    selection: &'a Selection,
    what: What,
}

enum What {
    ReadAt(Option<Timestamp>),
    ArchivedAt(Option<Timestamp>),
    Deleted(&'static str),
}

impl Serialize for Changed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self.selection {
            Selection::Ids(ids) => map.serialize_entry::<str, [NotificationId]>("ids", ids)?,
            Selection::Before(before) => {
                map.serialize_entry("before", &self.log.position(*before).to_string())?;
            }
        }
        match &self.what {
            What::ReadAt(at) => map.serialize_entry("read_at", at)?,
            What::ArchivedAt(at) => map.serialize_entry("archived_at", at)?,
            What::Deleted(reason) => {
                map.serialize_entry("deleted", &true)?;
                map.serialize_entry("reason", reason)?;
            }
        }
        map.end()
    }
}
