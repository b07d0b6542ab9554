//! `GET /v1/users/{id}/notifications`: pages, their filters and cursors.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::app::{TestApp, eventually, home, soon};
use crate::v1::{ids, record_with, texts};

#[tokio::test]
async fn a_page_has_all_that_is_known_of_a_notification() {
    let app = TestApp::spawn().await;
    let fields = json!({
        "title": "Today", "url": "https://example.org/x", "tags": ["food"], "priority": 4,
        "data": {"any": [1, null]}, "expires_at": "2999-01-01T00:00:00.000Z",
    });
    app.with_records("1", vec![record_with("1", "Lunch?", &fields)]).await;
    let page = app.page("1", "").await;
    let shown = &page["notifications"][0];
    let expected = json!({
        "id": shown["id"], "from": {"id": "2", "name": "Bruno"}, "to": {"id": "1", "name": "Emma"},
        "message": "Lunch?", "title": "Today", "url": "https://example.org/x", "tags": ["food"],
        "priority": 4, "data": {"any": [1, null]}, "created_at": shown["created_at"],
        "expires_at": "2999-01-01T00:00:00.000Z", "read_at": null, "archived_at": null,
        "position": page["position"],
    });
    assert_eq!(
        page,
        json!({
            "notifications": [expected], "unread_count": 1, "unseen_count": 1,
            "next_cursor": null, "position": page["position"],
        })
    );
    let id = shown["id"].as_str().unwrap();
    let one = app.get(&format!("/v1/users/1/notifications/{id}")).await;
    assert_eq!((one.status, one.json()), (200, expected));
}

#[tokio::test]
async fn a_plain_one_has_nulls_and_ids_are_texts() {
    let app = TestApp::spawn().await;
    app.with_texts("1", &["hi"]).await;
    let page = app.page("1", "").await;
    let shown = &page["notifications"][0];
    for (field, value) in [
        ("title", json!(null)),
        ("url", json!(null)),
        ("tags", json!([])),
        ("priority", json!(3)),
        ("data", json!(null)),
        ("expires_at", json!(null)),
        ("from", json!({"id": "2", "name": "Bruno"})),
        ("to", json!({"id": "1", "name": "Emma"})),
    ] {
        assert_eq!(shown[field], value, "{field}");
    }
}

#[tokio::test]
async fn a_user_nobody_wrote_to_has_an_empty_inbox() {
    let app = TestApp::spawn().await;
    for user in ["1", "nobody@example.org", "a.b_c:d-e", "..", "0", "-1", &"x".repeat(128)] {
        let (status, page) = app.raw(&format!("GET /v1/users/{user}/notifications")).await;
        assert_eq!(status, 200, "{user}: {page}");
        assert!(page.contains(r#""notifications":[],"unread_count":0,"unseen_count":0"#), "{page}");
    }
}

#[tokio::test]
async fn pages_lead_through_the_whole_inbox_newest_first() {
    let app = TestApp::spawn().await;
    let all: Vec<_> = (0..45).map(|number| number.to_string()).collect();
    app.with_texts("1", &all.iter().map(String::as_str).collect::<Vec<_>>()).await;
    for limit in [1, 7, 20, 44, 45, 200] {
        let (mut found, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let page = app.page("1", &format!("limit={limit}{cursor}")).await;
            let shown = texts(&page);
            assert!(shown.len() <= limit);
            found.extend(shown);
            pages += 1;
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        let newest_first: Vec<_> = all.iter().rev().cloned().collect();
        assert_eq!(found, newest_first, "limit={limit}");
        assert_eq!(pages, 45_usize.div_ceil(limit), "limit={limit}");
    }
    assert_eq!(texts(&app.page("1", "").await).len(), 20);
}

#[tokio::test]
async fn paging_while_notifications_arrive_shows_none_twice_and_skips_none() {
    let app = TestApp::spawn().await;
    let old: Vec<_> = (0..30).map(|number| format!("old {number}")).collect();
    app.with_texts("1", &old.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let (mut found, mut cursor) = (Vec::new(), String::new());
    for round in 0.. {
        let page = app.page("1", &format!("limit=4{cursor}")).await;
        found.extend(texts(&page));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
        app.with_texts("1", &[&format!("new {round}")]).await;
    }
    let expected: Vec<_> = old.iter().rev().cloned().collect();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn filters_show_what_they_say() {
    let app = TestApp::spawn().await;
    let tagged = |tag: &str| record_with("1", &format!("with {tag}"), &json!({ "tags": [tag] }));
    let service = json!({"from": {"name": "Billing"}});
    let lena = json!({"from": {"id": 4, "name": "Lena"}});
    let records = vec![
        tagged("food"),
        tagged("rent"),
        record_with("1", "from a service", &service),
        record_with("1", "from Lena", &lena),
        record_with("1", "plain", &json!({})),
    ];
    app.with_records("1", records).await;
    let all = app.page("1", "").await["notifications"].as_array().unwrap().clone();
    let id = |text: &str| {
        let found = all.iter().find(|it| it["message"] == text).unwrap();
        found["id"].as_str().unwrap().to_owned()
    };
    app.patch("1", &id("plain"), json!({"read": true})).await;
    app.patch("1", &id("from Lena"), json!({"archived": true})).await;
    for (query, expected) in [
        ("", vec!["plain", "from a service", "with rent", "with food"]),
        ("status=inbox", vec!["plain", "from a service", "with rent", "with food"]),
        ("status=unread", vec!["from a service", "with rent", "with food"]),
        ("status=read", vec!["plain"]),
        ("status=archived", vec!["from Lena"]),
        ("status=all", vec!["plain", "from Lena", "from a service", "with rent", "with food"]),
        ("tag=food", vec!["with food"]),
        ("tag=none", vec![]),
        ("from=2", vec!["plain", "with rent", "with food"]),
        ("from=4&status=all", vec!["from Lena"]),
        ("from=4", vec![]),
        ("since=2020-01-01T00:00:00Z&tag=rent", vec!["with rent"]),
        ("since=2999-01-01T00:00:00Z", vec![]),
        ("until=2020-01-01T00:00:00Z", vec![]),
        ("until=2999-01-01T02:00:00%2B02:00&status=read", vec!["plain"]),
    ] {
        let page = app.page("1", query).await;
        assert_eq!(texts(&page), expected, "{query}");
        assert_eq!(
            (page["unread_count"].as_u64(), page["unseen_count"].as_u64()),
            (Some(3), Some(5))
        );
    }
    let created_at = all[0]["created_at"].as_str().unwrap();
    let since = app.page("1", &format!("since={created_at}&status=all")).await;
    let until = app.page("1", &format!("until={created_at}&status=all")).await;
    assert!(ids(since["notifications"].as_array().unwrap()).contains(&id("plain")), "included");
    assert!(
        !ids(until["notifications"].as_array().unwrap()).contains(&id("plain")),
        "not included"
    );
    assert_eq!(texts(&since).len() + texts(&until).len(), 5);
}

#[tokio::test]
async fn a_cursor_belongs_to_its_user_its_filters_and_its_log() {
    let app = TestApp::spawn().await;
    let neighbour = (5..).map(|id| id.to_string()).find(|id| home(id) == home("1")).unwrap();
    for user in ["1", "2", &neighbour] {
        app.with_texts(user, &["a", "b", "c"]).await;
    }
    let cursor = async |user: &str, query: &str| -> String {
        let page = app.page(user, &format!("limit=1&{query}")).await;
        page["next_cursor"].as_str().unwrap().to_owned()
    };
    let of_inbox = cursor("1", "").await;
    // The default spelled out is the same, and the limit may be another.
    for query in ["", "status=inbox", "limit=200"] {
        let page = app.page("1", &format!("{query}&cursor={of_inbox}")).await;
        assert_eq!(texts(&page), ["b", "a"], "{query}");
    }
    let refused = async |user: &str, query: &str| {
        let answer = app.get(&format!("/v1/users/{user}/notifications?{query}")).await;
        answer.is_problem(400, "Bad Request", "invalid_cursor");
    };
    for query in ["status=all", "status=unread", "tag=a", "from=2", "since=2020-01-01T00:00:00Z"] {
        refused("1", &format!("{query}&cursor={of_inbox}")).await;
    }
    for query in ["status=all", "status=unread", "from=2", "since=2020-01-01T00:00:00Z"] {
        let of_query = cursor("1", query).await;
        refused("1", &format!("cursor={of_query}")).await;
        app.page("1", &format!("{query}&cursor={of_query}")).await;
    }
    refused("2", &format!("cursor={of_inbox}")).await;
    refused(&neighbour, &format!("cursor={of_inbox}")).await;
    let position = app.page("1", "").await["position"].as_str().unwrap().to_owned();
    for bad in ["", "x", &position, &of_inbox[1..], &format!("{of_inbox}A"), "%00", "%ff", "🎈"] {
        refused("1", &format!("cursor={bad}")).await;
    }
    let mut damaged = of_inbox.clone();
    damaged.replace_range(30..31, if &of_inbox[30..31] == "A" { "B" } else { "A" });
    refused("1", &format!("cursor={damaged}")).await;
}

#[tokio::test]
async fn the_tutorials_answer_links_to_what_is_older() {
    let app = TestApp::spawn().await;
    app.with_texts("1", &["a", "b", "c", "d", "e"]).await;
    assert_eq!(app.inbox("1").await.header("link"), None);
    assert_eq!(app.inbox("1?limit=5").await.header("link"), None);
    let newest = app.inbox("1?limit=2").await;
    assert_eq!(newest.messages(), ["d", "e"]);
    let link = newest.header("link").unwrap().to_owned();
    let target = link.strip_prefix('<').unwrap().strip_suffix(r#">; rel="next""#).unwrap();
    assert!(target.starts_with("/v1/users/1/notifications?cursor="), "{link}");
    assert!(target.ends_with("&status=all&limit=2"), "{link}");
    let page = app.get(target).await.json();
    assert_eq!(texts(&page), ["c", "b"]);
    let next = page["next_cursor"].as_str().unwrap();
    assert_eq!(texts(&app.page("1", &format!("status=all&cursor={next}")).await), ["a"]);
}

#[tokio::test]
async fn the_tutorials_link_of_a_thousand_asks_for_what_a_page_may_have() {
    let app = TestApp::spawn().await;
    let records = (0..1_001).map(|number| record_with("-7", &number.to_string(), &json!({})));
    app.with_records("-7", records.collect()).await;
    let newest = app.inbox("-7").await;
    assert_eq!(newest.messages().len(), 1_000);
    let link = newest.header("link").unwrap().to_owned();
    assert!(link.contains("/v1/users/-7/") && link.contains("&limit=200>"), "{link}");
    let target = link.split(['<', '>']).nth(1).unwrap();
    assert_eq!(texts(&app.get(target).await.json()), ["0"]);
}

#[tokio::test]
async fn a_page_of_large_notifications_ends_early_and_leads_on() {
    let app = TestApp::spawn().await;
    let text = "x".repeat(850_000);
    let large = |_| record_with("1", &text, &json!({}));
    app.with_records("1", (0..12).map(large).collect()).await;
    let first = app.page("1", "limit=200").await;
    let count = texts(&first).len();
    assert!((9..12).contains(&count), "{count}");
    let next = first["next_cursor"].as_str().unwrap();
    let second = app.page("1", &format!("limit=200&cursor={next}")).await;
    assert_eq!(texts(&second).len(), 12 - count);
    assert_eq!(second["next_cursor"], Value::Null);
}

#[tokio::test]
async fn counts_do_not_drift() {
    let app = TestApp::spawn().await;
    let shown = app.with_texts("1", &["a"; 20]).await;
    let all = ids(&shown);
    for (index, id) in all.iter().enumerate() {
        match index % 5 {
            0 => drop(app.patch("1", id, json!({"read": true})).await),
            1 => drop(app.patch("1", id, json!({"archived": true})).await),
            2 => drop(app.delete("1", id).await),
            3 => drop(app.patch("1", id, json!({"read": true, "archived": true})).await),
            _ => {}
        }
        let (total, unread, _) = app.numbers("1").await;
        let page = app.page("1", "limit=200&status=all").await;
        let there = page["notifications"].as_array().unwrap();
        let is_unread = |it: &&Value| it["read_at"].is_null() && it["archived_at"].is_null();
        assert_eq!(total, there.len() as u64);
        assert_eq!(unread, there.iter().filter(is_unread).count() as u64);
        assert_eq!(page["unread_count"], unread);
    }
    let distinct: BTreeSet<_> = all.iter().collect();
    assert_eq!(distinct.len(), 20);
    assert_eq!(app.numbers("1").await.0, 16);
    // The store that grows anew has the same.
    let before = app.counts("1").await;
    let app = app.restart(Some(tempfile::tempdir().unwrap())).await;
    eventually(soon(), async || app.counts("1").await == before).await;
}
