//! Runs that do not.

use crate::support::{Reference, json, nothing, run, serve};

#[test]
fn answers_that_are_no_success_fail_the_run() {
    let url = serve(nothing);
    let args = format!("query --url {url} --requests 3 --warmup-s 0");
    let (code, table, _) = run(&args);
    assert_eq!(code, 1);
    assert!(table.contains("status 404: 3") && table.contains("first failure: 404"), "{table}");
    let result = json(&format!("{args} --allow-errors"));
    assert_eq!(
        (&result["is_clean"], &result["servers"][0]["rate_per_s"]),
        (&false.into(), &0.0.into())
    );
}

#[test]
fn what_cannot_run_says_why() {
    let reference = Reference::start();
    let open = &reference.address;
    for (args, code, reason) in [
        ("publish --url http://example.org:80".to_owned(), 2, "load goes to this machine alone"),
        ("publish --url http://localhost:80".to_owned(), 2, "write 127.0.0.1"),
        ("publish --url 127.0.0.1:80/send".to_owned(), 2, "without a path"),
        ("publish --connections 0".to_owned(), 2, "1..=10000"),
        ("publish --duration-s 4000".to_owned(), 2, "1..=3600"),
        ("publish --rate 0".to_owned(), 2, "--rate"),
        ("publish --rounds 3".to_owned(), 2, "--reference"),
        ("publish --reference-produces".to_owned(), 2, "--reference"),
        ("publish --pid 12".to_owned(), 2, "write NAME=PID"),
        ("publish --users 100000 --message-bytes 890000".to_owned(), 1, "--users times"),
        ("query --limit 1001".to_owned(), 2, "1..=1000"),
        ("visible --requests 0".to_owned(), 2, "1..=1000000"),
        ("query --url 127.0.0.1:1".to_owned(), 1, "cannot connect"),
        (format!("query --url {open} --warmup-s 0 --pid x=4294967295"), 1, "cannot watch x"),
        (format!("query --url {open} --warmup-s 0 --requests 1 --json /"), 1, "cannot write /"),
    ] {
        let (ended, stdout, stderr) = run(&args);
        assert_eq!(ended, code, "{args}: {stdout}{stderr}");
        assert!(stderr.contains(reason), "{args}: {stderr}");
    }
}
