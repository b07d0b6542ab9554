//! Which records made a user.

use std::collections::VecDeque;

use models::Offset;

/// For the last records of the users topic, whether each made a user who was not there before it: only
/// the log's order can tell.
#[derive(Default)]
pub(super) struct Created {
    first: i64,
    made: VecDeque<bool>,
}

/// Records that are remembered, a byte each. Smaller, and who waits for a record that is applied
/// together with very many others is told that it renamed a user.
const MAX_RECORDS: usize = 262_144;

impl Created {
    /// The record at this offset did, or did not. Offsets only rise.
    pub(super) fn note(&mut self, offset: Offset, is_new: bool) {
        let next = self.first.saturating_add(i64::try_from(self.made.len()).unwrap_or(i64::MAX));
        match usize::try_from(offset.0.saturating_sub(next)) {
            // Offsets that compaction left out made nobody.
            Ok(gap) if gap < MAX_RECORDS => self.made.extend(std::iter::repeat_n(false, gap)),
            _ => *self = Self { first: offset.0, made: VecDeque::new() },
        }
        self.made.push_back(is_new);
        while self.made.len() > MAX_RECORDS {
            self.made.pop_front();
            self.first += 1;
        }
    }

    /// Whether the record at this offset did; one that is not remembered did not.
    pub(super) fn has(&self, offset: Offset) -> bool {
        let index = usize::try_from(offset.0.saturating_sub(self.first)).ok();
        index.and_then(|index| self.made.get(index)).copied().unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_of_the_last_records_is_remembered() {
        let mut created = Created::default();
        for (offset, is_new) in [(3, true), (4, false), (9, true)] {
            created.note(Offset(offset), is_new);
        }
        let made: Vec<_> = (0..12).filter(|it| created.has(Offset(*it))).collect();
        assert_eq!(made, [3, 9]);
        for offset in 10..300_000 {
            created.note(Offset(offset), offset % 2 == 0);
        }
        assert_eq!(created.made.len(), MAX_RECORDS);
        assert!(!created.has(Offset(9)) && created.has(Offset(299_998)));
        assert!(!created.has(Offset(299_999)) && !created.has(Offset(-1)));
        // Far ahead, and another log.
        for offset in [10_000_000, 5] {
            created.note(Offset(offset), true);
            assert!(created.has(Offset(offset)) && created.made.len() == 1);
        }
    }
}
