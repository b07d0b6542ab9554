//! Which lines are on their way.

use std::collections::BTreeMap;

use super::source::{Line, Place};

/// The most lines, and bytes of them, that are read and not acknowledged. Larger, and more memory
/// is taken; smaller, and the server waits for lines that are on their way.
const MAX_LINES: usize = 4_096;
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// The lines that were read and are not acknowledged.
#[derive(Debug, Default)]
pub(super) struct Tracker {
    /// To be sent, or sent again; by their numbers in the file.
    waiting: BTreeMap<u64, Line>,
    /// Sent, by their numbers in this request.
    sent: BTreeMap<u64, Line>,
    /// How many lines this request has.
    requested: u64,
    bytes: usize,
    read_to: Place,
}

impl Tracker {
    pub(super) fn new(from: Place) -> Self {
        Self { read_to: from, ..Self::default() }
    }

    /// Whether more may be read.
    pub(super) fn has_room(&self) -> bool {
        self.waiting.len() + self.sent.len() < MAX_LINES && self.bytes < MAX_BYTES
    }

    pub(super) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    pub(super) fn has_sent(&self) -> bool {
        !self.sent.is_empty()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.sent.is_empty()
    }

    /// How many lines this request has so far.
    pub(super) fn requested(&self) -> u64 {
        self.requested
    }

    pub(super) fn add(&mut self, line: Line) {
        self.bytes += line.json.len();
        self.waiting.insert(line.number, line);
    }

    /// All before this place was read.
    pub(super) fn read_to(&mut self, place: Place) {
        self.read_to = place;
    }

    /// The next lines to send, up to about so many bytes, as one text. They count as sent.
    pub(super) fn send(&mut self, bytes: usize) -> Vec<u8> {
        let mut text = Vec::new();
        while text.len() < bytes {
            let Some((_, line)) = self.waiting.pop_first() else { break };
            text.extend_from_slice(&line.json);
            self.requested += 1;
            self.sent.insert(self.requested, line);
        }
        text
    }

    /// Takes the line that has this number in the request: there is a result for it. None for one
    /// that is not expected.
    pub(super) fn answered(&mut self, request_line: u64) -> Option<Line> {
        let line = self.sent.remove(&request_line)?;
        self.bytes = self.bytes.saturating_sub(line.json.len());
        Some(line)
    }

    /// A new request begins: what was sent and not acknowledged is sent again.
    pub(super) fn begin_request(&mut self) {
        let sent = std::mem::take(&mut self.sent);
        self.waiting.extend(sent.into_values().map(|line| (line.number, line)));
        self.requested = 0;
    }

    /// All before this place is acknowledged.
    pub(super) fn acknowledged(&self) -> Place {
        let outstanding = self.sent.values().chain(self.waiting.values());
        outstanding.map(|line| line.place).min().unwrap_or(self.read_to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(number: u64) -> Line {
        let place = Place { lines: number - 1, offset: (number - 1) * 3 };
        Line { number, place, json: "{}\n".into() }
    }

    fn with_lines(count: u64) -> Tracker {
        let mut tracker = Tracker::new(Place::default());
        for number in 1..=count {
            tracker.add(line(number));
        }
        tracker.read_to(Place { lines: count, offset: count * 3 });
        tracker
    }

    #[test]
    fn what_is_acknowledged_ends_before_the_first_line_that_is_not() {
        let mut tracker = with_lines(4);
        assert_eq!(tracker.send(7), b"{}\n{}\n{}\n");
        for (answered, acknowledged) in [(2, 0), (1, 2), (3, 3)] {
            assert!(tracker.answered(answered).is_some());
            assert_eq!(tracker.acknowledged().lines, acknowledged);
        }
        assert!(tracker.answered(3).is_none() && tracker.answered(4).is_none());
        tracker.send(100);
        tracker.answered(4).unwrap();
        assert_eq!(tracker.acknowledged(), Place { lines: 4, offset: 12 });
        assert!(tracker.is_idle());
    }

    #[test]
    fn after_a_loss_all_that_has_no_result_is_sent_again_in_order() {
        let mut tracker = with_lines(5);
        tracker.send(9);
        tracker.answered(2).unwrap();
        tracker.begin_request();
        tracker.send(100);
        let again: Vec<_> = (1..=4).map(|n| tracker.answered(n).unwrap().number).collect();
        assert_eq!(again, [1, 3, 4, 5]);
    }

    #[test]
    fn there_is_room_for_so_many_lines_only() {
        assert!(with_lines(MAX_LINES as u64 - 1).has_room());
        assert!(!with_lines(MAX_LINES as u64).has_room());
        let mut large = with_lines(0);
        large.add(Line { json: vec![b'x'; MAX_BYTES].into(), ..line(1) });
        assert!(!large.has_room());
        large.send(1);
        large.answered(1).unwrap();
        assert!(large.has_room());
    }
}
