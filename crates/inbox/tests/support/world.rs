//! A store, the log it is folded from, and what must be true of both.

mod checks;

use std::collections::BTreeSet;

use inbox::{Applied, DrainProgress, Effect, Outbox, PartitionInbox, Store, Storing};
use models::{Offset, Partition};
use tempfile::TempDir;

use super::log::{Item, batch_of};
use super::mirror::Mirrors;
use super::oracle::Oracle;
pub(crate) use super::step::Step;
use super::{config, copy_of, is_home, topic};

pub(crate) const PARTITION: Partition = Partition(3);

/// What the store held after a step.
#[derive(Clone, Default)]
struct Held {
    /// None: nothing was applied.
    next_offset: Option<Offset>,
    /// How many items of the log were applied.
    at: usize,
    /// Whose effects were removed.
    removed: BTreeSet<Offset>,
}

/// A store, the log it is folded from, and how far.
pub(crate) struct World {
    log: Vec<Item>,
    now: Held,
    past: Vec<Held>,
    /// The last of them that was surely stored.
    stored: usize,
    /// What is being stored, and which of them that is.
    storing: Option<(Storing, usize)>,
    effects_from: Offset,
    /// How far effects were seen to, as the caller remembers it.
    seen_to: Offset,
    /// Where the fold of this store began.
    base: usize,
    /// What the log still holds.
    log_start: Offset,
    folder: TempDir,
    inbox: Option<PartitionInbox>,
    /// Clients, by now and after each step before.
    mirrors: Mirrors,
    past_mirrors: Vec<Mirrors>,
}

impl World {
    pub(crate) fn new(log: Vec<Item>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let inbox = Some(open(&folder));
        let (now, past) = (Held::default(), vec![Held::default()]);
        let (zero, base) = (Offset(0), 0);
        let (effects_from, seen_to, log_start) = (zero, zero, zero);
        Self {
            log,
            now,
            past,
            stored: 0,
            storing: None,
            effects_from,
            seen_to,
            base,
            log_start,
            folder,
            inbox,
            mirrors: Mirrors::default(),
            past_mirrors: Vec::new(),
        }
    }

    pub(crate) fn take(&mut self, step: &Step) {
        match *step {
            Step::Apply { new, again } => self.apply(new, again),
            Step::Replay { from_permille, items } => self.replay(from_permille, items),
            Step::Store => self.inbox().store().unwrap(),
            Step::BeginStore => {
                let begun = self.inbox().begin_store();
                self.storing =
                    begun.map(|storing| (storing, self.past.len())).or(self.storing.take());
            }
            Step::FinishStore => {
                if let Some((storing, at)) = self.storing.take() {
                    storing.run().unwrap();
                    self.stored = self.stored.max(at);
                }
            }
            Step::Gap => self.gap(),
            Step::Drain { max_bytes, is_removed } => self.drain(max_bytes, is_removed),
            Step::Reopen => {
                (self.storing, self.inbox) = (None, None);
                self.inbox = Some(open(&self.folder));
            }
            Step::Lose { knows_progress } => {
                (self.storing, self.inbox) = (None, None);
                self.folder = tempfile::tempdir().unwrap();
                self.inbox = Some(open(&self.folder));
                self.fold_all_again(if knows_progress { self.seen_to } else { Offset(0) });
            }
            Step::Reset => self.reset(),
            Step::Retain { permille } => self.retain(permille),
            Step::Sweep { steps, max_rows } => self.sweep(steps, max_rows),
            Step::Crash { cut_permille } => self.crash(cut_permille),
        }
        let is_cut =
            matches!(step, Step::Reopen | Step::Lose { .. } | Step::Reset | Step::Crash { .. });
        if is_cut {
            self.mirrors.cut();
        }
        self.past.push(self.now.clone());
        // Nothing is surely stored where there was nothing to retain, or after a crash, when what is
        // missing is applied again.
        let is_stored = matches!(
            step,
            Step::Store | Step::Reopen | Step::Lose { .. } | Step::Reset | Step::Sweep { .. }
        );
        if is_stored {
            self.stored = self.past.len() - 1;
        }
        self.check();
    }

    fn inbox(&mut self) -> &mut PartitionInbox {
        self.inbox.as_mut().unwrap()
    }

    fn next_offset(&self) -> Offset {
        self.now.next_offset.unwrap_or(Offset(0))
    }

    fn apply(&mut self, new: usize, again: usize) {
        let at = self.now.at;
        let end = (at + new).min(self.log.len());
        let items = self.log[at.saturating_sub(again).max(self.base)..end].to_vec();
        let least = self.next_offset();
        let next_offset = items.last().map_or(least, |item| item.next_offset().max(least));
        let before = Oracle::of(&self.log[self.base..at]);
        let after = Oracle::of(&self.log[self.base..end]);
        let inbox = self.inbox.as_mut().unwrap();
        let batch = batch_of(&items, next_offset);
        let applied = inbox.apply_watched(batch, &is_home, &self.mirrors).unwrap();
        let is_old = |item: &&Item| matches!(item, Item::Record(offset, _) if *offset < least);
        assert_eq!(applied.skipped, items.iter().filter(is_old).count());
        assert_eq!(applied.sent, after.sent - before.sent);
        assert_eq!(applied.expired, after.expired - before.expired);
        assert_eq!(applied.commands, after.commands - before.commands);
        assert_eq!(applied.duplicates, after.duplicates - before.duplicates);
        assert_eq!((applied.dead, applied.relayed), after.counts_from(least));
        assert_eq!(applied.next_offset, next_offset);
        self.now.at = end;
        if next_offset > least || !items.is_empty() {
            self.now.next_offset = Some(next_offset);
        } else {
            self.now.next_offset = self.inbox().next_offset();
        }
    }

    fn replay(&mut self, from_permille: usize, items: usize) {
        let from = self.base + (self.now.at - self.base) * from_permille / 1000;
        let items = self.log[from..(from + items).min(self.now.at)].to_vec();
        let Some(next_offset) = items.last().map(Item::next_offset) else { return };
        let inbox = self.inbox.as_mut().unwrap();
        let batch = batch_of(&items, next_offset);
        let applied = inbox.apply_watched(batch, &is_home, &self.mirrors).unwrap();
        let Applied { sent, commands, duplicates, relayed, .. } = applied;
        assert_eq!((sent, commands, duplicates, relayed), (0, 0, 0, 0));
        assert!(applied.dead.is_empty());
        assert_eq!(applied.next_offset, self.next_offset());
    }

    fn gap(&mut self) {
        let Some(next_offset) = self.log.get(self.now.at).map(Item::first) else { return };
        self.inbox().apply(batch_of(&[], next_offset), &is_home).unwrap();
        self.now.next_offset = Some(next_offset);
    }

    fn drain(&mut self, max_bytes: usize, is_removed: bool) {
        let outbox = self.inbox().outbox();
        let Some(drain) = outbox.next(max_bytes).unwrap() else { return };
        let given: Vec<_> = drain.effects.iter().map(|(offset, _)| *offset).collect();
        let waiting: Vec<_> = self.waiting().into_iter().map(|(offset, _)| offset).collect();
        assert!(waiting.starts_with(&given) && !given.is_empty());
        let progress = match waiting.get(given.len()) {
            Some(next) => DrainProgress { next_offset: *next, last_record: None },
            None => self.progress(),
        };
        assert_eq!(drain.progress, progress);
        if is_removed {
            drain.remove().unwrap();
            self.now.removed.extend(given);
            self.seen_to = self.seen_to.max(progress.next_offset);
        }
    }

    /// Whoever drains or stores at that moment changes nothing of what comes after it.
    fn reset(&mut self) {
        let drain = self.inbox().outbox().next(1000).unwrap();
        self.inbox().reset().unwrap();
        if let Some((storing, _)) = self.storing.take() {
            storing.run().unwrap();
        }
        self.fold_all_again(Offset(0));
        if let Some(drain) = drain {
            drain.remove().unwrap();
        }
    }

    /// From the first record to where it was, in one batch.
    fn fold_all_again(&mut self, effects_from: Offset) {
        assert_eq!(self.inbox().next_offset(), None);
        self.inbox().set_effects_from(effects_from).unwrap();
        self.effects_from = effects_from;
        self.seen_to = effects_from;
        self.now.removed.clear();
        (self.past, self.stored) = (vec![Held::default()], 0);
        let first = self.first_retained();
        let base = std::mem::replace(&mut self.base, first);
        if self.base > base {
            // It may show what clients were told was gone: a late copy of what retention has cut.
            (self.mirrors, self.past_mirrors) = (Mirrors::default(), Vec::new());
        }
        if let Some(next_offset) = self.now.next_offset {
            let batch = batch_of(&self.log[self.base..self.now.at], next_offset);
            self.inbox().apply(batch, &is_home).unwrap();
            let log_start = self.log_start;
            self.inbox().retain(log_start).unwrap();
            assert!(self.inbox().set_effects_from(effects_from).is_err());
        }
    }

    /// Goes on with a copy of the folder that lacks the journal's tail: it must show what was there
    /// after one of the steps, all of it, and be able to go on from there.
    fn crash(&mut self, cut_permille: usize) {
        let end = self.now.clone();
        self.folder = copy_of(&self.folder, cut_permille);
        self.mirrors.cut();
        (self.storing, self.inbox) = (None, Some(open(&self.folder)));
        let (found, waiting) = (self.inbox().next_offset(), held(&self.inbox().outbox()));
        // What was removed from the outbox is stored at once, what was applied is not.
        let stored_to = found.unwrap_or(Offset(0));
        let removals = self.past.iter().rev().map(|held| held.removed.range(..stored_to));
        let mut held = removals.flat_map(|removed| {
            let removed: BTreeSet<_> = removed.copied().collect();
            let held = self.past.iter().enumerate().rev();
            held.map(move |(at, held)| (at, Held { removed: removed.clone(), ..held.clone() }))
        });
        let is_found = |held: &Held| held.next_offset == found && waiting == self.waiting_of(held);
        let found_as = held.find(|(_, held)| is_found(held));
        let (last, now) = found_as.expect("a part of a batch is there");
        if cut_permille == 0 {
            assert!(last >= self.stored, "a kill lost what was stored");
            assert_eq!(now.removed, end.removed, "a kill lost a removal");
        }
        self.past.truncate(last + 1);
        self.stored = self.stored.min(last);
        self.now = now;
        if found.is_none() {
            let effects_from = self.effects_from;
            self.inbox().set_effects_from(effects_from).unwrap();
        }
        self.check();
        self.apply(end.at - self.now.at, 2);
        self.past.push(self.now.clone());
        if let Some(target) = end.next_offset.filter(|target| *target > self.next_offset()) {
            self.inbox().apply(batch_of(&[], target), &is_home).unwrap();
            self.now.next_offset = Some(target);
        }
    }

    fn waiting(&self) -> Vec<(Offset, Effect)> {
        self.waiting_of(&self.now)
    }

    fn waiting_of(&self, held: &Held) -> Vec<(Offset, Effect)> {
        let mut effects = Oracle::of(&self.log[self.base..held.at.max(self.base)]).effects;
        effects.retain(|offset, _| *offset >= self.effects_from && !held.removed.contains(offset));
        effects.into_iter().collect()
    }

    /// The first item that the log still holds.
    fn first_retained(&self) -> usize {
        self.log.partition_point(|item| item.first() < self.log_start).min(self.now.at)
    }

    fn retain(&mut self, permille: usize) {
        let cut = self.base + (self.now.at - self.base) * permille / 1000;
        let Some(item) = self.log.get(cut).filter(|_| cut < self.now.at) else { return };
        self.log_start = self.log_start.max(item.first());
        let log_start = self.log_start;
        self.inbox().retain(log_start).unwrap();
        self.mirrors.retain(log_start);
        // A copy of what is cut, behind the cut, is shown again by a store that is folded anew.
        let cut = Oracle::of(&self.log[self.base..self.first_retained()]);
        let mut later = self.log.split_off(self.now.at);
        later.retain(|item| match item {
            Item::Record(offset, record) => !cut.knows(*offset, record),
            Item::Unreadable(_) => true,
        });
        self.log.extend(later);
        self.check_against_one_folded_anew();
    }

    fn sweep(&mut self, steps: usize, max_rows: usize) {
        for _ in 0..steps {
            self.inbox().sweep(max_rows).unwrap();
        }
    }

    /// How far effects are seen to once none waits.
    fn progress(&mut self) -> DrainProgress {
        let (next_offset, last_record) = (self.next_offset(), self.inbox().last_record());
        if next_offset < self.effects_from {
            return DrainProgress { next_offset: self.effects_from, last_record: None };
        }
        DrainProgress { next_offset, last_record }
    }
}

fn open(folder: &TempDir) -> PartitionInbox {
    Store::open(folder.path(), &config()).unwrap().partition(PARTITION, topic(1)).unwrap()
}

fn held(outbox: &Outbox) -> Vec<(Offset, Effect)> {
    outbox.next(usize::MAX).unwrap().map(|drain| drain.effects).unwrap_or_default()
}
