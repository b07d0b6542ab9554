//! The configs of a topic that this broker knows, under Apache Kafka's names and defaults.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Configs as they were given: what differs from the defaults. Written to `topic.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Overrides(pub(crate) BTreeMap<String, String>);

/// The configs in the form the log uses them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TopicConfig {
    /// Whether `cleanup.policy` lets retention delete segments. A topic that is only compacted grows:
    /// never compacting is legal, and this broker does not compact.
    pub(crate) deletes: bool,
    /// `None` keeps for ever.
    pub(crate) retention_ms: Option<i64>,
    /// `None` keeps everything.
    pub(crate) retention_bytes: Option<u64>,
    pub(crate) segment_bytes: u64,
    pub(crate) segment_ms: i64,
    pub(crate) max_message_bytes: usize,
}

/// A config that cannot be set, in a sentence for the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadConfig {
    #[error("Unknown topic config name: {0}")]
    Name(String),
    #[error("Invalid value {value} for configuration {name}: {expected}")]
    Value { name: &'static str, value: String, expected: String },
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    /// A comma separated list of these words.
    List(&'static [&'static str]),
    /// One of these words.
    Word(&'static [&'static str]),
    Int(i64, i64),
    Long(i64, i64),
}

struct Known {
    name: &'static str,
    default: &'static str,
    kind: Kind,
}

const CLEANUP_POLICY: &str = "cleanup.policy";
const RETENTION_MS: &str = "retention.ms";
const RETENTION_BYTES: &str = "retention.bytes";
const SEGMENT_BYTES: &str = "segment.bytes";
const SEGMENT_MS: &str = "segment.ms";
const MAX_MESSAGE_BYTES: &str = "max.message.bytes";

/// The largest `max.message.bytes`: a batch must fit a request frame with its header.
pub(crate) const LARGEST_MESSAGE_BYTES: i64 = 15 << 20;

const fn known(name: &'static str, default: &'static str, kind: Kind) -> Known {
    Known { name, default, kind }
}

const INT_MAX: i64 = i32::MAX as i64;

const KNOWN: [Known; 9] = [
    known(CLEANUP_POLICY, "delete", Kind::List(&["delete", "compact"])),
    known("compression.type", "producer", Kind::Word(&["producer"])),
    known(MAX_MESSAGE_BYTES, "1048588", Kind::Int(0, LARGEST_MESSAGE_BYTES)),
    known("message.timestamp.type", "CreateTime", Kind::Word(&["CreateTime"])),
    // One node: no other value could ever be satisfied.
    known("min.insync.replicas", "1", Kind::Int(1, 1)),
    known(RETENTION_BYTES, "-1", Kind::Long(-1, i64::MAX)),
    known(RETENTION_MS, "604800000", Kind::Long(-1, i64::MAX)),
    // Far below Apache Kafka's least (1 MiB), for tests of rolling and retention.
    known(SEGMENT_BYTES, "1073741824", Kind::Int(1024, INT_MAX)),
    known(SEGMENT_MS, "604800000", Kind::Long(1, i64::MAX)),
];

/// One config as DescribeConfigs tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Described {
    pub(crate) name: &'static str,
    pub(crate) value: String,
    pub(crate) is_default: bool,
    /// The protocol's config type (KIP-569): 2 string, 3 int, 5 long, 7 list.
    pub(crate) config_type: i8,
}

impl Overrides {
    /// Checks names and values as given in a CreateTopics request; a null value means the default.
    pub(crate) fn check<'a>(
        given: impl Iterator<Item = (&'a str, Option<&'a str>)>,
    ) -> Result<Overrides, BadConfig> {
        let mut overrides = BTreeMap::new();
        for (name, value) in given {
            let known = KNOWN.iter().find(|known| known.name == name);
            let known = known.ok_or_else(|| BadConfig::Name(name.to_owned()))?;
            let Some(value) = value else { continue };
            known.check(value)?;
            overrides.insert(name.to_owned(), value.trim().to_owned());
        }
        Ok(Overrides(overrides))
    }

    /// Every known config with its value.
    pub(crate) fn describe(&self) -> Vec<Described> {
        let describe = |known: &Known| Described {
            name: known.name,
            value: self.value(known.name).to_owned(),
            is_default: !self.0.contains_key(known.name),
            config_type: known.kind.config_type(),
        };
        KNOWN.iter().map(describe).collect()
    }

    /// The form the log uses.
    pub(crate) fn topic_config(&self) -> TopicConfig {
        TopicConfig {
            deletes: self.value(CLEANUP_POLICY).contains("delete"),
            retention_ms: self.number(RETENTION_MS).filter(|ms| *ms >= 0),
            retention_bytes: self.number(RETENTION_BYTES).and_then(|it| it.try_into().ok()),
            segment_bytes: self.unsigned(SEGMENT_BYTES),
            segment_ms: self.number(SEGMENT_MS).unwrap_or(i64::MAX),
            max_message_bytes: usize::try_from(self.unsigned(MAX_MESSAGE_BYTES)).unwrap_or(0),
        }
    }

    fn value(&self, name: &str) -> &str {
        let default = || KNOWN.iter().find(|known| known.name == name);
        match self.0.get(name) {
            Some(value) => value,
            None => default().map_or("", |known| known.default),
        }
    }

    fn number(&self, name: &str) -> Option<i64> {
        self.value(name).parse().ok()
    }

    fn unsigned(&self, name: &str) -> u64 {
        self.value(name).parse().unwrap_or(0)
    }
}

impl Known {
    fn check(&self, value: &str) -> Result<(), BadConfig> {
        let (good, expected) = match self.kind {
            Kind::List(words) => {
                let all = value.split(',').all(|word| words.contains(&word.trim()));
                (all, format!("must be a list of {}", words.join(", ")))
            }
            Kind::Word(words) => {
                let expected = format!("must be {}", words.join(" or "));
                (words.contains(&value.trim()), expected)
            }
            Kind::Int(min, max) | Kind::Long(min, max) => {
                let number = value.trim().parse::<i64>();
                let good = number.is_ok_and(|number| (min..=max).contains(&number));
                (good, format!("must be a number from {min} to {max}"))
            }
        };
        if good {
            return Ok(());
        }
        Err(BadConfig::Value { name: self.name, value: value.to_owned(), expected })
    }
}

impl Kind {
    fn config_type(self) -> i8 {
        match self {
            Kind::Word(_) => 2,
            Kind::Int(..) => 3,
            Kind::Long(..) => 5,
            Kind::List(_) => 7,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, value: &str) -> Result<TopicConfig, BadConfig> {
        let given = [(name, Some(value))].into_iter();
        Overrides::check(given).map(|overrides| overrides.topic_config())
    }

    #[test]
    fn the_defaults_are_apache_kafkas() {
        let config = Overrides::default().topic_config();
        assert_eq!(
            config,
            TopicConfig {
                deletes: true,
                retention_ms: Some(604_800_000),
                retention_bytes: None,
                segment_bytes: 1 << 30,
                segment_ms: 604_800_000,
                max_message_bytes: 1_048_588,
            }
        );
    }

    #[test]
    fn good_values_are_taken() {
        assert!(!check("cleanup.policy", "compact").unwrap().deletes);
        assert!(check("cleanup.policy", "compact, delete").unwrap().deletes);
        assert_eq!(check("retention.ms", "-1").unwrap().retention_ms, None);
        assert_eq!(check("segment.bytes", "2048").unwrap().segment_bytes, 2048);
        assert!(check("min.insync.replicas", "1").is_ok());
    }

    #[test]
    fn a_bad_name_or_value_is_named() {
        let cases = [
            ("retention.weeks", "1"),
            ("retention.ms", "-2"),
            ("retention.ms", "soon"),
            ("cleanup.policy", "shred"),
            ("segment.bytes", "1"),
            ("max.message.bytes", "999999999"),
            ("message.timestamp.type", "LogAppendTime"),
            ("compression.type", "zstd"),
            ("min.insync.replicas", "2"),
        ];
        for (name, value) in cases {
            let message = check(name, value).unwrap_err().to_string();
            assert!(message.contains(name), "{message}");
        }
    }
}
