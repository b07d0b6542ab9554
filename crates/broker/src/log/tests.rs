//! The log against a list of batches, and against damage.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use proptest::prelude::*;
use tempfile::TempDir;

use super::batch::Header;
use super::samples::{Sample, batch};
use super::{Batch, Log, Timestamped};
use crate::error::StartError;
use crate::topic_config::{Overrides, TopicConfig};

const NO_LIMIT: usize = 1 << 20;

/// A log in its own folder, and what was appended to it: base offsets and batches.
struct Rig {
    dir: TempDir,
    config: Arc<TopicConfig>,
    log: Log,
    appended: Vec<(i64, Bytes)>,
}

fn config(configs: &[(&str, &str)]) -> Arc<TopicConfig> {
    let given = configs.iter().map(|(name, value)| (*name, Some(*value)));
    Arc::new(Overrides::check(given).unwrap().topic_config())
}

fn open(dir: &Path, config: &Arc<TopicConfig>) -> Result<Log, StartError> {
    Log::open(dir, Arc::clone(config), 100)
}

impl Rig {
    fn new(configs: &[(&str, &str)]) -> Rig {
        let dir = tempfile::tempdir().unwrap();
        Log::create(dir.path()).unwrap();
        let config = config(configs);
        let log = open(dir.path(), &config).unwrap();
        Rig { dir, config, log, appended: Vec::new() }
    }

    fn commit(&mut self, samples: &[Sample]) {
        let sent: Vec<_> = samples.iter().map(|sample| batch(*sample)).collect();
        let checked = sent.iter().map(|bytes| Batch::check(bytes.clone(), NO_LIMIT).unwrap());
        let outcomes = self.log.commit(checked.collect()).unwrap();
        for (outcome, bytes) in outcomes.into_iter().zip(sent) {
            self.appended.push((outcome.unwrap(), bytes));
        }
    }

    fn next_offset(&self) -> i64 {
        self.log.view().high_watermark()
    }

    fn reopen(&mut self) {
        self.log = open(self.dir.path(), &self.config).unwrap();
    }

    fn segments(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.dir.path()).unwrap();
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    }

    /// Each batch is found from each of its offsets, and nothing else is.
    fn check_reads(&self, max_bytes: usize) {
        let view = self.log.view();
        let high_watermark = view.high_watermark();
        let log_start = view.log_start();
        let mut expected = log_start;
        for (base_offset, sent) in self.appended.iter().filter(|it| it.0 >= log_start) {
            assert_eq!(*base_offset, expected);
            let next = base_offset + i64::from(Header::parse(sent).unwrap().last_offset_delta) + 1;
            for offset in [*base_offset, next - 1] {
                let read = view.read(offset, high_watermark, max_bytes, true).unwrap();
                let first = Header::parse(&read).unwrap();
                assert_eq!(first.base_offset, *base_offset);
                assert_eq!(read[16..first.size()], sent[16..]);
                check_whole(&read, max_bytes);
                let available = view.bytes_from(offset);
                assert!(available >= read.len() as u64);
            }
            expected = next;
        }
        assert_eq!(expected, high_watermark);
        assert!(view.read(expected, expected, max_bytes, true).unwrap().is_empty());
    }
}

/// Whole batches, one after the other, and no more than asked for unless it is one.
fn check_whole(read: &[u8], max_bytes: usize) {
    let mut at = 0;
    let mut batches = 0;
    while at < read.len() {
        let header = Header::parse(&read[at..]).unwrap();
        at += header.size();
        batches += 1;
    }
    assert_eq!(at, read.len());
    assert!(batches == 1 || at <= max_bytes);
}

prop_compose! {
    fn sample()(
        records in 1..6,
        value_bytes in prop_oneof![0..200_usize, 0..6000_usize],
        timestamp in 0..10_000_i64,
    ) -> Sample {
        Sample { records, value_bytes, timestamp, ..Sample::default() }
    }
}

fn commits() -> impl Strategy<Value = Vec<Vec<Sample>>> {
    prop::collection::vec(prop::collection::vec(sample(), 1..5), 1..8)
}

fn filled(commits: &[Vec<Sample>], configs: &[(&str, &str)]) -> Rig {
    let mut rig = Rig::new(configs);
    for samples in commits {
        rig.commit(samples);
    }
    rig
}

/// Where each batch ends in a single segment.
fn ends(rig: &Rig) -> Vec<u64> {
    let sizes = rig.appended.iter().map(|(_, bytes)| bytes.len() as u64);
    sizes
        .scan(0, |end, size| {
            *end += size;
            Some(*end)
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_appended_is_read_also_after_reopening(
        commits in commits(),
        more in sample(),
        max_bytes in 0..20_000_usize,
    ) {
        let mut rig = filled(&commits, &[("segment.bytes", "40000"), ("segment.ms", "5000")]);
        rig.check_reads(max_bytes);
        let next_offset = rig.next_offset();
        rig.reopen();
        prop_assert_eq!(rig.next_offset(), next_offset);
        rig.check_reads(max_bytes);
        rig.commit(&[more]);
        rig.check_reads(max_bytes);
    }

    #[test]
    fn a_torn_tail_is_cut_and_nothing_before_it_is_lost(commits in commits(), cut in 0.0..1.0) {
        let mut rig = filled(&commits, &[]);
        let ends = ends(&rig);
        let path = rig.segments().remove(0);
        let size = (*ends.last().unwrap() as f64 * cut) as u64;
        OpenOptions::new().write(true).open(&path).unwrap().set_len(size).unwrap();
        rig.reopen();
        rig.appended.truncate(ends.iter().filter(|end| **end <= size).count());
        rig.check_reads(NO_LIMIT);
        rig.commit(&[Sample::default()]);
        rig.reopen();
        rig.check_reads(NO_LIMIT);
    }

    #[test]
    fn garbage_after_the_last_batch_is_cut(
        commits in commits(),
        garbage in prop::collection::vec(any::<u8>(), 1..300),
    ) {
        let mut rig = filled(&commits, &[]);
        let path = rig.segments().remove(0);
        let end = *ends(&rig).last().unwrap();
        OpenOptions::new().write(true).open(&path).unwrap().write_all_at(&garbage, end).unwrap();
        rig.reopen();
        rig.check_reads(NO_LIMIT);
        prop_assert_eq!(fs::metadata(path).unwrap().len(), end);
    }

    #[test]
    fn a_changed_byte_is_never_served(commits in commits(), at in 0.0..1.0, flip in 1..=255_u8) {
        let mut rig = filled(&commits, &[]);
        let ends = ends(&rig);
        let path = rig.segments().remove(0);
        let position = (*ends.last().unwrap() as f64 * at) as u64;
        change_byte(&path, position, flip);
        let hit = ends.iter().filter(|end| **end <= position).count();
        let begin = if hit == 0 { 0 } else { ends[hit - 1] };
        let is_leader_epoch = (12..16).contains(&(position - begin));
        match open(rig.dir.path(), &rig.config) {
            Ok(log) => {
                rig.log = log;
                if !is_leader_epoch {
                    prop_assert_eq!(hit, ends.len() - 1, "only the last batch may be cut");
                    rig.appended.truncate(hit);
                }
                rig.check_reads(NO_LIMIT);
            }
            Err(StartError::Damaged { file, position, .. }) => {
                prop_assert_eq!(file, path);
                prop_assert_eq!(position, begin);
            }
            Err(error) => panic!("{error}"),
        }
    }
}

fn change_byte(path: &Path, position: u64, flip: u8) {
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, position).unwrap();
    file.write_all_at(&[byte[0] ^ flip], position).unwrap();
}

fn at(timestamp: i64) -> Sample {
    Sample { records: 3, value_bytes: 400, timestamp, ..Sample::default() }
}

#[test]
fn damage_in_an_earlier_segment_refuses_the_start_even_at_its_end() {
    let mut rig = Rig::new(&[("segment.bytes", "2000")]);
    rig.commit(&[at(1), at(2), at(3)]);
    assert_eq!(rig.segments().len(), 3);
    let first = rig.segments().remove(0);
    let size = fs::metadata(&first).unwrap().len();
    OpenOptions::new().write(true).open(&first).unwrap().set_len(size - 1).unwrap();
    let opened = open(rig.dir.path(), &rig.config);
    assert!(matches!(opened, Err(StartError::Damaged { file, position: 0, .. }) if file == first));
}

#[test]
fn a_missing_segment_refuses_the_start() {
    let mut rig = Rig::new(&[("segment.bytes", "2000")]);
    rig.commit(&[at(1), at(2), at(3)]);
    fs::remove_file(&rig.segments()[1]).unwrap();
    let opened = open(rig.dir.path(), &rig.config);
    assert!(matches!(opened, Err(StartError::Damaged { .. })));
}

#[test]
fn retention_by_time_empties_the_log_but_keeps_the_next_offset() {
    let mut rig = Rig::new(&[("segment.bytes", "2000"), ("retention.ms", "100")]);
    rig.commit(&[at(1000), at(1100), at(1200)]);
    assert_eq!(rig.log.retain(1102).unwrap(), 0, "the newest record is kept 100 ms");
    assert_eq!(rig.log.retain(1103).unwrap(), 1);
    rig.check_reads(NO_LIMIT);
    assert_eq!(rig.log.retain(9999).unwrap(), 2);
    for _ in 0..2 {
        let view = rig.log.view();
        assert_eq!((view.log_start(), view.high_watermark()), (9, 9));
        assert_eq!(rig.log.retain(9999).unwrap(), 0);
        rig.reopen();
    }
    rig.commit(&[at(9999)]);
    assert_eq!(rig.appended.last().unwrap().0, 9);
}

#[test]
fn retention_by_size_keeps_at_least_that_much() {
    let mut rig = Rig::new(&[("segment.bytes", "2000"), ("retention.bytes", "2600")]);
    rig.commit(&[at(1), at(2), at(3), at(4)]);
    assert_eq!(rig.log.retain(5).unwrap(), 1);
    assert_eq!(rig.log.view().log_start(), 3);
    rig.check_reads(NO_LIMIT);
}

#[test]
fn what_is_compacted_or_kept_for_ever_is_not_deleted() {
    for (name, value) in [("cleanup.policy", "compact"), ("retention.ms", "-1")] {
        let mut rig = Rig::new(&[("segment.bytes", "2000"), (name, value)]);
        rig.commit(&[at(1), at(2), at(3)]);
        assert_eq!(rig.log.retain(i64::MAX).unwrap(), 0);
    }
}

#[test]
fn a_segment_is_rolled_by_age() {
    let mut rig = Rig::new(&[("segment.ms", "1000")]);
    rig.commit(&[at(1000), at(1900), at(2100)]);
    assert_eq!(rig.segments().len(), 2);
}

#[test]
fn a_time_is_found_to_the_record() {
    let mut rig = Rig::new(&[("segment.bytes", "20000")]);
    for tens in 0..100 {
        rig.commit(&[at(1000 + tens * 10)]);
    }
    let view = rig.log.view();
    let found = |timestamp| view.at_timestamp(timestamp).unwrap();
    let some = |offset, timestamp| Some(Timestamped { offset, timestamp });
    assert_eq!(found(0), some(0, 1000));
    assert_eq!(found(1011), some(4, 1011));
    assert_eq!(found(1013), some(6, 1020));
    assert_eq!(found(1992), some(299, 1992));
    assert_eq!(found(1993), None);
}

#[test]
fn sequences_are_known_after_reopening() {
    let mut rig = Rig::new(&[]);
    let numbered =
        |sequence| Sample { records: 2, producer: (7, 0, sequence), ..Sample::default() };
    rig.commit(&[numbered(0), numbered(2)]);
    for _ in 0..2 {
        let offer =
            [0, 2, 5].map(|sequence| Batch::check(batch(numbered(sequence)), NO_LIMIT).unwrap());
        let outcomes = rig.log.commit(offer.to_vec()).unwrap();
        let gap = Err(ResponseError::OutOfOrderSequenceNumber);
        assert_eq!(outcomes, [Ok(0), Ok(2), gap]);
        assert_eq!(rig.next_offset(), 4);
        rig.reopen();
    }
}

#[test]
fn a_batch_larger_than_a_segment_is_refused() {
    let mut rig = Rig::new(&[("segment.bytes", "2000")]);
    let large = Sample { value_bytes: 2000, ..Sample::default() };
    let large = Batch::check(batch(large), NO_LIMIT).unwrap();
    let outcomes = rig.log.commit(vec![large]).unwrap();
    assert_eq!(outcomes, [Err(ResponseError::RecordListTooLarge)]);
}
