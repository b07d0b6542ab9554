//! Telling one record from another.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use models::{Fnv1a, Record};

/// A hash of all a record holds: the log is still the same one if the record at a known place has
/// the hash it had.
///
/// FNV-1a, 64 bits (RFC 9923), over the fields with their lengths. It guards against accidents,
/// not against someone who makes two records with one hash: they could write the log anyway. It is
/// stored, so changing it is a new [`crate::FOLD_VERSION`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RecordHash(pub(crate) u64);

impl RecordHash {
    /// The record's hash.
    pub fn of(record: &Record) -> Self {
        let mut hash = Fnv1a::default();
        hash.add(&record.timestamp.as_ms().to_be_bytes());
        add_part(&mut hash, record.key.as_deref());
        add_part(&mut hash, record.value.as_deref());
        for (name, value) in record.headers.sorted() {
            add_part(&mut hash, Some(name));
            add_part(&mut hash, Some(value));
        }
        Self(hash.finish())
    }
}

/// A length first, so that bytes moved from one field to the next change the hash; a missing field
/// has a length that no field has.
fn add_part(hash: &mut Fnv1a, part: Option<&[u8]>) {
    let length = part.map_or(u64::MAX, |part| part.len() as u64);
    hash.add(&length.to_be_bytes());
    hash.add(part.unwrap_or_default());
}

impl FromStr for RecordHash {
    type Err = ParseIntError;

    /// Reads what [`fmt::Display`] writes: hexadecimal digits.
    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        u64::from_str_radix(text, 16).map(Self)
    }
}

impl fmt::Display for RecordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use models::Timestamp;

    use super::*;

    fn record(key: Option<&str>, value: Option<&str>, headers: &[(&str, &str)]) -> Record {
        Record {
            key: key.map(|key| key.to_owned().into()),
            value: value.map(|value| value.to_owned().into()),
            headers: headers.iter().copied().collect(),
            timestamp: Timestamp::from_ms_clamped(7),
        }
    }

    #[test]
    fn records_that_differ_in_any_field_have_other_hashes() {
        let records = [
            record(None, None, &[]),
            record(Some(""), None, &[]),
            record(None, Some(""), &[]),
            record(Some("ab"), Some("c"), &[]),
            record(Some("a"), Some("bc"), &[]),
            record(Some("a"), Some("b"), &[("c", "")]),
            record(Some("a"), Some("b"), &[("", "c")]),
            Record { timestamp: Timestamp::from_ms_clamped(8), ..record(None, None, &[]) },
        ];
        for (i, a) in records.iter().enumerate() {
            for (j, b) in records.iter().enumerate() {
                assert_eq!(RecordHash::of(a) == RecordHash::of(b), i == j, "{i} {j}");
            }
        }
    }
}
