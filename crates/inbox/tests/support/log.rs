//! Logs for the tests.

use inbox::Batch;
use models::{
    Change, Changed, Erased, Headers, NotificationId, Offset, Record, Selection, Timestamp,
    UnreadableRange,
};
use proptest::prelude::*;

use super::{AWAY, place, sent, user_id};

/// What a place of a test's log holds.
#[derive(Clone, Debug)]
pub(crate) enum Said {
    /// A notification of our own; `id` and `fingerprint` are drawn from few, so that copies and
    /// conflicts occur.
    /// `expires_in_ms` is counted from when it is sent.
    Sent {
        id: u8,
        user: usize,
        message: String,
        labels: Labels,
        fingerprint: Option<u8>,
        expires_in_ms: Option<i64>,
    },
    /// What any Kafka producer may write: no headers, an id made of its place.
    Plain { user: usize, message: String },
    /// Something is done to notifications; `id` is drawn from few, of which some are also those of
    /// notifications.
    Changed { id: u8, user: usize, which: Which, change: Change },
    /// An inbox is erased.
    Erased { id: u8, user: usize, before: i64 },
    /// An event of a type that nobody knows yet.
    Unknown { user: usize },
    /// Nothing that can be decoded.
    Noise { user: usize, kind: u8 },
    /// So many records in a batch that nobody can read.
    Unreadable(i64),
    /// No record: the log skips an offset.
    Gap,
}

/// What a notification has that pages can be asked for.
#[derive(Clone, Debug)]
pub(crate) struct Labels {
    pub(crate) has_title: bool,
    pub(crate) tags: Vec<String>,
    pub(crate) from: usize,
}

/// To what a command is done.
#[derive(Clone, Debug)]
pub(crate) enum Which {
    /// Notifications of our own, and plain ones by their offsets.
    Ids(Vec<u8>, Vec<i64>),
    Before(i64),
}

/// What a place of a log holds.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    Record(Offset, Record),
    Unreadable(UnreadableRange),
}

pub(crate) fn log() -> impl Strategy<Value = Vec<Item>> {
    prop::collection::vec(said(), 1..90).prop_map(|log| items_of(&log))
}

fn said() -> impl Strategy<Value = Said> {
    let message = "[a-z\"\\\\é]{0,20}";
    // Most of it in one inbox, so that commands find something.
    let user = prop_oneof![3 => Just(0), 2 => 0..=AWAY];
    let expires_in_ms = prop_oneof![3 => Just(None), 1 => (-2..9i64).prop_map(Some)];
    let fingerprint = prop_oneof![4 => Just(None), 1 => (0..2u8).prop_map(Some)];
    prop_oneof![
        12 => (0..40u8, user.clone(), message, labels(), fingerprint, expires_in_ms).prop_map(
            |(id, user, message, labels, fingerprint, expires_in_ms)| {
                Said::Sent { id, user, message, labels, fingerprint, expires_in_ms }
            }
        ),
        4 => (user.clone(), message).prop_map(|(user, message)| Said::Plain { user, message }),
        8 => (30..90u8, user.clone(), which(), change())
            .prop_map(|(id, user, which, change)| Said::Changed { id, user, which, change }),
        3 => (30..90u8, user.clone(), 0..90i64).prop_map(|(id, user, before)| {
            Said::Changed { id, user, which: Which::Before(before), change: Change::Seen }
        }),
        1 => (30..90u8, user.clone(), 0..90i64)
            .prop_map(|(id, user, before)| Said::Erased { id, user, before }),
        1 => user.clone().prop_map(|user| Said::Unknown { user }),
        2 => (user, any::<u8>()).prop_map(|(user, kind)| Said::Noise { user, kind }),
        1 => (1..4i64).prop_map(Said::Unreadable),
        2 => Just(Said::Gap),
    ]
}

fn labels() -> impl Strategy<Value = Labels> {
    let tags = prop::collection::vec("[ab\\\\é]", 0..3);
    (any::<bool>(), tags, 0..3usize).prop_map(|(has_title, tags, from)| Labels {
        has_title,
        tags,
        from,
    })
}

fn which() -> impl Strategy<Value = Which> {
    let (ids, offsets) =
        (prop::collection::vec(0..40u8, 0..9), prop::collection::vec(0..90i64, 0..9));
    prop_oneof![
        2 => (ids, offsets).prop_map(|(ids, offsets)| Which::Ids(ids, offsets)),
        1 => (0..90i64).prop_map(Which::Before),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        2 => any::<bool>().prop_map(Change::Read),
        2 => any::<bool>().prop_map(Change::Archived),
        2 => Just(Change::Deleted),
    ]
}

fn items_of(log: &[Said]) -> Vec<Item> {
    let mut at = 2;
    let mut items = Vec::new();
    for said in log {
        match said {
            Said::Gap => at += 1,
            Said::Unreadable(records) => {
                let (first, last) = (Offset(at), Offset(at + records - 1));
                let reason = "no such codec".to_owned();
                items.push(Item::Unreadable(UnreadableRange { first, last, reason }));
                at += records;
            }
            Said::Sent { .. }
            | Said::Plain { .. }
            | Said::Changed { .. }
            | Said::Erased { .. }
            | Said::Unknown { .. }
            | Said::Noise { .. } => {
                items.push(Item::Record(Offset(at), record(said)));
                at += 1;
            }
        }
    }
    if items.is_empty() { vec![Item::Record(Offset(2), noise(0, 0))] } else { items }
}

fn record(said: &Said) -> Record {
    match said {
        Said::Sent { id, user, message, labels, fingerprint, expires_in_ms } => {
            let mut sent = sent(u128::from(*id), *user, message);
            let Labels { has_title, tags, from } = labels.clone();
            sent.notification.title = has_title.then(|| "Today".to_owned());
            sent.notification.tags = tags;
            sent.notification.from.id = Some(user_id(from));
            let expires_at = expires_in_ms.map(|ms| sent.created_at.as_ms() + ms);
            sent.notification.expires_at = expires_at.map(Timestamp::from_ms_clamped);
            let record = Record::of_sent(&sent).unwrap();
            match fingerprint {
                Some(n) => record.with_fingerprint(&n.to_string()),
                None => record,
            }
        }
        Said::Plain { user, message } => {
            let mut record = Record::of_sent(&sent(0, *user, message)).unwrap();
            record.headers = Headers::default();
            record
        }
        Said::Changed { id, user, which, change } => changed(*id, *user, which, *change),
        Said::Erased { id, user, before } => {
            let (id, erased_at) = event(*id);
            let (user_id, before) = (user_id(*user), Offset(*before));
            let erased = Erased { id, user_id, erased_at, before, fingerprint: None };
            Record::of_erased(&erased).unwrap()
        }
        Said::Unknown { user } => {
            let mut record = Record::of_sent(&sent(0, *user, "")).unwrap();
            record.headers.set("ce_type", "later");
            record
        }
        Said::Noise { user, kind } => noise(*user, *kind),
        Said::Unreadable(_) | Said::Gap => unreachable!("no record"),
    }
}

fn changed(id: u8, user: usize, which: &Which, change: Change) -> Record {
    let (id, changed_at) = event(id);
    let selection = match which {
        Which::Before(before) => Selection::Before(Offset(*before)),
        Which::Ids(ids, offsets) => {
            let own = ids.iter().map(|id| event(*id).0);
            let plain = offsets.iter().map(|at| NotificationId::of_place(place(Offset(*at))));
            Selection::Ids(own.chain(plain).collect())
        }
    };
    let (user_id, reason, fingerprint) = (user_id(user), None, None);
    let changed = Changed { id, user_id, changed_at, selection, change, reason, fingerprint };
    Record::of_changed(&changed).unwrap()
}

/// The id and the time of an event.
fn event(id: u8) -> (NotificationId, Timestamp) {
    let sent = sent(u128::from(id), 0, "");
    (sent.id, sent.created_at)
}

fn noise(user: usize, kind: u8) -> Record {
    let mut record = Record::of_sent(&sent(0, user, "noise")).unwrap();
    match kind % 4 {
        0 => record.key = None,
        1 => record.value = None,
        2 => record.value = Some(vec![b'{', kind].into()),
        _ => {
            let others = record.headers.iter().filter(|(name, _)| *name != b"ce_id");
            record.headers = others.collect();
        }
    }
    record
}

impl Item {
    pub(crate) fn first(&self) -> Offset {
        match self {
            Self::Record(offset, _) => *offset,
            Self::Unreadable(range) => range.first,
        }
    }

    pub(crate) fn next_offset(&self) -> Offset {
        match self {
            Self::Record(offset, _) => offset.next(),
            Self::Unreadable(range) => range.last.next(),
        }
    }
}

pub(crate) fn batch_of(items: &[Item], next_offset: Offset) -> Batch {
    let mut batch = super::batch(Vec::new(), next_offset);
    for item in items.iter().cloned() {
        match item {
            Item::Record(offset, record) => batch.records.push((offset, record)),
            Item::Unreadable(range) => batch.unreadable.push(range),
        }
    }
    batch
}
