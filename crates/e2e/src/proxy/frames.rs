//! Following Kafka's frames as they pass: a length, then that many bytes.

use anyhow::{Context, Result, ensure};

/// The API key of Produce.
const PRODUCE: [u8; 2] = [0, 0];

/// Longest frame, in bytes: Kafka's default for `socket.request.max.bytes`. A longer one is no frame.
const MOST_BYTES: usize = 100 << 20;

const LENGTH_BYTES: usize = 4;

/// The frames of one direction of one connection. It keeps no more than the head of one.
pub(super) struct Frames {
    head_bytes: usize,
    head: Vec<u8>,
    /// Bytes of the frame that come after its head.
    rest: usize,
}

/// The head of a frame, which ended in what was just read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Where in what was just read the frame begins; 0 also where it began before.
    pub(super) begins: usize,
    pub(super) correlation_id: i32,
    /// Of requests alone.
    pub(super) is_produce: bool,
}

impl Frames {
    /// Requests: length, API key, API version, correlation id.
    pub(super) fn of_requests() -> Self {
        Self::new(12)
    }

    /// Responses: length, correlation id.
    pub(super) fn of_responses() -> Self {
        Self::new(8)
    }

    fn new(head_bytes: usize) -> Self {
        Self { head_bytes, head: Vec::with_capacity(head_bytes), rest: 0 }
    }

    /// The heads that end in the bytes that come next.
    pub(super) fn follow(&mut self, bytes: &[u8]) -> Result<Vec<Head>> {
        let mut heads = Vec::new();
        let (mut left, mut begins) = (bytes, 0);
        while !left.is_empty() {
            if self.rest > 0 {
                let (_passed, after) = left.split_at(self.rest.min(left.len()));
                self.rest -= left.len() - after.len();
                left = after;
                continue;
            }
            if self.head.is_empty() {
                begins = bytes.len() - left.len();
            }
            let missing = self.head_bytes - self.head.len();
            let (part, after) = left.split_at(missing.min(left.len()));
            self.head.extend_from_slice(part);
            left = after;
            if self.head.len() == self.head_bytes {
                heads.push(self.end_head(begins)?);
            }
        }
        Ok(heads)
    }

    fn end_head(&mut self, begins: usize) -> Result<Head> {
        let head = std::mem::take(&mut self.head);
        let length = u32::from_be_bytes(*head.first_chunk().context("no length")?);
        let bytes = LENGTH_BYTES + usize::try_from(length)?;
        let is_frame = (self.head_bytes..=MOST_BYTES).contains(&bytes);
        ensure!(is_frame, "no frame of Kafka: {head:?}");
        self.rest = bytes - self.head_bytes;
        let correlation_id = i32::from_be_bytes(*head.last_chunk().context("no id")?);
        let is_produce = head.get(LENGTH_BYTES..LENGTH_BYTES + 2) == Some(&PRODUCE);
        Ok(Head { begins, correlation_id, is_produce })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(api_key: i16, correlation_id: i32, body: usize) -> Vec<u8> {
        let length = i32::try_from(8 + body).unwrap();
        let mut frame = length.to_be_bytes().to_vec();
        frame.extend(api_key.to_be_bytes());
        frame.extend([0, 7]);
        frame.extend(correlation_id.to_be_bytes());
        frame.resize(frame.len() + body, 0xff);
        frame
    }

    #[test]
    fn heads_are_found_however_the_bytes_are_cut_up() {
        let frames = [request(0, 7, 100), request(18, 8, 0), request(0, -1, 3)];
        let begins = [0, frames[0].len(), frames[0].len() + frames[1].len()];
        let bytes = frames.concat();
        for size in 1..=bytes.len() {
            let mut following = Frames::of_requests();
            let mut found = Vec::new();
            for (number, part) in bytes.chunks(size).enumerate() {
                for head in following.follow(part).unwrap() {
                    let begins = number * size + head.begins;
                    found.push((begins, head.correlation_id, head.is_produce));
                }
            }
            let ids: Vec<_> = found.iter().map(|(_, id, is_produce)| (*id, *is_produce)).collect();
            assert_eq!(ids, [(7, true), (8, false), (-1, true)], "{size} bytes at a time");
            // Where a head was cut in two, it begins with the second part.
            assert!(found.iter().zip(begins).all(|((found, ..), begins)| *found >= begins));
            if size == bytes.len() {
                assert!(found.iter().zip(begins).all(|((found, ..), begins)| *found == begins));
            }
        }
    }

    #[test]
    fn what_is_no_frame_is_an_error() {
        for head in [*b"GET / HT", [0, 0, 0, 3, 0, 0, 0, 1], [0xff; 8]] {
            assert!(Frames::of_responses().follow(&head).is_err(), "{head:?}");
        }
    }
}
