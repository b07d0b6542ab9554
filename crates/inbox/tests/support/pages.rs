//! Ways to ask for pages.

use inbox::{Head, PartitionReader, Query, Status};
use models::{Timestamp, UserId};

use super::{Seen, seen, user_id};

/// Two of all the ways in which pages can be asked for; which, depends on `n`.
pub(crate) fn queries(n: usize) -> [Query; 2] {
    let all = [Status::Inbox, Status::Unread, Status::Read, Status::Archived, Status::All];
    let time = |n: usize| Some(Timestamp::from_ms_clamped(1_800_000_000_000 + n as i64));
    let filtered = Query {
        status: all[n % 5],
        since: [None, time(n % 17)][n % 2],
        until: [None, time(20 + n % 13)][n / 2 % 2],
        tag: [None, Some("a".to_owned())][usize::from(n.is_multiple_of(3))].clone(),
        from: [None, Some(user_id(1))][usize::from(n.is_multiple_of(4))].clone(),
        ..Query::newest(1 + n % 4)
    };
    [Query { status: all[n / 2 % 5], ..Query::newest(1 + n % 7) }, filtered]
}

/// What all pages show one after the other; each has the counts.
pub(crate) fn walk(
    reader: &PartitionReader,
    user: &UserId,
    mut query: Query,
    head: &Head,
) -> Vec<Seen> {
    let mut shown = Vec::new();
    loop {
        let page = reader.page(user, &query).unwrap();
        assert_eq!(page.head, *head);
        assert!(page.entries.len() <= query.limit);
        let is_full = page.entries.len() == query.limit;
        shown.extend(page.entries.iter().map(seen));
        let Some(next) = page.next else { return shown };
        // Few enough that no page gives up before it is full.
        assert!(is_full && query.before.is_none_or(|before| next < before));
        query.before = Some(next);
    }
}
