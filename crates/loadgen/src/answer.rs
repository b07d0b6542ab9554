//! Answers, as far as a load has to understand them.

/// Where an answer lies in the bytes that were read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Bytes before the body.
    pub(crate) head_bytes: usize,
    pub(crate) body_bytes: usize,
    /// Another request may follow on the connection.
    pub(crate) keep_alive: bool,
}

/// The bytes are no answer that a load can be run with.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("the answer is not HTTP/1: {0}")]
    NotHttp(#[from] httparse::Error),
    #[error("the answer has no Content-Length, which is all that loadgen reads")]
    NoLength,
    #[error("the answer has over {MAX_ANSWER_BYTES} bytes")]
    TooLarge,
}

/// The largest answer. Our services stay at about 8 MB; larger would be memory of the client.
pub(crate) const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// More headers than any server of ours sends.
const MAX_HEADERS: usize = 32;

impl Answer {
    /// Reads the head of an answer; none yet while it is not whole.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Self>, Unreadable> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(head_bytes) = response.parse(bytes)? else {
            return Ok(None);
        };
        let mut keep_alive = response.version == Some(1);
        let mut body_bytes = None;
        for header in response.headers.iter() {
            if header.name.eq_ignore_ascii_case("content-length") {
                body_bytes = std::str::from_utf8(header.value).ok().and_then(|v| v.parse().ok());
            } else if header.name.eq_ignore_ascii_case("connection") {
                keep_alive &= !header.value.eq_ignore_ascii_case(b"close");
            }
        }
        let body_bytes: usize = body_bytes.ok_or(Unreadable::NoLength)?;
        if body_bytes > MAX_ANSWER_BYTES {
            return Err(Unreadable::TooLarge);
        }
        let status = response.code.unwrap_or_default();
        Ok(Some(Self { status, head_bytes, body_bytes, keep_alive }))
    }

    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Bytes of head and body.
    pub(crate) fn bytes(&self) -> usize {
        self.head_bytes + self.body_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Option<Answer>, Unreadable> {
        Answer::parse(text.as_bytes())
    }

    #[test]
    fn a_head_is_read_once_it_is_whole() {
        let text = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-Request-Id: 1\r\n\r\nabc";
        for end in 0..text.len() - 3 {
            assert_eq!(parse(&text[..end]), Ok(None), "{end}");
        }
        let answer = parse(text).unwrap().unwrap();
        assert_eq!((answer.status, answer.body_bytes, answer.keep_alive), (200, 3, true));
        assert_eq!(answer.bytes(), text.len());
    }

    #[test]
    fn a_server_may_close() {
        for text in [
            "HTTP/1.1 408 Request Timeout\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.0 408 Request Timeout\r\nContent-Length: 0\r\n\r\n",
        ] {
            let answer = parse(text).unwrap().unwrap();
            assert!(!answer.keep_alive && !answer.is_success(), "{text}");
        }
    }

    #[test]
    fn what_a_load_cannot_read_is_named() {
        for (text, error) in [
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Unreadable::NoLength),
            ("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", Unreadable::NoLength),
            ("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", Unreadable::TooLarge),
            ("SSH-2.0-x\r\n\r\n", Unreadable::NotHttp(httparse::Error::Version)),
        ] {
            assert_eq!(parse(text), Err(error), "{text}");
        }
    }
}
