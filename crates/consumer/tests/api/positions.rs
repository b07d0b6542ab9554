//! `min_position` and `wait_ms`.

use std::time::Duration;

use models::{Offset, Partition, Position, TopicId};
use tokio::time::Instant;

use crate::app::{TestApp, home, sent_record, to};
use crate::v1::{ids, texts};

const ROUTES: [&str; 4] = ["notifications", "counts", "export", "notifications/{nid}"];

async fn routes(app: &TestApp) -> Vec<String> {
    let id = ids(&app.with_texts("1", &["hi"]).await)[0].clone();
    ROUTES.map(|route| format!("/v1/users/1/{}", route.replace("{nid}", &id))).to_vec()
}

#[tokio::test]
async fn what_was_sent_is_in_the_answer_that_asks_for_its_position() {
    let app = TestApp::spawn().await;
    for round in 1..=30 {
        let text = round.to_string();
        let offset = app.append_for("1", vec![sent_record(&to("1"), &text)]).await[0];
        let position = app.position("1", offset.next()).await;
        let page = app.page("1", &format!("limit=1&min_position={position}")).await;
        assert_eq!(texts(&page), [text]);
        assert_eq!(page["notifications"][0]["position"], position.to_string());
    }
}

#[tokio::test]
async fn a_position_beyond_the_end_is_waited_for_and_then_412() {
    let app = TestApp::spawn().await;
    let far = app.position("1", Offset(1_000_000)).await;
    for path in routes(&app).await {
        for wait_ms in [0, 300] {
            let began = Instant::now();
            let answer = app.get(&format!("{path}?min_position={far}&wait_ms={wait_ms}")).await;
            answer.is_problem(412, "Precondition Failed", "position_not_reached");
            assert_eq!(answer.header("retry-after"), Some("1"));
            assert!(began.elapsed() >= Duration::from_millis(wait_ms), "{path}");
        }
    }
}

#[tokio::test]
async fn a_request_that_waits_is_answered_when_the_record_comes() {
    let app = TestApp::spawn().await;
    let offset = app.append_for("1", vec![sent_record(&to("1"), "first")]).await[0];
    let position = app.position("1", Offset(offset.0 + 2)).await;
    let query = format!("min_position={position}&wait_ms=30000");
    let (page, ()) = tokio::join!(app.page("1", &query), async {
        app.tell("1", &["second"]).await;
    });
    assert_eq!(texts(&page), ["second", "first"]);
}

#[tokio::test]
async fn a_position_that_is_not_this_inboxs_is_refused() {
    let app = TestApp::spawn().await;
    let paths = routes(&app).await;
    let ours = app.position("1", Offset(1)).await;
    let elsewhere = Partition((home("1").0 + 1) % 6);
    let another_life = TopicId("b9bd4d1e-7d0a-4f6e-a2a6-0f5f4a5b1a11".parse().unwrap());
    let text = ours.to_string();
    let mut forged = text.clone();
    forged.replace_range(20..21, if &text[20..21] == "A" { "B" } else { "A" });
    let bad = [
        Position { partition: elsewhere, ..ours }.to_string(),
        Position { topic_id: another_life, ..ours }.to_string(),
        forged,
        text[1..].to_owned(),
        format!("{text}A"),
        String::new(),
        "0".to_owned(),
        "%00".to_owned(),
        "%ff".to_owned(),
    ];
    for path in &paths {
        for bad in &bad {
            let answer = app.get(&format!("{path}?min_position={bad}&wait_ms=0")).await;
            answer.is_problem(400, "Bad Request", "invalid_position");
        }
        assert_eq!(app.get(&format!("{path}?min_position={text}&wait_ms=0")).await.status, 200);
    }
    for bad in bad.iter().filter(|bad| !bad.starts_with('%')) {
        let body = serde_json::json!({"action": "read", "before": bad});
        app.act("1", body).await.is_problem(400, "Bad Request", "invalid_position");
    }
}
