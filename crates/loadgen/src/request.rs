//! Requests, as the bytes that are sent.

use crate::target::Target;

/// `POST /send` from a user to another.
pub(crate) fn publish(target: Target, from: u32, to: u32, message: &str) -> Vec<u8> {
    let form = format!("fromID={from}&toID={to}&message={message}");
    format!(
        "POST /send HTTP/1.1\r\nHost: {target}\r\n\
        Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    )
    .into_bytes()
}

/// `GET /notifications/{user}`.
pub(crate) fn query(target: Target, user: u32, limit: u32) -> Vec<u8> {
    format!("GET /notifications/{user}?limit={limit} HTTP/1.1\r\nHost: {target}\r\n\r\n")
        .into_bytes()
}

/// A text of this many letters, none of which a form has to escape.
pub(crate) fn message(bytes: usize) -> String {
    ('a'..='z').cycle().take(bytes).collect()
}

/// Who sends to a user: the next of 1..=users.
pub(crate) fn sender(to: u32, users: u32) -> u32 {
    to % users + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_whole() {
        let target = "127.0.0.1:80".parse().unwrap();
        assert_eq!(
            String::from_utf8(publish(target, 2, 1, &message(3))).unwrap(),
            "POST /send HTTP/1.1\r\nHost: 127.0.0.1:80\r\n\
            Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 27\r\n\r\n\
            fromID=2&toID=1&message=abc"
        );
        assert_eq!(
            String::from_utf8(query(target, 1, 20)).unwrap(),
            "GET /notifications/1?limit=20 HTTP/1.1\r\nHost: 127.0.0.1:80\r\n\r\n"
        );
    }

    #[test]
    fn each_user_gets_from_the_next_and_the_last_from_the_first() {
        assert_eq!([1, 2, 3, 4].map(|to| sender(to, 4)), [2, 3, 4, 1]);
        assert_eq!(sender(1, 1), 1);
    }
}
