//! Lines out of a stream of bytes.

use std::fmt::Display;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{FutureExt, Stream, StreamExt};
use memchr::{memchr, memchr_iter};
use service::{Code, Problem};

/// The longest line, in bytes: a record of the largest size, a third of it escapes.
///
/// Larger, and each batch costs that much memory; smaller, and what a single request may say a line
/// may not.
pub(crate) const MAX_LINE_BYTES: usize = 1_200_000;

/// Bytes of a block, but that its last line may be longer. Larger, and results come later; smaller,
/// and each line costs more.
const BLOCK_BYTES: usize = 64 * 1024;

/// Lines of a block: each may be answered with a problem, which is larger than the line.
const BLOCK_LINES: usize = 512;

/// A stream of bytes as lines.
pub(crate) struct Lines<S> {
    chunks: S,
    idle_timeout: Duration,
    buffer: BytesMut,
    /// Bytes at the start of the buffer that have no line break.
    searched: usize,
    /// The number of the line that the buffer starts with; of the first line, 1.
    number: u64,
    /// The rest of a line that was too long is passed over.
    is_passing: bool,
    has_ended: bool,
}

/// Whole lines that follow each other.
pub(crate) struct Block {
    first: u64,
    text: Bytes,
    is_too_long: bool,
}

/// Why there are no more lines, although the stream has not ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Nothing came for this long.
    TooSlow(Duration),
    /// The client stopped in the middle, or sends what is no body.
    Broken(String),
}

impl Block {
    /// Its lines with their numbers, but the empty ones; one that is too long is a problem.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (u64, Result<&[u8], Problem>)> {
        let too_long = self.is_too_long.then(|| (self.first, Err(too_long())));
        let texts = self.text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        let lines = (self.first..).zip(texts).filter(|(_, line)| !line.is_empty());
        too_long.into_iter().chain(lines.map(|(number, line)| (number, Ok(line))))
    }

    /// Bytes of its lines.
    pub(crate) fn size_bytes(&self) -> usize {
        self.text.len()
    }
}

fn too_long() -> Problem {
    let detail = format!("the line is longer than {MAX_LINE_BYTES} bytes");
    Problem::new(Code::TooLarge, detail)
}

impl<S, E> Lines<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: Display,
{
    /// The lines of these chunks, none of which may take longer than `idle_timeout`.
    pub(crate) fn new(chunks: S, idle_timeout: Duration) -> Self {
        let buffer = BytesMut::new();
        let (searched, number, is_passing, has_ended) = (0, 1, false, false);
        Self { chunks, idle_timeout, buffer, searched, number, is_passing, has_ended }
    }

    /// The number of the first line that was not given out.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// The next lines: those that are there, or else the next to come. `None` after the last, which
    /// need not end with a line break.
    pub(crate) async fn next(&mut self) -> Result<Option<Block>, Ended> {
        loop {
            if self.is_passing {
                self.pass_over();
            } else if let Some(block) = self.take() {
                return Ok(Some(block));
            } else if self.buffer.len() > MAX_LINE_BYTES {
                return Ok(Some(self.refuse()));
            }
            if !self.has_ended {
                self.read().await?;
            } else if self.buffer.is_empty() {
                return Ok(None);
            } else {
                return Ok(Some(self.rest()));
            }
        }
    }

    /// The whole lines at the start of the buffer, as many as make a block.
    fn take(&mut self) -> Option<Block> {
        let (mut count, mut end) = (0, 0);
        for at in memchr_iter(b'\n', self.buffer.get(self.searched..)?) {
            let next = self.searched + at + 1;
            if count > 0 && next > BLOCK_BYTES {
                break;
            }
            (count, end) = (count + 1, next);
            if count == BLOCK_LINES {
                break;
            }
        }
        if count == 0 {
            self.searched = self.buffer.len();
            return None;
        }
        self.searched = 0;
        if end > MAX_LINE_BYTES + 1 {
            // The rest of it is passed over by its line break.
            return Some(self.refuse());
        }
        let text = self.buffer.split_to(end).freeze();
        let first = self.number;
        self.number += count as u64;
        // Without the last line break, behind which no line begins.
        let text = text.slice(..end - 1);
        Some(Block { first, text, is_too_long: false })
    }

    /// Gives out that the line at the start of the buffer is too long.
    fn refuse(&mut self) -> Block {
        self.is_passing = true;
        self.searched = 0;
        let first = self.number;
        self.number += 1;
        Block { first, text: Bytes::new(), is_too_long: true }
    }

    fn pass_over(&mut self) {
        match memchr(b'\n', &self.buffer) {
            Some(at) => {
                let _ = self.buffer.split_to(at + 1);
                self.is_passing = false;
            }
            None => self.buffer.clear(),
        }
    }

    fn rest(&mut self) -> Block {
        let first = self.number;
        self.number += 1;
        Block { first, text: self.buffer.split().freeze(), is_too_long: false }
    }

    /// Reads what is there, up to a block, or waits for the next chunk.
    async fn read(&mut self) -> Result<(), Ended> {
        let waiting = tokio::time::timeout(self.idle_timeout, self.chunks.next());
        let mut chunk = waiting.await.map_err(|_| Ended::TooSlow(self.idle_timeout))?;
        loop {
            match chunk {
                Some(Ok(bytes)) => self.buffer.extend_from_slice(&bytes),
                Some(Err(error)) => return Err(Ended::Broken(error.to_string())),
                None => {
                    self.has_ended = true;
                    return Ok(());
                }
            }
            if self.buffer.len() >= BLOCK_BYTES {
                return Ok(());
            }
            match self.chunks.next().now_or_never() {
                Some(next) => chunk = next,
                None => return Ok(()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::stream;
    use proptest::prelude::*;

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(5);

    /// What lines come of these chunks: a text, or none where it is too long.
    fn lines(chunks: &[&[u8]]) -> Vec<(u64, Option<Vec<u8>>)> {
        let chunks: Vec<_> =
            chunks.iter().map(|chunk| Ok::<_, Infallible>(Bytes::copy_from_slice(chunk))).collect();
        let clock = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let _clock = clock.enter();
        let mut lines = Lines::new(stream::iter(chunks), TIMEOUT);
        let mut found = Vec::new();
        while let Some(block) = lines.next().now_or_never().unwrap().unwrap() {
            assert!(block.lines().count() <= BLOCK_LINES);
            found.extend(block.lines().map(|(n, line)| (n, line.ok().map(<[u8]>::to_vec))));
        }
        found
    }

    fn line(number: u64, text: &str) -> (u64, Option<Vec<u8>>) {
        (number, Some(text.into()))
    }

    #[test]
    fn lines_are_numbered_and_empty_ones_only_counted() {
        assert_eq!(lines(&[]), []);
        assert_eq!(lines(&[b"", b"\n \r\n\n"]), []);
        assert_eq!(lines(&[b"a\nb"]), [line(1, "a"), line(2, "b")]);
        assert_eq!(lines(&[b"a\r\n\n c\t\n"]), [line(1, "a"), line(3, "c")]);
        assert_eq!(
            lines(&[b"one", b"", b" line\nand ", b"two"]),
            [line(1, "one line"), line(2, "and two")]
        );
        let many = "x\n".repeat(2_000);
        let numbers: Vec<_> = lines(&[many.as_bytes()]).into_iter().map(|(n, _)| n).collect();
        assert_eq!(numbers, (1..=2_000).collect::<Vec<_>>());
    }

    #[test]
    fn a_line_that_is_too_long_is_told_and_the_rest_goes_on() {
        let longest = vec![b'x'; MAX_LINE_BYTES];
        let with = |more: &[u8]| [&longest, more].concat();
        let at_the_bound = lines(&[&with(b"\nb")]);
        assert_eq!(at_the_bound, [(1, Some(longest.clone())), line(2, "b")]);
        for chunks in [
            &[&with(b"x\nb\n")[..]][..],
            &[&with(b"x"), b"\nb"],
            &[&with(&longest), &longest, b"x", b"x\n", b"b"],
        ] {
            assert_eq!(lines(chunks), [(1, None), line(2, "b")]);
        }
        assert_eq!(lines(&[b"a\n", &with(b"xx")]), [line(1, "a"), (2, None)]);
        assert_eq!(lines(&[&with(&with(b"\n")), b"\n\nd"]), [(1, None), line(4, "d")]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_falls_silent_or_breaks_off_ends_the_lines() {
        let text = Ok::<_, Infallible>(Bytes::from_static(b"a\nb"));
        let mut lines = Lines::new(stream::iter([text]).chain(stream::pending()), TIMEOUT);
        assert!(lines.next().await.is_ok_and(|block| block.is_some()));
        assert_eq!(lines.next().await.err(), Some(Ended::TooSlow(TIMEOUT)));
        assert_eq!(lines.number(), 2, "the line that did not come to its end");

        let broken = stream::iter([Ok(Bytes::from_static(b"a")), Err("gone")]);
        let mut lines = Lines::new(broken, TIMEOUT);
        assert_eq!(lines.next().await.err(), Some(Ended::Broken("gone".to_owned())));
    }

    proptest! {
        #[test]
        fn however_it_is_cut_it_has_the_same_lines(
            text in "[ab\n\r ]{0,200}",
            cuts in prop::collection::vec(0usize..200, 0..8),
        ) {
            let mut cuts: Vec<_> = cuts.into_iter().map(|at| at.min(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let chunks: Vec<_> =
                cuts.windows(2).map(|cut| &text.as_bytes()[cut[0]..cut[1]]).collect();
            let texts = (1..).zip(text.split('\n').map(|it| it.trim_ascii()));
            let expected: Vec<_> =
                texts.filter(|(_, it)| !it.is_empty()).map(|(n, it)| line(n, it)).collect();
            prop_assert_eq!(lines(&chunks), expected);
        }
    }
}
