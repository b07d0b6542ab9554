//! The store against an oracle: a fold written with maps.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

mod support;

use std::collections::BTreeMap;

use inbox::Store;
use models::Offset;
use proptest::prelude::*;
use support::log::{Item, batch_of, log};
use support::world::{PARTITION, Step, World};
use support::{is_home, rows_of, small_config, topic};

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..20usize, 0..6usize).prop_map(|(new, again)| Step::Apply { new, again }),
        1 => (0..1000usize, 0..6usize)
            .prop_map(|(from_permille, items)| Step::Replay { from_permille, items }),
        1 => Just(Step::Store),
        3 => Just(Step::BeginStore),
        2 => Just(Step::FinishStore),
        1 => Just(Step::Gap),
        4 => (0..2000usize, any::<bool>())
            .prop_map(|(max_bytes, is_removed)| Step::Drain { max_bytes, is_removed }),
        1 => Just(Step::Reopen),
        1 => any::<bool>().prop_map(|knows_progress| Step::Lose { knows_progress }),
        1 => Just(Step::Reset),
        1 => Just(Step::Crash { cut_permille: 0 }),
        2 => (0..=1000usize).prop_map(|cut_permille| Step::Crash { cut_permille }),
    ]
}

/// What happens to a store that lives long.
fn long_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0..20usize, 0..6usize).prop_map(|(new, again)| Step::Apply { new, again }),
        1 => (0..1000usize, 0..6usize)
            .prop_map(|(from_permille, items)| Step::Replay { from_permille, items }),
        1 => Just(Step::Store),
        3 => Just(Step::BeginStore),
        2 => Just(Step::FinishStore),
        1 => Just(Step::Reopen),
        1 => Just(Step::Lose { knows_progress: true }),
        1 => Just(Step::Crash { cut_permille: 0 }),
        3 => (0..=1000usize).prop_map(|permille| Step::Retain { permille }),
        3 => (1..9usize, 1..9usize).prop_map(|(steps, max_rows)| Step::Sweep { steps, max_rows }),
    ]
}

/// The rows of a store that these batches were applied to.
fn rows_after(batches: &[Vec<Item>], next_offset: Offset) -> BTreeMap<String, Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &small_config()).unwrap();
    let mut inbox = store.partition(PARTITION, topic(1)).unwrap();
    for batch in batches {
        if let Some(item) = batch.last() {
            inbox.apply(batch_of(batch, item.next_offset()), &is_home).unwrap();
        }
    }
    inbox.apply(batch_of(&[], next_offset), &is_home).unwrap();
    drop((inbox, store));
    rows_of(&folder)
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn pages_filters_and_counts_are_the_oracles_whatever_retention_cuts(
        log in log(),
        steps in prop::collection::vec(long_step(), 1..12),
    ) {
        let mut world = World::new(log);
        for step in &steps {
            world.take(step);
        }
        world.check_against_one_folded_anew();
    }
}

proptest! {
    #![proptest_config(cases(32))]

    #[test]
    fn every_history_shows_what_the_oracle_shows(
        log in log(),
        steps in prop::collection::vec(step(), 1..20),
    ) {
        let mut world = World::new(log);
        world.check();
        for step in &steps {
            world.take(step);
        }
    }

    #[test]
    fn batch_sizes_leave_no_trace_in_the_rows(
        log in log(),
        cuts in prop::collection::vec(1..9usize, 90),
    ) {
        let next_offset = Offset(log.last().unwrap().next_offset().0 + 5);
        let mut rest = &log[..];
        let mut batches = Vec::new();
        for cut in cuts {
            let (batch, others) = rest.split_at(cut.min(rest.len()));
            batches.push(batch.to_vec());
            rest = others;
        }
        let rows = rows_after(std::slice::from_ref(&log), next_offset);
        prop_assert!(!rows.is_empty());
        prop_assert_eq!(rows, rows_after(&batches, next_offset));
    }
}
