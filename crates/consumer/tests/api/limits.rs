//! The query value `limit`.

use crate::app::TestApp;

const REASON: &str = "query value limit is not an integer from 1 to 1000";

#[tokio::test]
async fn a_limit_is_an_integer_from_1_to_1000() {
    let app = TestApp::spawn().await;
    app.tell("1", &["a", "b", "c"]).await;
    app.inbox_of("1", 3).await;
    for (query, count) in [
        ("", 3),
        ("?", 3),
        ("?limit=1", 1),
        ("?limit=2", 2),
        ("?limit=3", 3),
        ("?limit=1000", 3),
        ("?limit=%31", 1),
        ("?limit=%2B2", 2),
        ("?limit=002", 2),
        ("?other=0&limit=2&another", 2),
        ("?Limit=1", 3),
        ("?other=%ff", 3),
    ] {
        let answer = app.inbox(format!("1{query}")).await;
        assert_eq!(answer.messages().len(), count, "{query}");
    }
}

#[tokio::test]
async fn any_other_limit_is_400_with_a_reason() {
    let app = TestApp::spawn().await;
    for limit in [
        "0",
        "1001",
        "-1",
        "",
        "x",
        "1.5",
        "1e2",
        "%201",
        "+1",
        "0x10",
        "1,2",
        "%ff",
        "%00",
        "%EF%BC%91",
        "9223372036854775808",
        "99999999999999999999999999",
        "-9223372036854775808",
    ] {
        let answer = app.inbox(format!("1?limit={limit}")).await;
        assert_eq!(answer.status, 400, "limit={limit}: {answer:?}");
        answer.is_refused(REASON);
    }
    app.inbox("1?limit").await.is_refused(REASON);
}

#[tokio::test]
async fn two_limits_are_none_that_was_meant() {
    let app = TestApp::spawn().await;
    for query in ["limit=1&limit=2", "limit=1&limit=1", "limit=0&limit=1", "limit=1&limit=x"] {
        let answer = app.inbox(format!("1?{query}")).await;
        assert_eq!(answer.status, 400, "{query}: {answer:?}");
    }
}
