//! The lines of a file, read on a thread of their own.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::thread;

use bytes::Bytes;
use sha1_smol::Sha1;
use tokio::sync::mpsc;

use super::key::keyed;

/// The longest line: a request has under 16 MB.
const MAX_LINE_BYTES: usize = 16 * 1024 * 1024;

/// How much is read ahead at once. Larger, and more memory is taken; smaller, and more switches
/// between threads are.
pub(super) const CHUNK_BYTES: usize = 64 * 1024;

/// Chunks that wait to be sent; the reader waits at the bound.
const QUEUED_CHUNKS: usize = 2;

/// How much of a line that is none is kept to be shown.
const SHOWN_BYTES: usize = 4 * 1024;

/// A place between two lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// How many lines lie before it.
    pub(super) lines: u64,
    /// How many bytes do.
    pub(super) offset: u64,
}

/// A line with its key.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// Its number in the file, from 1 on.
    pub(super) number: u64,
    /// Where it begins.
    pub(super) place: Place,
    pub(super) json: Bytes,
}

/// What was read.
#[derive(Debug)]
pub(super) enum Found {
    Line(Line),
    /// A line that is not sent.
    Bad {
        number: u64,
        reason: String,
        text: String,
    },
}

/// Lines in their order.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    pub(super) lines: Vec<Found>,
    /// Behind the last of them.
    pub(super) end: Place,
    bytes: usize,
}

/// What a file contains, as a text of 40 characters: a file that differs anywhere has another one.
/// `seen` hears how much was read so far.
///
/// SHA-1: it must not happen that two files have the same; that somebody makes two such files
/// harms nobody else.
pub(super) fn content(path: &Path, seen: impl Fn(u64)) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha1::new();
    let mut buffer = vec![0; 1024 * 1024];
    let mut bytes = 0;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(hash.digest().to_string());
        }
        hash.update(buffer.get(..read).unwrap_or_default());
        bytes += read as u64;
        seen(bytes);
    }
}

/// Reads on from a place. The thread ends with the input, or when nobody receives any more.
pub(super) fn read(
    path: Option<&Path>,
    from: Place,
    prefix: String,
) -> io::Result<mpsc::Receiver<io::Result<Chunk>>> {
    let input: Box<dyn Read + Send> = match path {
        Some(path) => {
            let mut file = File::open(path)?;
            file.seek(SeekFrom::Start(from.offset))?;
            Box::new(file)
        }
        None => Box::new(io::stdin()),
    };
    let (chunks, receiver) = mpsc::channel(QUEUED_CHUNKS);
    let reader = Lines { input: BufReader::with_capacity(CHUNK_BYTES, input), at: from, prefix };
    thread::Builder::new().name("import".to_owned()).spawn(move || reader.send_to(&chunks))?;
    Ok(receiver)
}

struct Lines {
    input: BufReader<Box<dyn Read + Send>>,
    at: Place,
    prefix: String,
}

impl Lines {
    fn send_to(mut self, chunks: &mpsc::Sender<io::Result<Chunk>>) {
        loop {
            let chunk = self.chunk();
            let is_end = chunk.as_ref().is_ok_and(|chunk| chunk.bytes == 0);
            let is_last = is_end || chunk.is_err();
            if is_end || chunks.blocking_send(chunk).is_err() || is_last {
                return;
            }
        }
    }

    /// What is there, up to about [`CHUNK_BYTES`]: lines that came are not held back for those that
    /// a pipe brings later. Without bytes at the end.
    fn chunk(&mut self) -> io::Result<Chunk> {
        let mut chunk = Chunk { end: self.at, ..Chunk::default() };
        while chunk.bytes < CHUNK_BYTES {
            let before = self.at;
            let Some((line, bytes)) = self.line()? else { break };
            self.at = Place { lines: before.lines + 1, offset: before.offset + bytes };
            chunk.bytes += usize::try_from(bytes).unwrap_or(usize::MAX);
            chunk.lines.extend(self.parse(before, line));
            chunk.end = self.at;
            if self.input.buffer().is_empty() {
                break;
            }
        }
        Ok(chunk)
    }

    /// A line without what is beyond the limit, and how many bytes it took.
    fn line(&mut self) -> io::Result<Option<(Vec<u8>, u64)>> {
        let mut line = Vec::new();
        let mut limited = self.input.by_ref().take(MAX_LINE_BYTES as u64 + 1);
        let mut bytes = limited.read_until(b'\n', &mut line)? as u64;
        if bytes == 0 {
            return Ok(None);
        }
        if line.len() > MAX_LINE_BYTES && !line.ends_with(b"\n") {
            bytes += self.skip_line()?;
        }
        Ok(Some((line, bytes)))
    }

    fn skip_line(&mut self) -> io::Result<u64> {
        let mut skipped = 0;
        loop {
            let buffer = self.input.fill_buf()?;
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let bytes = end.map_or(buffer.len(), |end| end + 1);
            self.input.consume(bytes);
            skipped += bytes as u64;
            if end.is_some() || bytes == 0 {
                return Ok(skipped);
            }
        }
    }

    /// Nothing for an empty line.
    fn parse(&self, place: Place, mut line: Vec<u8>) -> Option<Found> {
        let number = place.lines + 1;
        if place.offset == 0 && line.starts_with(BYTE_ORDER_MARK) {
            line.drain(..BYTE_ORDER_MARK.len());
        }
        if line.trim_ascii().is_empty() {
            return None;
        }
        let keyed = if line.len() > MAX_LINE_BYTES {
            Err(format!("over {MAX_LINE_BYTES} bytes long"))
        } else {
            match str::from_utf8(&line) {
                Ok(text) => keyed(text, &self.prefix, number),
                Err(error) => Err(format!("no UTF-8: {error}")),
            }
        };
        Some(match keyed {
            Ok(json) => Found::Line(Line { number, place, json: json.into() }),
            Err(reason) => {
                let shown = line.get(..SHOWN_BYTES).unwrap_or(&line);
                let text = String::from_utf8_lossy(shown).trim_end().to_owned();
                Found::Bad { number, reason, text }
            }
        })
    }
}

/// Some editors put it before a text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
