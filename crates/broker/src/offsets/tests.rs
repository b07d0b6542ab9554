//! The file of committed offsets against a map.

use std::fs::{self, OpenOptions};
use std::path::PathBuf;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

type Change = (String, Offsets);

struct Rig {
    dir: TempDir,
    file: OffsetsFile,
}

impl Rig {
    fn new() -> Rig {
        let dir = tempfile::tempdir().unwrap();
        let data_dir = Arc::new(DataDir::open(dir.path()).unwrap());
        let file = OffsetsFile::create(data_dir, &Groups::new()).unwrap();
        Rig { dir, file }
    }

    fn filled(changes: &[Change]) -> Rig {
        let mut rig = Rig::new();
        for (group, offsets) in changes {
            rig.file.append(group, offsets).unwrap();
        }
        rig
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("group-offsets.log")
    }

    /// What a start would read.
    fn read(self) -> Result<Groups, StartError> {
        let Rig { dir, file } = self;
        drop(file);
        file::read(&DataDir::open(dir.path()).unwrap())
    }
}

fn applied(changes: &[Change]) -> Groups {
    let mut groups = Groups::new();
    for (group, offsets) in changes {
        groups.entry(group.clone()).or_default().extend(offsets.clone());
    }
    groups
}

prop_compose! {
    fn offset()(
        topic in 0..3_u128,
        partition in 0..3,
        offset in any::<i64>(),
        leader_epoch in -1..2,
        metadata in "(?s).{0,9}",
    ) -> (Place, Committed) {
        let place = Place { topic: Uuid::from_u128(topic), partition };
        (place, Committed { offset, leader_epoch, metadata })
    }
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let offsets = prop::collection::btree_map(
        offset().prop_map(|(place, _)| place),
        offset().prop_map(|(_, committed)| committed),
        1..4,
    );
    prop::collection::vec(("(?s).{1,3}", offsets), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_appended_is_read(changes in changes()) {
        let rig = Rig::filled(&changes);
        prop_assert_eq!(rig.read().unwrap(), applied(&changes));
    }

    #[test]
    fn a_rewritten_file_says_the_same(changes in changes(), more in changes()) {
        let mut rig = Rig::filled(&changes);
        let whole = applied(&changes);
        rig.file.rewrite(&file::encode(&whole).unwrap()).unwrap();
        let lines = fs::read_to_string(rig.path()).unwrap().lines().count();
        prop_assert_eq!(lines, whole.len());
        for (group, offsets) in &more {
            rig.file.append(group, offsets).unwrap();
        }
        prop_assert_eq!(rig.read().unwrap(), applied(&[changes, more].concat()));
    }

    #[test]
    fn a_torn_tail_is_dropped_and_nothing_before_it_is_lost(
        changes in changes(),
        cut in 0.0..1.0,
    ) {
        let rig = Rig::filled(&changes);
        let bytes = fs::read(rig.path()).unwrap();
        let left = (bytes.len() as f64 * cut) as usize;
        OpenOptions::new().write(true).open(rig.path()).unwrap().set_len(left as u64).unwrap();
        let whole = bytes[..left].iter().filter(|byte| **byte == b'\n').count();
        prop_assert_eq!(rig.read().unwrap(), applied(&changes[..whole]));
    }

    #[test]
    fn a_changed_byte_is_never_served(changes in changes(), at in 0.0..1.0, flip in 1..=255_u8) {
        let rig = Rig::filled(&changes);
        let mut bytes = fs::read(rig.path()).unwrap();
        let at = (bytes.len() as f64 * at) as usize;
        let before = bytes[..at].iter().filter(|byte| **byte == b'\n').count();
        let begin = bytes[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |it| it + 1);
        bytes[at] ^= flip;
        fs::write(rig.path(), bytes).unwrap();
        match rig.read() {
            Ok(groups) => prop_assert_eq!(groups, applied(&changes[..before])),
            Err(StartError::Damaged { position, .. }) => prop_assert_eq!(position, begin as u64),
            Err(error) => panic!("{error}"),
        }
    }
}
