//! Telling one record from another.

use std::fmt;

use models::Record;

/// A hash of all a record holds: the log is still the same one if the record at a known place has
/// the hash it had.
///
/// FNV-1a, 64 bits (RFC 9923), over the fields with their lengths. It guards against accidents,
/// not against someone who makes two records with one hash: they could write the log anyway. It is
/// stored, so changing it is a new [`crate::FOLD_VERSION`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RecordHash(pub(crate) u64);

const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

impl RecordHash {
    /// The record's hash.
    pub fn of(record: &Record) -> Self {
        let mut hash = Self(OFFSET_BASIS);
        hash.add(&record.timestamp.as_ms().to_be_bytes());
        hash.add_part(record.key.as_deref());
        hash.add_part(record.value.as_deref());
        for (name, value) in &record.headers {
            hash.add_part(Some(name.as_bytes()));
            hash.add_part(Some(value));
        }
        hash
    }

    /// A length first, so that bytes moved from one field to the next change the hash; a missing
    /// field has a length that no field has.
    fn add_part(&mut self, part: Option<&[u8]>) {
        let length = part.map_or(u64::MAX, |part| part.len() as u64);
        self.add(&length.to_be_bytes());
        self.add(part.unwrap_or_default());
    }

    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(PRIME);
        }
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
            key: key.map(Into::into),
            value: value.map(Into::into),
            headers: headers.iter().map(|(k, v)| ((*k).to_owned(), (*v).into())).collect(),
            timestamp: Timestamp::from_ms_clamped(7),
        }
    }

    #[test]
    fn the_basis_and_the_prime_are_those_of_fnv_1a() {
        let mut hash = RecordHash(OFFSET_BASIS);
        hash.add(b"foobar");
        assert_eq!(hash.0, 0x8594_4171_f739_67e8);
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
