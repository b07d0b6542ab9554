use std::collections::BTreeMap;

use models::{Partition, TopicId};
use uuid::Uuid;

use super::super::report::Status;
use super::*;

const DAY: i64 = 24 * 60 * 60 * 1000;

fn topic(name: &str, settings: &[(&str, &str)]) -> TopicInspection {
    let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    TopicInspection {
        name: name.to_owned(),
        topic_id: TopicId(Uuid::from_u128(1)),
        partitions: 6,
        replication: 1,
        without_leader: Vec::new(),
        out_of_sync: Vec::new(),
        settings: settings.collect(),
    }
}

fn healthy() -> Inspection {
    let day = DAY.to_string();
    let retention = (90 * DAY).to_string();
    let log = [
        ("cleanup.policy", "delete"),
        ("message.timestamp.type", "CreateTime"),
        ("retention.ms", &retention),
        ("segment.ms", &day),
        ("max.message.bytes", "1048588"),
        ("min.insync.replicas", "1"),
    ];
    Inspection {
        brokers: 1,
        notifications: Some(topic("n", &log)),
        users: Some(topic("n.users", &[("cleanup.policy", "compact")])),
        dead_letters: Some(topic(
            "n.dlq",
            &[("cleanup.policy", "delete"), ("retention.ms", &retention)],
        )),
        layout: Ok(Some(6)),
    }
}

/// What is not all right, and its status.
fn found(inspection: &Inspection) -> BTreeMap<String, Status> {
    let checks = check("n", inspection).into_iter();
    let bad = checks.filter(|check| check.status != Status::Ok);
    bad.map(|check| {
        assert!(check.fix.is_some() || check.check == "layout", "{check:?}");
        (check.check, check.status)
    })
    .collect()
}

fn set(topic: &mut Option<TopicInspection>, name: &str, value: &str) {
    topic.as_mut().unwrap().settings.insert(name.to_owned(), value.to_owned());
}

#[test]
fn what_is_right_is_all_right() {
    assert_eq!(found(&healthy()), BTreeMap::new());
    assert_eq!(check("n", &healthy()).len(), 10);
}

#[test]
fn each_wrong_setting_is_named() {
    use Status::{Error, Warning};
    type Change = fn(&mut Inspection);
    let table: &[(Change, &str, Status)] = &[
        (
            |it| set(&mut it.notifications, "cleanup.policy", "delete, compact"),
            "cleanup.policy of n",
            Error,
        ),
        (
            |it| set(&mut it.notifications, "message.timestamp.type", "LogAppendTime"),
            "message.timestamp.type of n",
            Error,
        ),
        (
            |it| set(&mut it.notifications, "unclean.leader.election.enable", "true"),
            "unclean.leader.election.enable of n",
            Warning,
        ),
        (
            |it| set(&mut it.notifications, "max.message.bytes", "100000"),
            "max.message.bytes of n",
            Warning,
        ),
        (|it| set(&mut it.notifications, "segment.ms", "99999999999"), "segment.ms of n", Warning),
        (|it| set(&mut it.notifications, "min.insync.replicas", "2"), "replication of n", Error),
        (|it| set(&mut it.users, "cleanup.policy", "delete"), "cleanup.policy of n.users", Error),
        (
            |it| set(&mut it.users, "cleanup.policy", "compact,delete"),
            "cleanup.policy of n.users",
            Error,
        ),
        (|it| set(&mut it.dead_letters, "retention.ms", "-1"), "retention.ms of n.dlq", Error),
        (
            |it| set(&mut it.dead_letters, "cleanup.policy", "compact"),
            "cleanup.policy of n.dlq",
            Error,
        ),
        (|it| it.dead_letters = None, "topic n.dlq", Error),
        (|it| it.layout = Ok(None), "layout", Error),
        (|it| it.layout = Err("why".to_owned()), "layout", Error),
        (
            |it| it.users.as_mut().unwrap().without_leader = vec![Partition(0)],
            "topic n.users",
            Error,
        ),
        (
            |it| it.users.as_mut().unwrap().out_of_sync = vec![Partition(0)],
            "replication of n.users",
            Warning,
        ),
    ];
    for (change, name, status) in table {
        let mut inspection = healthy();
        change(&mut inspection);
        let expected = BTreeMap::from([((*name).to_owned(), *status)]);
        assert_eq!(found(&inspection), expected, "{name}");
    }
}

#[test]
fn replicas_fit_the_number_of_brokers() {
    let mut three = Inspection { brokers: 3, ..healthy() };
    assert_eq!(found(&three).len(), 3, "one replica of each while there are three brokers");
    for topic in [&mut three.notifications, &mut three.users, &mut three.dead_letters] {
        topic.as_mut().unwrap().replication = 3;
        set(topic, "min.insync.replicas", "2");
    }
    assert_eq!(found(&three), BTreeMap::new());
    let one = Inspection { brokers: 1, ..three.clone() };
    assert!(found(&one).values().all(|status| *status == Status::Error));
    set(&mut three.notifications, "min.insync.replicas", "1");
    assert_eq!(found(&three).into_values().collect::<Vec<_>>(), [Status::Warning]);
}

#[test]
fn spans_are_in_the_largest_unit_that_fits() {
    for (ms, text) in [
        (90 * DAY, "90 days"),
        (7_200_000, "2 hours"),
        (90_000, "90 seconds"),
        (1, "1 milliseconds"),
        (-1, "for ever"),
        (i64::MAX, "for ever"),
    ] {
        assert_eq!(span(ms), text);
    }
}
