//! Headers of a record.

use std::fmt;

use bytes::Bytes;

use crate::varint::{VarintReader, put_sized, sized_bytes};

/// Headers of a record: names and values, in the order in which they were written.
///
/// Where a name occurs twice the last one counts; a null value reads as empty. Two are equal where
/// each name has the same value. They are kept as a record batch writes them, so that reading and
/// writing a record makes nothing of each.
#[derive(Clone, Default)]
pub struct Headers {
    count: usize,
    bytes: Bytes,
}

impl Headers {
    /// So many headers as a record batch writes them; none where the bytes are anything else.
    pub fn read(count: usize, bytes: Bytes) -> Option<Self> {
        let mut reader = VarintReader(&bytes);
        for _ in 0..count {
            next(&mut reader)?;
        }
        reader.0.is_empty().then_some(Self { count, bytes })
    }

    /// These headers.
    pub fn of(headers: &[(&str, &[u8])]) -> Self {
        let size = |(name, value): &(&str, &[u8])| {
            sized_bytes(Some(name.as_bytes())) + sized_bytes(Some(value))
        };
        let mut bytes = Vec::with_capacity(headers.iter().map(size).sum());
        for (name, value) in headers {
            put(&mut bytes, name.as_bytes(), value);
        }
        Self { count: headers.len(), bytes: bytes.into() }
    }

    /// How many, each time a name occurs.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// All, as they were written.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut reader = VarintReader(&self.bytes);
        std::iter::from_fn(move || next(&mut reader))
    }

    /// The value of a header.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter().filter(|(it, _)| *it == name.as_bytes()).last().map(|(_, value)| value)
    }

    /// Those that count, by name.
    pub fn sorted(&self) -> Vec<(&[u8], &[u8])> {
        let mut sorted: Vec<_> = self.iter().collect();
        // Of one name the last one first, which is the one that stays.
        sorted.reverse();
        sorted.sort_by_key(|(name, _)| *name);
        sorted.dedup_by_key(|(name, _)| *name);
        sorted
    }

    /// Adds one, or changes its value.
    pub fn set(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        let (name, value) = (name.as_ref(), value.as_ref());
        let others = self.iter().filter(|(it, _)| *it != name);
        *self = others.chain([(name, value)]).collect();
    }

    /// As a record batch writes them, without their number.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes that they take in a record batch.
    pub fn size_bytes(&self) -> usize {
        self.bytes.len()
    }
}

fn put(bytes: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    put_sized(bytes, Some(name));
    put_sized(bytes, Some(value));
}

fn next<'a>(reader: &mut VarintReader<'a>) -> Option<(&'a [u8], &'a [u8])> {
    Some((reader.sized()?, reader.nullable()?.unwrap_or_default()))
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(headers: I) -> Self {
        let (mut count, mut bytes) = (0, Vec::new());
        for (name, value) in headers {
            put(&mut bytes, name.as_ref(), value.as_ref());
            count += 1;
        }
        Self { count, bytes: bytes.into() }
    }
}

impl PartialEq for Headers {
    fn eq(&self, other: &Self) -> bool {
        self.sorted() == other.sorted()
    }
}

impl Eq for Headers {}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |bytes| String::from_utf8_lossy(bytes);
        f.debug_map().entries(self.iter().map(|(name, value)| (text(name), text(value)))).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn they_are_a_map_in_which_the_last_one_counts(
            headers in prop::collection::vec(("[ab]{0,2}", any::<Vec<u8>>()), 0..6),
            (name, value) in ("[ab]{0,2}", any::<Vec<u8>>()),
        ) {
            let mut map: BTreeMap<_, _> = headers.iter().cloned().collect();
            let mut found: Headers = headers.iter().map(|(name, value)| (name, value)).collect();
            prop_assert_eq!(found.len(), headers.len());
            prop_assert_eq!(&found, &map.iter().collect());
            prop_assert_eq!(found.get(&name), map.get(&name).map(Vec::as_slice));
            let read = Headers::read(headers.len(), found.as_bytes().to_vec().into());
            prop_assert_eq!(read.as_ref(), Some(&found));
            prop_assert!(Headers::read(headers.len() + 1, found.as_bytes().to_vec().into()).is_none());
            found.set(&name, &value);
            map.insert(name, value);
            prop_assert_eq!(found, map.iter().collect());
        }
    }

    #[test]
    fn a_null_value_is_an_empty_one() {
        let null = Headers::read(1, Bytes::from_static(&[2, b'a', 1])).unwrap();
        assert_eq!(null, Headers::of(&[("a", b"")]));
        assert!(Headers::read(1, Bytes::from_static(&[1, 1])).is_none(), "a null name");
    }
}
