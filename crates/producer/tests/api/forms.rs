//! How it is sent: content types, and forms that cannot be read.

use reqwest::Method;

use crate::app::{FORM, MULTIPART, SENT, TestApp, answer, form, multipart};

const GOOD: [(&str, &str); 3] = [("fromID", "2"), ("toID", "1"), ("message", "hi")];

#[tokio::test]
async fn content_types_are_read_as_others_write_them() {
    let app = TestApp::spawn().await;
    for content_type in [
        "application/x-www-form-urlencoded",
        "application/x-www-form-urlencoded; charset=utf-8",
        "application/x-www-form-urlencoded;charset=UTF-8",
        "Application/X-WWW-Form-Urlencoded",
        " application/x-www-form-urlencoded ; a=b",
    ] {
        app.post(content_type, form(&GOOD)).await.is(200, SENT);
    }
    for content_type in [
        "multipart/form-data; boundary=edge",
        "multipart/form-data; boundary=\"edge\"",
        "multipart/form-data;charset=utf-8;boundary=edge",
        "Multipart/Form-Data; Boundary=edge",
    ] {
        let answer = app.post(content_type, multipart(&GOOD)).await;
        assert_eq!(answer.status, 200, "{content_type}: {answer:?}");
    }
    assert_eq!(app.messages().await, ["hi"; 9]);
}

#[tokio::test]
async fn other_content_types_are_415() {
    let app = TestApp::spawn().await;
    for (content_type, shown) in [
        ("application/json", "application/json"),
        ("text/plain; charset=utf-8", "text/plain"),
        ("multipart/mixed; boundary=edge", "multipart/mixed"),
        ("application/octet-stream", "application/octet-stream"),
        ("nonsense", "nonsense"),
        (";", ""),
    ] {
        let answer = app.post(content_type, form(&GOOD)).await;
        let reason = format!(
            "content type {shown:?} is not supported: \
             send application/x-www-form-urlencoded or multipart/form-data"
        );
        answer.is(415, &serde_json::json!({ "message": reason }).to_string());
    }
    app.log_is_empty().await;
}

#[tokio::test]
async fn a_compressed_form_is_415() {
    let app = TestApp::spawn().await;
    for encoding in ["gzip", "deflate", "br", "x", ""] {
        let post = app.request(Method::POST, "/send").header("Content-Encoding", encoding);
        let post = post.header("Content-Type", "application/x-www-form-urlencoded");
        let reason =
            format!("content encoding {encoding:?} is not supported: send the form as it is");
        let expected = serde_json::json!({ "message": reason }).to_string();
        answer(post.body(form(&GOOD))).await.is(415, &expected);
    }
    app.log_is_empty().await;
}

#[tokio::test]
async fn a_body_without_a_content_type_is_415_and_no_body_lacks_its_ids() {
    let app = TestApp::spawn().await;
    let post = || app.request(Method::POST, "/send");
    assert_eq!(answer(post().body(form(&GOOD))).await.status, 415);
    let empty = answer(post()).await;
    empty.is(
        400,
        r#"{"message":"failed to parse ID from form value fromID: strconv.Atoi: parsing \"\": invalid syntax"}"#,
    );
    // The tutorial reads the body only.
    let query = app.request(Method::POST, "/send?fromID=2&toID=1&message=hi");
    assert_eq!(answer(query).await.status, 400);
    app.log_is_empty().await;
}

#[tokio::test]
async fn of_fields_that_occur_twice_the_first_counts() {
    let app = TestApp::spawn().await;
    let fields = [
        ("fromID", "2"),
        ("fromID", "x"),
        ("toID", "1"),
        ("toID", "99"),
        ("message", "first"),
        ("message", "second"),
    ];
    app.post(FORM, form(&fields)).await.is(200, SENT);
    app.post(MULTIPART, multipart(&fields)).await.is(200, SENT);
    assert_eq!(app.messages().await, ["first", "first"]);
}

#[tokio::test]
async fn other_fields_are_ignored() {
    let app = TestApp::spawn().await;
    let mut fields = GOOD.to_vec();
    fields.extend([("", "nameless"), ("MESSAGE", "no"), ("title", "no"), ("🎈", "no")]);
    app.post(FORM, form(&fields)).await.is(200, SENT);
    app.post(MULTIPART, multipart(&fields)).await.is(200, SENT);
    app.post(FORM, format!("other=%ff&&&=&{}", form(&GOOD))).await.is(200, SENT);
    assert_eq!(app.messages().await, ["hi"; 3]);
}

#[tokio::test]
async fn a_file_can_be_the_message() {
    let app = TestApp::spawn().await;
    let body = multipart(&GOOD).replace(
        "name=\"message\"\r\n",
        "name=\"message\"; filename=\"a.txt\"\r\nContent-Type: text/plain\r\n",
    );
    app.post(MULTIPART, body).await.is(200, SENT);
    assert_eq!(app.messages().await, ["hi"]);
}

#[tokio::test]
async fn what_is_not_utf_8_is_400_and_the_field_is_named() {
    let app = TestApp::spawn().await;
    let part = |field: &str, good: &str| {
        let body = multipart(&GOOD);
        let at = body.find(&format!("name=\"{field}\"\r\n\r\n{good}")).unwrap();
        let mut body = body.into_bytes();
        let value = at + format!("name=\"{field}\"\r\n\r\n").len();
        body[value] = 0xff;
        body
    };
    for (field, form, parts) in [
        ("fromID", &b"fromID=%ff&toID=1&message=hi"[..], part("fromID", "2")),
        ("toID", b"fromID=2&toID=%c3&message=hi", part("toID", "1")),
        ("message", b"fromID=2&toID=1&message=%ff%fe", part("message", "hi")),
        ("message", b"fromID=2&toID=1&message=\xff", part("message", "hi")),
        ("message", b"fromID=2&toID=1&message=%ed%a0%80", part("message", "hi")),
        ("message", b"fromID=2&toID=1&message=%c0%80", part("message", "hi")),
        ("message", b"fromID=x&toID=&message=%80", part("message", "hi")),
    ] {
        let expected = format!(r#"{{"message":"form value {field} is not valid UTF-8"}}"#);
        app.post(FORM, form).await.is(400, &expected);
        app.post(MULTIPART, parts).await.is(400, &expected);
    }
    app.log_is_empty().await;
}

#[tokio::test]
async fn multipart_that_cannot_be_read_is_400_with_a_reason() {
    let app = TestApp::spawn().await;
    let good = multipart(&GOOD);
    let many: Vec<_> = (0..98).map(|_| ("other", "x")).chain(GOOD).collect();
    for (what, content_type, body) in [
        ("no boundary", "multipart/form-data", good.clone()),
        ("an empty boundary", "multipart/form-data; boundary=", good.clone()),
        ("another boundary", "multipart/form-data; boundary=other", good.clone()),
        ("no body", MULTIPART, String::new()),
        ("no multipart", MULTIPART, "fromID=2&toID=1&message=hi".to_owned()),
        ("no end", MULTIPART, good.replace("--edge--\r\n", "")),
        ("cut in a value", MULTIPART, good[..good.len() - 12].to_owned()),
        ("cut in a head", MULTIPART, good[..50].to_owned()),
        ("a part without a name", MULTIPART, good.replace("; name=\"toID\"", "")),
        ("a part without a head", MULTIPART, "--edge\r\n\r\nvalue\r\n--edge--\r\n".to_owned()),
        ("101 fields", MULTIPART, multipart(&many)),
    ] {
        let answer = app.post(content_type, body).await;
        assert_eq!(answer.status, 400, "{what}: {answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/json"), "{what}");
        let reason = answer.json()["message"].as_str().unwrap().to_owned();
        assert!(!reason.is_empty(), "{what}");
    }
    app.log_is_empty().await;
}

#[tokio::test]
async fn a_hundred_fields_are_read_and_one_more_is_not() {
    let app = TestApp::spawn().await;
    let fields = |others: usize| -> Vec<_> {
        std::iter::repeat_n(("other", "x"), others).chain(GOOD).collect()
    };
    app.post(MULTIPART, multipart(&fields(97))).await.is(200, SENT);
    app.post(MULTIPART, multipart(&fields(98)))
        .await
        .is(400, r#"{"message":"the multipart form has more than 100 fields"}"#);
    // A form in one piece costs no more for its many fields.
    app.post(FORM, form(&fields(10_000))).await.is(200, SENT);
}
