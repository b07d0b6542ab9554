//! Looking into one inbox at one moment.

use std::ops::Range;

use fjall::Readable;
use models::{NotificationId, Offset, UserId};
use serde::Deserialize;

use crate::block_row::{BlockChange, BlockRow, Counts};
use crate::entry_row::EntryHeader;
use crate::index_rows::{self as index, IndexRows};
use crate::overlay::{Overlay, Sight};
use crate::reader::{Entry, Head, Page, ReplayBounds};
use crate::rows::HeadRow;
use crate::scan::{Scan, Stored};
use crate::shared::View;
use crate::spaces::{ENTRIES, INDEX};
use crate::state_row::EntryState;
use crate::{Gap, InboxError, InboxEvent, Query, RecentChange, Replay, Status};

/// Notifications that a page looks at; a block that it steps over counts as one. Larger, and a page
/// that finds little takes longer; smaller, and there are more such pages.
const MAX_LOOKED_AT: usize = 10_000;

/// One inbox at one moment.
pub(crate) struct Look<'a> {
    scan: Scan<'a>,
    /// What of it is not in the store yet.
    overlay: Overlay,
    /// Nothing below it counts: it is gone, or retention has cut it.
    floor: Offset,
    /// The first offset that the log still holds.
    log_start: Offset,
    next_offset: Option<Offset>,
}

/// A page while it is being filled.
struct Filling<'q> {
    query: &'q Query,
    /// Where the page before ended.
    before: Offset,
    entries: Vec<Entry>,
    bytes: usize,
    /// What may still be looked at.
    left: usize,
    /// How many of the wanted state were not looked at yet, where that is known.
    wanted: Option<u64>,
}

/// Whether there is more to look at.
enum Step {
    On,
    /// The page is full, or looked at enough: the next one has entries below this offset.
    Ends(Offset),
    /// There is nothing else.
    Over,
}

impl<'a> Look<'a> {
    /// `overlay`: what of it is pending, if something is.
    pub(crate) fn new(
        scan: Scan<'a>,
        view: &View,
        overlay: Option<Overlay>,
    ) -> Result<Self, InboxError> {
        let overlay = Overlay::or_stored(overlay, scan)?;
        let head = overlay.head;
        let log_start = view.progress.map_or(Offset(0), |progress| progress.log_start);
        let floor = head.floor.max(log_start);
        let next_offset = view.next_offset();
        let mut look = Self { scan, overlay, floor, log_start, next_offset };
        if floor > head.floor && head.total_count > 0 {
            look.leave_out_what_is_cut()?;
        }
        Ok(look)
    }

    /// Counts without what retention has cut, for as long as the fold did not come to it.
    fn leave_out_what_is_cut(&mut self) -> Result<(), InboxError> {
        let mut cut = Counts::default();
        let stored_floor = self.overlay.head.floor;
        for entry in self.sight().entries(stored_floor.max(self.overlay.head.tail_from)..self.floor)
        {
            cut.add(&entry?.state);
        }
        for block in self.sight().blocks_to(self.floor) {
            let block = block?;
            if block.first >= self.floor {
                continue;
            }
            let mut of_block = block.counts;
            if block.last >= self.floor {
                of_block = Counts::default();
                for entry in self.sight().entries(stored_floor.max(block.first)..self.floor) {
                    of_block.add(&entry?.state.under(&block.changes));
                }
            }
            cut.add_all(&of_block);
        }
        let head = &mut self.overlay.head;
        head.total_count = head.total_count.saturating_sub(cut.total());
        head.unread_count = head.unread_count.saturating_sub(cut.unread);
        if head.seen_to < self.floor {
            head.unseen_count = head.total_count;
        }
        Ok(())
    }

    pub(crate) fn head(&self) -> Head {
        self.overlay.head.shown(self.next_offset)
    }

    pub(crate) fn one(
        &self,
        offset: Offset,
        id: NotificationId,
    ) -> Result<Option<Entry>, InboxError> {
        if offset < self.floor {
            return Ok(None);
        }
        let Some(stored) = self.sight().entry(offset)? else { return Ok(None) };
        let changes = self.sight().block_at(offset)?.map(|block| block.changes).unwrap_or_default();
        let entry = self.entry(stored, &changes)?;
        Ok(Some(entry).filter(|entry| entry.id == id))
    }

    pub(crate) fn page(&self, query: &Query) -> Result<Page, InboxError> {
        let mut filling = Filling::new(query, &self.overlay.head);
        let next = self.fill(&mut filling)?;
        Ok(Page { entries: filling.entries, next, head: self.head() })
    }

    fn fill(&self, filling: &mut Filling<'_>) -> Result<Option<Offset>, InboxError> {
        if filling.wanted == Some(0) {
            return Ok(None);
        }
        let mut step = self.fill_from(filling, self.overlay.head.tail_from..END, &[])?;
        let newest = Offset(filling.before.0.saturating_sub(1));
        for block in self.sight().blocks_to(newest) {
            if !matches!(step, Step::On) {
                break;
            }
            let block = block?;
            if block.last < self.floor {
                break;
            }
            step = self.fill_from_block(filling, &block)?;
        }
        match step {
            Step::Ends(next) => Ok(Some(next)),
            Step::On | Step::Over => Ok(None),
        }
    }

    fn fill_from_block(
        &self,
        filling: &mut Filling<'_>,
        block: &BlockRow,
    ) -> Result<Step, InboxError> {
        let query = filling.query;
        let is_cut = block.first < self.floor && self.floor > self.overlay.head.floor;
        let is_out_of_time = query.until.is_some_and(|until| block.created_from >= until)
            || query.since.is_some_and(|since| block.created_to < since);
        let has_none = !is_cut && block.counts.of(query.status) == 0;
        if has_none || is_out_of_time {
            if is_out_of_time && filling.wanted.is_some() {
                let counts = self.sight().counts_from(block, self.floor)?;
                if filling.passes(counts.of(query.status)) {
                    return Ok(Step::Over);
                }
            }
            return Ok(filling.charge(block.first));
        }
        self.fill_from(filling, block.first..block.last.next(), &block.changes)
    }

    /// Looks at the entries of a block, or of the tail.
    fn fill_from(
        &self,
        filling: &mut Filling<'_>,
        range: Range<Offset>,
        changes: &[BlockChange],
    ) -> Result<Step, InboxError> {
        let range = range.start.max(self.floor)..range.end.min(filling.before);
        for stored in self.sight().entries(range) {
            let stored = stored?;
            let offset = stored.offset;
            let state = stored.state.under(changes);
            if filling.is_wanted(&state) {
                let header = self.scan.header(&stored)?;
                if filling.is_in_time(&header) && filling.is_meant(&stored) {
                    if filling.is_full() {
                        return Ok(Step::Ends(offset.next()));
                    }
                    filling.take(Entry::of(stored, state).ok_or(self.scan.unreadable(ENTRIES))?);
                }
                if filling.passes(1) {
                    return Ok(Step::Over);
                }
            }
            if let Step::Ends(next) = filling.charge(offset) {
                return Ok(Step::Ends(next));
            }
        }
        Ok(Step::On)
    }

    /// What happened from an offset on; `changes`: those that are pending.
    pub(crate) fn replay(
        &self,
        first: Offset,
        bounds: ReplayBounds,
        changes: IndexRows,
    ) -> Result<Replay, InboxError> {
        let gap = if first < self.log_start {
            Some(Gap::Retention)
        } else {
            (first < self.overlay.head.changes_from).then_some(Gap::TooOld)
        };
        let (head, log_start) = (self.head(), self.log_start);
        if gap.is_some() {
            return Ok(Replay { gap, events: Vec::new(), next: None, head, log_start });
        }
        let (sent, next) = self.sent_from(first, bounds)?;
        let mut events: Vec<_> = sent.into_iter().map(InboxEvent::Sent).collect();
        let changes = self.changes_in(first..next.unwrap_or(END), changes)?;
        events.extend(changes.into_iter().map(InboxEvent::Changed));
        events.sort_by_key(InboxEvent::offset);
        Ok(Replay { gap, events, next, head, log_start })
    }

    /// Notifications that came from an offset on, the oldest first, and where the next one lies.
    fn sent_from(
        &self,
        first: Offset,
        bounds: ReplayBounds,
    ) -> Result<(Vec<Entry>, Option<Offset>), InboxError> {
        let (mut sent, mut bytes) = (Vec::new(), 0);
        let mut block: Option<BlockRow> = None;
        for stored in self.sight().entries_up(first.max(self.floor)..END) {
            let stored = stored?;
            let offset = stored.offset;
            if sent.len() >= bounds.limit || bytes >= bounds.max_bytes {
                return Ok((sent, Some(offset)));
            }
            if block.as_ref().is_none_or(|block| block.last < offset) {
                block = self.sight().block_at(offset)?;
            }
            let entry = self.entry(stored, block.as_ref().map_or(&[], |block| &block.changes))?;
            bytes += entry.json.len();
            sent.push(entry);
        }
        Ok((sent, None))
    }

    fn changes_in(
        &self,
        range: Range<Offset>,
        pending: IndexRows,
    ) -> Result<Vec<RecentChange>, InboxError> {
        let mut changes = Vec::new();
        let keys = index::change_keys_from(self.scan.user, range.start);
        let stored = self.scan.snapshot.range(&self.scan.spaces.index, keys);
        for row in index::with(stored, pending) {
            let (key, row) =
                row.map_err(InboxError::failed(self.scan.partition, "read a change"))?;
            let offset = index::offset_of_change_key(&key).ok_or(self.scan.unreadable(INDEX))?;
            if offset >= range.end {
                break;
            }
            changes.push(RecentChange::read(offset, &row).ok_or(self.scan.unreadable(INDEX))?);
        }
        Ok(changes)
    }

    fn sight(&self) -> Sight<'_> {
        Sight { scan: self.scan, overlay: &self.overlay }
    }

    fn entry(&self, stored: Stored, changes: &[BlockChange]) -> Result<Entry, InboxError> {
        let state = stored.state.under(changes);
        Entry::of(stored, state).ok_or(self.scan.unreadable(ENTRIES))
    }
}

impl<'q> Filling<'q> {
    fn new(query: &'q Query, head: &HeadRow) -> Self {
        // Of one moment: what a page before this one saw may have changed since.
        let wanted = match query.status {
            Status::Unread if query.before.is_none() => Some(head.unread_count),
            Status::All if query.before.is_none() => Some(head.total_count),
            Status::Unread | Status::All | Status::Inbox | Status::Read | Status::Archived => None,
        };
        Self {
            query,
            before: query.before.unwrap_or(END),
            entries: Vec::new(),
            bytes: 0,
            left: MAX_LOOKED_AT,
            wanted,
        }
    }

    fn is_wanted(&self, state: &EntryState) -> bool {
        self.query.status.includes(state.read_at.is_some(), state.archived_at.is_some())
    }

    fn is_in_time(&self, header: &EntryHeader) -> bool {
        let at = header.created_at;
        self.query.since.is_none_or(|since| at >= since)
            && self.query.until.is_none_or(|until| at < until)
    }

    /// Whether it has the tag and the sender that are asked for.
    fn is_meant(&self, stored: &Stored) -> bool {
        let Query { tag, from, .. } = self.query;
        if tag.is_none() && from.is_none() {
            return true;
        }
        let json = EntryHeader::read(&stored.row).map(|(_, json)| json).unwrap_or_default();
        // The store holds what our own writer wrote, so it can be read again.
        let Ok(labels) = serde_json::from_slice::<Labels>(json) else { return false };
        let has_tag = tag.as_ref().is_none_or(|tag| labels.tags.contains(tag));
        let has_sender = from.as_ref().is_none_or(|from| labels.from.id.as_ref() == Some(from));
        has_tag && has_sender
    }

    fn is_full(&self) -> bool {
        self.entries.len() >= self.query.limit || self.bytes >= self.query.max_bytes
    }

    fn take(&mut self, entry: Entry) {
        self.bytes += entry.json.len();
        self.entries.push(entry);
    }

    /// Counts what was looked at. The next page, if this is the end, has entries below `offset`.
    fn charge(&mut self, offset: Offset) -> Step {
        self.left = self.left.saturating_sub(1);
        if self.left == 0 { Step::Ends(offset) } else { Step::On }
    }

    /// So many of the wanted state are behind; true: these were the last.
    fn passes(&mut self, entries: u64) -> bool {
        let Some(wanted) = &mut self.wanted else { return false };
        *wanted = wanted.saturating_sub(entries);
        *wanted == 0
    }
}

/// What filters look at in a notification's JSON.
#[derive(Deserialize)]
struct Labels {
    from: SenderId,
    #[serde(default)]
    tags: Vec<String>,
}

#[derive(Deserialize)]
struct SenderId {
    #[serde(default)]
    id: Option<UserId>,
}

/// Behind every offset.
const END: Offset = Offset(i64::MAX);
