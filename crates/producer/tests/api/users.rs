//! `/v1/users`: the directory, read and written.

use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{SENT, TestApp, answer, eventually, soon};
use crate::v1::{USERS, USERS_BATCH, V1, statuses};

async fn page(v1: &V1, query: &str) -> (Vec<String>, Option<String>) {
    let answer = v1.get(&format!("{USERS}{query}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let page = answer.json();
    let id = |it: &Value| it["id"].as_str().unwrap().to_owned();
    let ids = page["users"].as_array().unwrap().iter().map(id).collect();
    (ids, page["next_cursor"].as_str().map(ToOwned::to_owned))
}

#[tokio::test]
async fn a_user_is_created_shown_and_renamed() {
    let app = TestApp::spawn().await;
    let v1 = app.v1();
    for (id, shown) in [("5", "5"), ("a.b@example.org", "a.b@example.org"), ("%61%3Ab", "a:b")] {
        v1.get(&format!("{USERS}/{id}")).await.is_problem(404, "user_not_found", shown);
        let created = v1.put_user(id, &json!({"name": "Eve \"🎈\""})).await;
        created.is(201, &json!({"id": shown, "name": "Eve \"🎈\""}).to_string());
        // What was written is read, at once.
        let found = v1.get(&format!("{USERS}/{id}")).await;
        found.is(200, &json!({"id": shown, "name": "Eve \"🎈\""}).to_string());
        assert_eq!(found.header("staleness"), None);
        v1.put_user(id, &json!({"name": "Eve"}))
            .await
            .is(200, &json!({"id": shown, "name": "Eve"}).to_string());
    }
    app.send("5", "1", "hi").await.is(200, SENT);
    let head = answer(v1.request(Method::HEAD, "/v1/users/5")).await;
    head.is(200, "");
}

#[tokio::test]
async fn of_many_who_create_a_user_one_is_told_so() {
    let app = TestApp::spawn().await;
    let clients = [app.v1(), app.second(|_| {}).await];
    for round in 0..5 {
        let id = format!("same-{round}");
        let name = json!({"name": "Same"});
        let puts = (0..20).map(|n| clients[n % 2].put_user(&id, &name));
        let answers = futures_util::future::join_all(puts).await;
        let mut statuses: Vec<_> = answers.iter().map(|it| it.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [vec![200; 19], vec![201]].concat());
    }
}

#[tokio::test]
async fn users_are_listed_page_by_page_in_the_order_of_their_ids() {
    let app = TestApp::spawn().await;
    let v1 = app.v1();
    assert_eq!(page(&v1, "").await, (vec!["1", "2", "3", "4"].map_into(), None));
    let lines: String =
        (0..50).map(|n| format!("{{\"id\":\"u{n:02}\",\"name\":\"U\"}}\n")).collect();
    v1.batch(USERS_BATCH, lines).await;
    let mut expected: Vec<_> = vec!["1", "2", "3", "4"].map_into();
    expected.extend((0..50).map(|n| format!("u{n:02}")));
    for (limit, pages) in [(1, 54), (7, 8), (27, 2), (54, 1), (200, 1)] {
        let mut found = Vec::new();
        let (mut query, mut count) = (format!("?limit={limit}"), 0);
        loop {
            let (ids, next) = page(&v1, &query).await;
            assert!(ids.len() <= limit);
            found.extend(ids);
            count += 1;
            let Some(next) = next else { break };
            query = format!("?cursor={next}&limit={limit}");
        }
        assert_eq!((&found, count), (&expected, pages), "limit {limit}");
    }
    let (ids, next) = page(&v1, "").await;
    assert_eq!((ids.len(), next.is_some()), (20, true), "20 by default");
    // A cursor outlives the user it stands on.
    let (_, next) = page(&v1, "?limit=3").await;
    assert_eq!(v1.delete_user("3").await.status, 202);
    let (ids, _) = page(&v1, &format!("?limit=1&cursor={}", next.unwrap())).await;
    assert_eq!(ids, ["4"]);
}

trait MapInto {
    fn map_into(self) -> Vec<String>;
}

impl MapInto for Vec<&str> {
    fn map_into(self) -> Vec<String> {
        self.into_iter().map(ToOwned::to_owned).collect()
    }
}

#[tokio::test]
async fn a_batch_creates_and_renames_line_by_line() {
    let app = TestApp::spawn().await;
    let v1 = app.v1();
    let lines = [
        r#"{"id":5,"name":"Eve"}"#,
        r#"{"id":"5","name":"Eva"}"#,
        "",
        r#"{"id":"a b","name":"x"}"#,
        r#"{"id":"six","name":""}"#,
        r#"{"id":"six"}"#,
        r#"{"id":"six","name":"Six","age":6}"#,
        "[]",
        "\u{feff}",
        r#"{"id":1,"name":"Emma II"}"#,
        r#"{"id":"six","name":"Six"}"#,
    ];
    let results = v1.batch(USERS_BATCH, lines.join("\n")).await;
    assert_eq!(
        statuses(&results),
        [
            (1, 201),
            (2, 200),
            (4, 400),
            (5, 400),
            (6, 400),
            (7, 400),
            (8, 400),
            (9, 400),
            (10, 200),
            (11, 201)
        ]
    );
    assert_eq!(results[0], json!({"line": 1, "status": 201, "id": "5"}));
    for (index, detail) in
        [(2, "id: a user id has only"), (3, "name: fewer than 1"), (5, "age: unknown")]
    {
        assert_eq!(results[index]["code"], "invalid_request");
        assert!(results[index]["detail"].as_str().unwrap().starts_with(detail), "{results:?}");
    }
    // What a result says can be read.
    v1.get("/v1/users/5").await.is(200, r#"{"id":"5","name":"Eva"}"#);
    v1.get("/v1/users/1").await.is(200, r#"{"id":"1","name":"Emma II"}"#);
}

#[tokio::test]
async fn a_large_batch_of_users_is_readable_here_and_elsewhere() {
    const COUNT: usize = 20_000;
    let app = TestApp::spawn().await;
    let v1 = app.v1();
    let line = |n| format!("{{\"id\":\"user-{n}\",\"name\":\"User {n}\"}}\n");
    let results = v1.batch(USERS_BATCH, (0..COUNT).map(line).collect::<String>()).await;
    assert_eq!(results.len(), COUNT);
    assert!(results.iter().all(|it| it["status"] == 201));
    let second = app.second(|_| {}).await;
    for client in [&v1, &second] {
        for n in [0, 9_999, COUNT - 1] {
            let expected = json!({"id": format!("user-{n}"), "name": format!("User {n}")});
            client.get(&format!("{USERS}/user-{n}")).await.is(200, &expected.to_string());
        }
    }
}

#[tokio::test]
async fn a_user_may_be_called_batch() {
    let app = TestApp::spawn().await;
    let v1 = app.v1();
    v1.put_user("batch", &json!({"name": "B"})).await.is(201, r#"{"id":"batch","name":"B"}"#);
    v1.get("/v1/users/batch").await.is(200, r#"{"id":"batch","name":"B"}"#);
    assert_eq!(v1.delete_user("batch").await.status, 202);
    v1.get("/v1/users/batch").await.is_problem(404, "user_not_found", "batch");
}

#[tokio::test]
async fn with_open_users_whoever_has_a_valid_id_can_send_and_receive() {
    let app = TestApp::spawn_with(|config| config.users = producer::Users::Open).await;
    let v1 = app.v1();
    assert_eq!(
        v1.publish(&json!({"from": "bob", "to": [1, "al"], "message": "a"})).await.status,
        201
    );
    app.send("77", "78", "b").await.is(200, SENT);
    for (from, to) in [("0", "1"), ("1", "0"), ("-3", "1"), ("1", "-3")] {
        app.send(from, to, "c").await.is(404, crate::app::NOT_FOUND);
    }
    let log = app.log().await;
    let names = |message: &str| {
        let of = log.iter().filter(|it| it.notification.message == message);
        let of = of.map(|it| (it.notification.from.name.clone(), it.notification.to.name.clone()));
        let mut names: Vec<_> = of.collect();
        names.sort();
        names
    };
    let pair = |from: &str, to: &str| (from.to_owned(), to.to_owned());
    assert_eq!(names("a"), [pair("bob", "Emma"), pair("bob", "al")]);
    assert_eq!(names("b"), [pair("77", "78")]);
    assert_eq!(log.len(), 3);
    v1.get("/v1/users/al").await.is(200, r#"{"id":"al","name":"al"}"#);
    assert_eq!(page(&v1, "").await.0.len(), 4, "only those of the directory are listed");
}

#[tokio::test]
async fn what_another_instance_writes_is_read_here() {
    let app = TestApp::spawn().await;
    let v1 = app.v1();
    let second = app.second(|_| {}).await;
    assert_eq!(second.put_user("5", &json!({"name": "Eve"})).await.status, 201);
    // A miss is looked up to the end, so it is there at once.
    v1.get("/v1/users/5").await.is(200, r#"{"id":"5","name":"Eve"}"#);
    assert_eq!(second.put_user("5", &json!({"name": "Eva"})).await.status, 200);
    eventually(soon(), async || v1.get("/v1/users/5").await.json()["name"] == "Eva").await;
}
