//! How fast a partition is folded, what it takes of memory and disk, and how long a page takes.
//!
//! `cargo run --release -p inbox --example ingest -- [records] [batch] [partitions] [v5]`
//!
//! Only the time inside `apply` counts; making the records does not. Ids are version 7, or with
//! `v5` spread over the whole range, as those of plain records are. The store is made in a folder
//! below the system's for temporary files and removed afterwards.
#![allow(clippy::print_stdout)]

use std::time::{Duration, Instant};

use inbox::{Batch, PartitionInbox, Query, Store, StoreConfig};
use models::{
    Notification, NotificationId, Offset, Partition, Record, Sent, Timestamp, TopicId, User, UserId,
};
use uuid::Uuid;

const USERS: u64 = 10_000;
/// Makes an entry of 236 bytes.
const MESSAGE_BYTES: usize = 120;

type Outcome = Result<(), Box<dyn std::error::Error>>;

struct Plan {
    records: u64,
    batch: u64,
    partitions: i32,
    is_v5: bool,
}

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |i: usize| arguments.get(i).and_then(|text| text.parse::<u64>().ok());
    let plan = Plan {
        records: number(0).unwrap_or(1_000_000),
        batch: number(1).unwrap_or(5_000).max(1),
        partitions: number(2).and_then(|n| n.try_into().ok()).unwrap_or(1).max(1),
        is_v5: arguments.iter().any(|argument| argument == "v5"),
    };
    let folder = tempfile::tempdir()?;
    let store = Store::open(folder.path(), &StoreConfig::default())?;
    ingest(&plan, &store)?;
    println!("disk {} MiB", disk_bytes(folder.path())? >> 20);
    store.persist()?;
    drop(store);
    let start = Instant::now();
    let store = Store::open(folder.path(), &StoreConfig::default())?;
    println!("open again {:.2} s", start.elapsed().as_secs_f64());
    print_memory("after opening again");
    read(&plan, &store)
}

fn ingest(plan: &Plan, store: &Store) -> Outcome {
    let mut inboxes: Vec<PartitionInbox> = open(plan, store)?;
    let (mut offset, mut slowest, mut inside) = (0, Duration::ZERO, Duration::ZERO);
    let mut processor = Duration::ZERO;
    let start = Instant::now();
    while offset * (inboxes.len() as u64) < plan.records {
        let end = offset + plan.batch;
        for inbox in &mut inboxes {
            let records = (offset..end).map(|n| record(n, plan.is_v5)).collect::<Result<_, _>>()?;
            let batch = Batch { records, unreadable: Vec::new(), next_offset: place(end) };
            let (at, used) = (Instant::now(), processor_time());
            inbox.apply(batch, &|_| true)?;
            slowest = slowest.max(at.elapsed());
            inside += at.elapsed();
            processor += processor_time().saturating_sub(used);
        }
        offset = end;
    }
    let count = (offset * inboxes.len() as u64) as f64;
    println!(
        "{count} records in batches of {}, {} partitions: {:.0}/s (wall {:.1} s), slowest {:.0} ms",
        plan.batch,
        plan.partitions,
        count / inside.as_secs_f64(),
        start.elapsed().as_secs_f64(),
        slowest.as_secs_f64() * 1e3,
    );
    println!(
        "processor time of the writer: {:.2} us a record",
        processor.as_secs_f64() * 1e6 / count
    );
    print_memory("after ingest");
    Ok(())
}

/// What this thread has used of a processor, where the system tells (Linux): unlike the time that
/// passed, it is the same beside other work.
fn processor_time() -> Duration {
    let status = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = status.split(' ').next().and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.unwrap_or(0))
}

fn read(plan: &Plan, store: &Store) -> Outcome {
    let inboxes = open(plan, store)?;
    let Some(inbox) = inboxes.first() else { return Ok(()) };
    let reader = inbox.reader();
    for limit in [20, 1_000] {
        let mut times = Vec::new();
        for n in 0..2_000 {
            let user = user(n * 7_919 % USERS)?;
            let at = Instant::now();
            reader.page(&user, &Query::newest(limit))?;
            times.push(at.elapsed());
        }
        times.sort();
        let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or_default();
        println!("newest({limit}): p50 {:?}, p99 {:?}", at(50), at(99));
    }
    print_memory("after reading");
    Ok(())
}

fn open(plan: &Plan, store: &Store) -> Result<Vec<PartitionInbox>, inbox::InboxError> {
    let topic_id = TopicId(Uuid::from_u128(7));
    (0..plan.partitions).map(|n| store.partition(Partition(n), topic_id)).collect()
}

fn place(n: u64) -> Offset {
    Offset(i64::try_from(n).unwrap_or(i64::MAX))
}

fn user(n: u64) -> Result<UserId, models::InvalidUserId> {
    format!("{}", n + 1).parse()
}

fn record(n: u64, is_v5: bool) -> Result<(Offset, Record), Box<dyn std::error::Error>> {
    let to =
        User { id: user(n.wrapping_mul(6_364_136_223_846_793_005) % USERS)?, name: "Emma".into() };
    let from = User { id: user(n % 97)?, name: "Bruno".into() };
    let id = if is_v5 {
        NotificationId::of_foreign_event("bench", &Uuid::now_v7().to_string(), &to.id)
    } else {
        NotificationId::new()
    };
    let created_at = Timestamp::from_ms_clamped(1_800_000_000_000);
    let notification = Notification::plain(from, to, "x".repeat(MESSAGE_BYTES));
    Ok((place(n), Record::of_sent(&Sent { id, created_at, notification, fingerprint: None })?))
}

fn disk_bytes(folder: &std::path::Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for file in std::fs::read_dir(folder)? {
        let file = file?;
        bytes += match file.file_type()?.is_dir() {
            true => disk_bytes(&file.path())?,
            false => file.metadata()?.len(),
        };
    }
    Ok(bytes)
}

/// Resident memory, now and at most, where the system tells (Linux).
fn print_memory(when: &str) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    if let (Some(now), Some(most)) = (field("VmRSS:"), field("VmHWM:")) {
        println!("memory {when}: {now}, at most {most}");
    }
}
