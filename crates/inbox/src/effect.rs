//! What the fold wants done elsewhere, and how the outbox keeps it.
//!
//! Any change of how it is written is a new [`crate::FOLD_VERSION`].

use bytes::Bytes;
use models::{Offset, Record, Timestamp};

/// What is to be done elsewhere because of a record. Its identity is the record's place: the topic
/// id, the partition and the offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It goes to the dead-letter topic ([`models::DeadLetter`]).
    DeadLetter {
        /// The record as it was read; none: a batch that nobody could read.
        record: Option<Record>,
        /// The last offset of what was not understood: for a record its own.
        last: Offset,
        /// [`models::DeadReason::code`].
        reason: String,
        /// The reason in words.
        detail: String,
    },
    /// It is appended to its home partition.
    Relay {
        /// What is appended: [`Record::relayed`] is done already.
        record: Record,
    },
}

const DEAD_RECORD: u8 = 1;
const DEAD_BATCH: u8 = 2;
const RELAY: u8 = 3;

/// The length of what is not there. No field of a record is as long: Kafka's lengths are signed.
const NONE: u32 = u32::MAX;

impl Effect {
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut row = Vec::with_capacity(512);
        match self {
            Self::DeadLetter { record, last, reason, detail } => {
                row.push(if record.is_some() { DEAD_RECORD } else { DEAD_BATCH });
                row.extend_from_slice(&last.0.to_be_bytes());
                write_part(&mut row, Some(reason.as_bytes()));
                write_part(&mut row, Some(detail.as_bytes()));
                if let Some(record) = record {
                    write_record(&mut row, record);
                }
            }
            Self::Relay { record } => {
                row.push(RELAY);
                write_record(&mut row, record);
            }
        }
        row
    }

    pub(crate) fn read(row: &[u8]) -> Option<Self> {
        let (kind, rest) = row.split_first()?;
        let mut rest = Rest(rest);
        let effect = match *kind {
            DEAD_RECORD => rest.dead_letter(true)?,
            DEAD_BATCH => rest.dead_letter(false)?,
            RELAY => Self::Relay { record: rest.record()? },
            _ => return None,
        };
        rest.0.is_empty().then_some(effect)
    }
}

fn write_record(row: &mut Vec<u8>, record: &Record) {
    row.extend_from_slice(&record.timestamp.as_ms().to_be_bytes());
    write_part(row, record.key.as_deref());
    write_part(row, record.value.as_deref());
    row.extend_from_slice(&length(record.headers.len()).to_be_bytes());
    for (name, value) in record.headers.iter() {
        write_part(row, Some(name));
        write_part(row, Some(value));
    }
}

fn write_part(row: &mut Vec<u8>, part: Option<&[u8]>) {
    row.extend_from_slice(&part.map_or(NONE, |part| length(part.len())).to_be_bytes());
    row.extend_from_slice(part.unwrap_or_default());
}

fn length(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(NONE)
}

/// What is left to be read of a row.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn dead_letter(&mut self, has_record: bool) -> Option<Effect> {
        let last = Offset(i64::from_be_bytes(self.number()?));
        let (reason, detail) = (self.text()?, self.text()?);
        let record = if has_record { Some(self.record()?) } else { None };
        Some(Effect::DeadLetter { record, last, reason, detail })
    }

    fn record(&mut self) -> Option<Record> {
        let timestamp = Timestamp::from_ms_clamped(i64::from_be_bytes(self.number()?));
        let part = |part: Option<&[u8]>| part.map(Bytes::copy_from_slice);
        let (key, value) = (part(self.part()?), part(self.part()?));
        let headers = (0..u32::from_be_bytes(self.number()?))
            .map(|_| Some((self.part()??, self.part()??)))
            .collect::<Option<_>>()?;
        Some(Record { key, value, headers, timestamp })
    }

    fn text(&mut self) -> Option<String> {
        String::from_utf8(self.part()??.to_vec()).ok()
    }

    fn part(&mut self) -> Option<Option<&'a [u8]>> {
        let length = u32::from_be_bytes(self.number()?);
        if length == NONE {
            return Some(None);
        }
        let (part, rest) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = rest;
        Some(Some(part))
    }

    fn number<const BYTES: usize>(&mut self) -> Option<[u8; BYTES]> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*number)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    prop_compose! {
        fn record()(
            key: Option<Vec<u8>>, value: Option<Vec<u8>>, timestamp: i64,
            headers in prop::collection::vec((".{0,9}", any::<Vec<u8>>()), 0..4),
        ) -> Record {
            let (key, value) = (key.map(Bytes::from), value.map(Bytes::from));
            let headers = headers.into_iter().collect();
            Record { key, value, headers, timestamp: Timestamp::from_ms_clamped(timestamp) }
        }
    }

    fn effect() -> impl Strategy<Value = Effect> {
        let dead = (prop::option::of(record()), any::<i64>(), ".{0,9}", ".{0,9}");
        prop_oneof![
            record().prop_map(|record| Effect::Relay { record }),
            dead.prop_map(|(record, last, reason, detail)| {
                Effect::DeadLetter { record, last: Offset(last), reason, detail }
            }),
        ]
    }

    proptest! {
        #[test]
        fn every_effect_survives_its_row_and_a_damaged_row_is_noticed(effect in effect()) {
            let row = effect.write();
            prop_assert_eq!(Effect::read(&row), Some(effect));
            prop_assert_eq!(Effect::read(&row[..row.len() - 1]), None);
            prop_assert_eq!(Effect::read(&[row, vec![0]].concat()), None);
        }

        #[test]
        fn no_row_panics(row: Vec<u8>) {
            let _ = Effect::read(&row);
        }
    }
}
