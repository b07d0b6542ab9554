//! What a process takes of the machine, where the system tells (Linux).

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// Memory of a process.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// Resident now.
    pub resident_kib: u64,
    /// The most that was.
    pub peak_kib: u64,
}

/// The memory of the process with this number.
///
/// # Errors
/// There is no such process, or the system does not tell.
pub fn memory(id: u32) -> Result<Memory> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let kib = |field: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        let number = line.and_then(|line| line.split_whitespace().next());
        number.with_context(|| format!("no {field}"))?.parse::<u64>().context("a number")
    };
    Ok(Memory { resident_kib: kib("VmRSS:")?, peak_kib: kib("VmHWM:")? })
}

/// What the process with this number has used of processors so far, in the kernel's ticks of 10 ms.
///
/// # Errors
/// There is no such process, or the system does not tell.
pub fn processor_time(id: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat"))?;
    // Behind the name, which may have any characters.
    let (_, fields) = stat.rsplit_once(')').context("no name in stat")?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut ticks = || fields.next().context("no time in stat")?.parse::<u64>().context("a number");
    Ok(Duration::from_millis(10 * (ticks()? + ticks()?)))
}
