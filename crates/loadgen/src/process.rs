//! What a process has used, as Linux tells it (proc(5)).

use std::fs;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, bail};

/// A process that is watched, and the name to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Watched {
    pub(crate) name: String,
    pub(crate) pid: u32,
}

/// What a process has used until now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Processor time, user and system, all threads.
    pub(crate) cpu: Duration,
    /// Resident memory.
    pub(crate) memory_bytes: u64,
    /// The most that was resident since the process started.
    pub(crate) peak_memory_bytes: u64,
}

/// Length of a clock tick in `/proc`: `USER_HZ` is 100 on every architecture Rust runs on.
const TICK: Duration = Duration::from_millis(10);

impl Watched {
    /// This process.
    pub(crate) fn own() -> Self {
        Self { name: "loadgen".to_owned(), pid: std::process::id() }
    }

    /// What it has used until now.
    ///
    /// # Errors
    /// There is no such process, or this is not Linux.
    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        let read = |file| {
            let path = format!("/proc/{}/{file}", self.pid);
            fs::read_to_string(&path).with_context(|| format!("cannot watch {}: {path}", self.name))
        };
        let cpu = cpu(&read("stat")?);
        let status = read("status")?;
        let (memory, peak) = (kilobytes(&status, "VmRSS:"), kilobytes(&status, "VmHWM:"));
        let (Some(cpu), Some(memory), Some(peak)) = (cpu, memory, peak) else {
            bail!("cannot watch {}: process {} has ended", self.name, self.pid);
        };
        Ok(Usage { cpu, memory_bytes: memory * 1024, peak_memory_bytes: peak * 1024 })
    }
}

/// `NAME=PID`.
impl FromStr for Watched {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let expected = "write NAME=PID, such as producer=1234";
        let (name, pid) = text.split_once('=').ok_or(expected)?;
        let pid = pid.parse().map_err(|_| expected)?;
        if name.is_empty() || pid == 0 {
            return Err(expected);
        }
        Ok(Self { name: name.to_owned(), pid })
    }
}

/// `utime` and `stime` of `/proc/PID/stat`, fields 14 and 15.
fn cpu(stat: &str) -> Option<Duration> {
    // The second field is the program's name in parentheses, which may hold anything, also those.
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    Some(TICK * user + TICK * system)
}

/// A line of `/proc/PID/status` that is an amount of memory.
fn kilobytes(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_found_behind_any_name() {
        for name in ["loadgen", "a b", "a) R 1 2", ""] {
            let stat = format!("42 ({name}) S 1 42 42 0 -1 4194560 900 0 3 0 250 17 8 9 20 0 4 0");
            assert_eq!(cpu(&stat), Some(Duration::from_millis(2_670)), "{name}");
        }
        for stat in ["", "42 (x)", "42 (x) S 1 42 42 0 -1 4194560 900 0 3 0 250"] {
            assert_eq!(cpu(stat), None, "{stat}");
        }
    }

    #[test]
    fn memory_is_found_by_name() {
        let status = "Name:\tloadgen\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";
        assert_eq!(kilobytes(status, "VmRSS:"), Some(1024));
        assert_eq!(kilobytes(status, "VmHWM:"), Some(2048));
        assert_eq!(kilobytes("Name:\tloadgen\nState:\tZ (zombie)\n", "VmRSS:"), None);
    }

    #[test]
    fn this_process_can_be_watched() {
        let usage = Watched::own().usage().unwrap();
        assert!(usage.memory_bytes > 0 && usage.peak_memory_bytes >= usage.memory_bytes);
        let nobody = Watched { name: "nobody".to_owned(), pid: u32::MAX };
        assert!(nobody.usage().unwrap_err().to_string().starts_with("cannot watch nobody"));
    }

    #[test]
    fn a_process_is_named_with_its_number() {
        let producer = Watched { name: "producer".to_owned(), pid: 12 };
        assert_eq!("producer=12".parse(), Ok(producer));
        for text in ["12", "=12", "producer=", "producer=0", "producer=-1", "producer=x"] {
            assert!(text.parse::<Watched>().is_err(), "{text}");
        }
    }
}
