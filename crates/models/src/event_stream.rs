//! Reading `text/event-stream` (HTML standard, section "Server-sent events").

use std::time::Duration;

/// An event of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSentEvent {
    /// Its kind; `message` where the stream says nothing.
    pub name: String,
    /// Its lines, joined by a line feed.
    pub data: String,
    /// The last id that the stream gave, with this event or before it; empty: none.
    pub id: String,
}

/// Takes a stream apart, however it was cut into pieces.
#[derive(Debug, Default)]
pub struct EventStreamReader {
    /// The line that is not ended yet.
    line: Vec<u8>,
    /// The last line ended with a carriage return: a line feed that comes next belongs to it.
    is_after_return: bool,
    is_begun: bool,
    name: String,
    data: Option<String>,
    /// That of the event which is not ended yet.
    next_id: String,
    id: String,
    retry: Option<Duration>,
}

/// A line, or an event's data, is longer than anything the service sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event of the stream has more than {MAX_EVENT_BYTES} bytes")]
pub struct EventTooLong;

/// The longest event that is read: a notification, whose record has 900 KB at most, as JSON again, with
/// every character escaped. Larger, and a peer that never ends a line takes that much memory.
const MAX_EVENT_BYTES: usize = 8 * 1024 * 1024;

const BYTE_ORDER_MARK: &str = "\u{feff}";

impl EventStreamReader {
    /// The events that end in this piece.
    ///
    /// # Errors
    /// [`EventTooLong`].
    pub fn push(&mut self, piece: &[u8]) -> Result<Vec<ServerSentEvent>, EventTooLong> {
        let mut events = Vec::new();
        for byte in piece {
            let was_after_return = std::mem::take(&mut self.is_after_return);
            match byte {
                b'\n' if was_after_return => {}
                b'\n' | b'\r' => {
                    self.is_after_return = *byte == b'\r';
                    events.extend(self.end_line());
                }
                other => self.line.push(*other),
            }
            if self.line.len() + self.data.as_ref().map_or(0, String::len) > MAX_EVENT_BYTES {
                return Err(EventTooLong);
            }
        }
        Ok(events)
    }

    /// The last id that the stream gave, with an event that ended or alone; empty: none.
    pub fn last_event_id(&self) -> &str {
        &self.id
    }

    /// After how long the stream asked to be connected to again.
    pub fn retry(&self) -> Option<Duration> {
        self.retry
    }

    fn end_line(&mut self) -> Option<ServerSentEvent> {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        let is_first = !std::mem::replace(&mut self.is_begun, true);
        let line =
            if is_first { line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&line) } else { &line };
        if line.is_empty() {
            return self.end_event();
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        self.take_field(field, value.strip_prefix(' ').unwrap_or(value));
        None
    }

    fn take_field(&mut self, field: &str, value: &str) {
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            },
            "id" if !value.contains('\0') => value.clone_into(&mut self.next_id),
            "retry" if value.bytes().all(|byte| byte.is_ascii_digit()) => {
                self.retry = value.parse().ok().map(Duration::from_millis).or(self.retry);
            }
            // A comment has an empty name; others may be of a later time.
            _ => {}
        }
    }

    fn end_event(&mut self) -> Option<ServerSentEvent> {
        let name = std::mem::take(&mut self.name);
        self.next_id.clone_into(&mut self.id);
        let data = self.data.take()?;
        let name = if name.is_empty() { "message".to_owned() } else { name };
        Some(ServerSentEvent { name, data, id: self.id.clone() })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STREAM: &str = "\u{feff}: hi\r\nretry: 1500\nretry: x\nid: a\nevent: counts\ndata: {}\n\n\
        id: b\r\rdata:1\rdata:  ü2\r\n\r\nid: c\0\nevent: gone\n\ndata\nother: x\n\nid\ndata: end\n\nid: d\n\nid: e\ndata: cut";

    fn event(name: &str, data: &str, id: &str) -> ServerSentEvent {
        ServerSentEvent { name: name.into(), data: data.into(), id: id.into() }
    }

    proptest! {
        #[test]
        fn however_it_is_cut_the_events_are_the_same(cuts in prop::collection::vec(1..9usize, 99)) {
            let mut reader = EventStreamReader::default();
            let (mut rest, mut events) = (STREAM.as_bytes(), Vec::new());
            for cut in cuts.into_iter().cycle() {
                let (piece, others) = rest.split_at(cut.min(rest.len()));
                events.extend(reader.push(piece).unwrap());
                rest = others;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(events, [
                event("counts", "{}", "a"),
                event("message", "1\n ü2", "b"),
                event("message", "", "b"),
                event("message", "end", ""),
            ]);
            prop_assert_eq!(reader.retry(), Some(Duration::from_millis(1500)));
            prop_assert_eq!(reader.last_event_id(), "d");
        }

        #[test]
        fn no_stream_panics(pieces in prop::collection::vec(any::<Vec<u8>>(), 0..9)) {
            let mut reader = EventStreamReader::default();
            for piece in pieces {
                reader.push(&piece).unwrap();
            }
        }
    }

    #[test]
    fn what_never_ends_is_given_up() {
        let mut reader = EventStreamReader::default();
        let piece = [b'x'; 1024 * 1024];
        let taken = (0..9).take_while(|_| reader.push(&piece).is_ok()).count();
        assert_eq!(taken, 8);
        let mut reader = EventStreamReader::default();
        let piece = "data: x\n".repeat(1024 * 1024 / 8);
        let taken = (0..99).take_while(|_| reader.push(piece.as_bytes()).is_ok()).count();
        assert!(taken > 8 && taken < 99);
    }
}
