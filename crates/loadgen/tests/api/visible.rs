//! From publishing to being visible.

use std::sync::Mutex;

use actix_web::HttpResponse;
use actix_web::web::{self, Data};

use crate::support::{json, nothing, run, serve};

/// An inbox that is visible from the second query on.
fn inbox(routes: &mut web::ServiceConfig) {
    let send = async |form: String, last: Data<Mutex<String>>| {
        *last.lock().unwrap() = format!("hidden {form}");
        HttpResponse::Ok().body("{}")
    };
    let query = async |last: Data<Mutex<String>>| {
        let mut last = last.lock().unwrap();
        let hidden = last.strip_prefix("hidden ").map(str::to_owned);
        let shown = if hidden.is_some() { String::new() } else { last.clone() };
        *last = hidden.unwrap_or_default();
        HttpResponse::Ok().body(shown)
    };
    routes.route("/send", web::post().to(send));
    routes.route("/notifications/{user}", web::get().to(query));
}

#[test]
fn a_notification_is_seen_when_a_query_shows_it() {
    let url = serve(inbox);
    let urls = format!("--producer-url {url} --consumer-url {url}");
    let result = json(&format!("visible {urls} --requests 20"));
    assert_eq!((&result["requests"], &result["polls_per_request"]), (&20.into(), &2.0.into()));
    let us = |from: &str| result[from]["p50_us"].as_f64().unwrap();
    assert!(us("from_send") > us("from_answer") && us("from_answer") > 0.0, "{result}");
    let (code, table, _) = run(&format!(
        "visible --producer-url {url} --consumer-url {} \
        --requests 20",
        serve(nothing)
    ));
    assert_eq!(code, 1);
    assert!(table.contains("error query_refused: 1"), "{table}");
}
