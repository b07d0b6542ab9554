//! A connection on which bytes are sent as they are.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::app::{LONG, TestApp};

pub(crate) struct Raw {
    pub(crate) stream: TcpStream,
    unread: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct RawAnswer {
    pub(crate) status: u16,
    /// The head, in lower case.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl TestApp {
    pub(crate) async fn connect(&self) -> Raw {
        let stream = TcpStream::connect(self.address).await.unwrap();
        Raw { stream, unread: Vec::new() }
    }

    /// One request on a connection of its own.
    pub(crate) async fn raw(&self, bytes: impl AsRef<[u8]>) -> RawAnswer {
        let mut raw = self.connect().await;
        raw.write(bytes).await;
        raw.answer().await
    }
}

/// The head of a send.
pub(crate) fn head(more: &str) -> String {
    format!(
        "POST /send HTTP/1.1\r\nHost: test\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n{more}\r\n"
    )
}

/// A send with a body of this length.
pub(crate) fn request(body: &str) -> String {
    head(&format!("Content-Length: {}\r\n", body.len())) + body
}

impl Raw {
    pub(crate) async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Writes pieces until an answer comes, which must be before so many bytes: the answer, and the
    /// bytes that were written.
    pub(crate) async fn answer_while_writing(
        mut self,
        piece: &[u8],
        most: usize,
    ) -> (RawAnswer, usize) {
        let (mut read, mut write) = self.stream.split();
        let mut written = 0;
        let writing = async {
            while written < most && write.write_all(piece).await.is_ok() {
                written += piece.len();
            }
            assert!(written < most, "all of the body was taken");
            // The other side closed: what it said before can still be read.
            std::future::pending::<()>().await;
        };
        let mut unread = Vec::new();
        let reading = read_answer(&mut read, &mut unread);
        let answer = tokio::select! {
            answer = reading => answer,
            () = writing => unreachable!(),
        };
        (answer.expect("an answer"), written)
    }

    /// The next answer.
    pub(crate) async fn answer(&mut self) -> RawAnswer {
        self.try_answer().await.expect("an answer, not the end")
    }

    /// The next answer, or `None` at the end of the connection.
    pub(crate) async fn try_answer(&mut self) -> Option<RawAnswer> {
        read_answer(&mut self.stream, &mut self.unread).await
    }

    /// Whether the other side closes the connection now.
    pub(crate) async fn is_closed(&mut self) -> bool {
        let mut byte = [0];
        match timeout(Duration::from_secs(10), self.stream.read(&mut byte)).await {
            Ok(Ok(bytes)) => bytes == 0,
            // Reset: what we sent was not all read.
            Ok(Err(_)) => true,
            Err(_) => false,
        }
    }
}

async fn read_answer(
    stream: &mut (impl AsyncReadExt + Unpin),
    unread: &mut Vec<u8>,
) -> Option<RawAnswer> {
    let mut read_more = async |unread: &mut Vec<u8>| {
        let bytes = timeout(LONG, stream.read_buf(unread)).await.expect("an answer in time");
        match bytes {
            Ok(bytes) => bytes > 0,
            Err(error) if unread.is_empty() => panic!("no answer: {error}"),
            Err(error) => panic!("half an answer: {error}"),
        }
    };
    let head_bytes = loop {
        if let Some(at) = unread.windows(4).position(|it| it == b"\r\n\r\n") {
            break at + 4;
        }
        if !read_more(unread).await {
            assert!(unread.is_empty(), "half an answer");
            return None;
        }
    };
    let head: Vec<_> = unread.drain(..head_bytes).collect();
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length = length.map_or(0, |it| it.parse().unwrap());
    while unread.len() < length {
        assert!(read_more(unread).await, "half an answer");
    }
    let body = String::from_utf8(unread.drain(..length).collect()).unwrap();
    let status = head["http/1.1 ".len()..][..3].parse().unwrap();
    Some(RawAnswer { status, head, body })
}
