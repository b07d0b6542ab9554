//! Runs that go well.

use serde_json::Value;

use crate::support::{Reference, json, run};

#[test]
fn a_closed_loop_sends_what_was_asked_for() {
    let reference = Reference::start();
    let (url, pid) = (&reference.address, reference.process.id());
    for load in ["publish --users 3", "query --user 2"] {
        let result = json(&format!(
            "{load} --url http://{url} --requests 200 --warmup-s 0 --connections 4 --threads 2 \
            --pid server={pid}"
        ));
        assert_eq!((&result["schema"], &result["is_clean"]), (&1.into(), &true.into()));
        assert_eq!(result["settings"]["connections"], 4);
        assert!(result.get("ratios").is_none());
        let [server] = &result["servers"].as_array().unwrap()[..] else { panic!("{result}") };
        assert_eq!((&server["name"], &server["requests"]), (&"service".into(), &200.into()));
        assert_eq!(server["statuses"], serde_json::json!({"200": 200}));
        assert_eq!((&server["errors"], &server["late"]), (&serde_json::json!({}), &0.into()));
        let latency = &server["latency"];
        let us = |name: &str| latency[name].as_f64().unwrap();
        assert!(0.0 < us("p50_us") && us("p50_us") <= us("p999_us"), "{latency}");
        let processes = server["processes"].as_array().unwrap();
        let names: Vec<_> = processes.iter().map(|process| &process["name"]).collect();
        assert_eq!(names, ["server", "loadgen"]);
        assert!(processes.iter().all(|process| process["memory_bytes"].as_u64() > Some(100_000)));
    }
    assert!(reference.end().success());
}

#[test]
fn an_open_loop_takes_the_time_its_rate_says() {
    let reference = Reference::start();
    let url = &reference.address;
    let rate = "--rate 1000 --requests 200 --warmup-s 0 --connections 2";
    let result = json(&format!("publish --url http://{url} {rate}"));
    let server = &result["servers"][0];
    assert_eq!((&server["requests"], &server["kept_pace"]), (&200.into(), &true.into()));
    assert_eq!(server["statuses"], serde_json::json!({"200": 200}));
    // The last of 200 is due after 199 ms.
    assert!(server["elapsed_s"].as_f64().unwrap() >= 0.199, "{server}");
}

#[test]
fn a_reference_runs_in_turns_with_the_service() {
    let service = Reference::start();
    let args = "--reference --rounds 3 --requests 200 --warmup-s 0";
    let pid = service.process.id();
    let result = json(&format!("query --url {} {args} --pid service={pid}", service.address));
    let servers = result["servers"].as_array().unwrap();
    let names: Vec<_> = servers.iter().map(|server| &server["name"]).collect();
    assert_eq!(names, ["reference", "service"]);
    for server in servers {
        assert_eq!(server["requests"], 200);
        assert_eq!(server["part_rates_per_s"].as_array().unwrap().len(), 3);
    }
    assert!(result["ratios"]["p50"].as_f64().unwrap() > 0.0, "{result}");
    assert!(result["ratios"]["cpu_per_request"]["service"].is_number());
    let (code, table, _) = run(&format!("publish --url {} {args}", service.address));
    assert_eq!(code, 0);
    for word in ["reference  ", "service  ", "ratio", "p99.9", "status 200: 200"] {
        assert!(table.contains(word), "{word}: {table}");
    }
}

#[test]
fn the_result_goes_to_a_file_beside_the_table() {
    let reference = Reference::start();
    let file = std::env::temp_dir().join(format!("loadgen-{}.json", std::process::id()));
    let args = format!("--requests 1 --warmup-s 0 --json {}", file.display());
    let (code, table, _) = run(&format!("query --url {} {args}", reference.address));
    let json: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    std::fs::remove_file(&file).unwrap();
    assert_eq!((code, &json["servers"][0]["requests"]), (0, &1.into()));
    assert!(table.contains("status 200: 1"), "{table}");
}
