//! How far an import is, for whoever watches.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanDuration, ProgressBar, ProgressStyle};

use crate::output::note;
use crate::text::harmless;

/// How often a line is said where there is no terminal.
const PERIOD: Duration = Duration::from_secs(5);

/// How many failures are shown as they happen; the file has all.
const SHOWN_FAILURES: u64 = 5;

/// How far it is: a bar on a terminal, else a line from time to time.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    total_bytes: Option<u64>,
    began: Instant,
    /// Where this run began, which its speed is counted from.
    first_offset: u64,
    said: Instant,
    failures: u64,
}

/// How far it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reached {
    pub(super) lines: u64,
    pub(super) offset: u64,
    pub(super) failed: u64,
}

impl Progress {
    pub(super) fn new(total_bytes: Option<u64>, first_offset: u64) -> Self {
        let bar = io::stderr().is_terminal().then(|| bar(total_bytes, first_offset));
        let now = Instant::now();
        Self { bar, total_bytes, began: now, first_offset, said: now, failures: 0 }
    }

    /// Shows how far it is, if it is time to.
    pub(super) fn show(&mut self, reached: Reached) {
        if let Some(bar) = &self.bar {
            bar.set_position(reached.offset);
            bar.set_message(lines(reached));
        } else if self.said.elapsed() >= PERIOD {
            self.said = Instant::now();
            note(&self.sentence(reached));
        }
    }

    /// Says something beside the bar.
    pub(super) fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.println(harmless(line)),
            None => note(line),
        }
    }

    /// Shows the first failures.
    pub(super) fn failed(&mut self, sentence: &str) {
        self.failures += 1;
        if self.failures <= SHOWN_FAILURES {
            self.say(sentence);
        }
    }

    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn sentence(&self, reached: Reached) -> String {
        let done = reached.offset.saturating_sub(self.first_offset);
        let seconds = self.began.elapsed().as_secs_f64().max(0.001);
        let a_second = done as f64 / seconds;
        let of = self.total_bytes.map(|total| format!(" of {}", HumanBytes(total)));
        let mut sentence = format!(
            "{}, {}{} at {}/s",
            lines(reached),
            HumanBytes(reached.offset),
            of.unwrap_or_default(),
            HumanBytes(a_second as u64)
        );
        if let Some(total) = self.total_bytes
            && a_second > 0.0
        {
            let left = total.saturating_sub(reached.offset) as f64 / a_second;
            // A year is enough of a warning, and no duration overflows.
            let left = HumanDuration(Duration::from_secs_f64(left.min(86_400.0 * 365.0)));
            sentence.push_str(&format!(", {left} left"));
        }
        sentence
    }
}

fn lines(reached: Reached) -> String {
    match reached.failed {
        0 => format!("{} lines", reached.lines),
        failed => format!("{} lines, {failed} failed", reached.lines),
    }
}

fn bar(total_bytes: Option<u64>, first_offset: u64) -> ProgressBar {
    let (bar, template) = match total_bytes {
        Some(total) => (
            ProgressBar::new(total),
            "{wide_bar} {bytes}/{total_bytes} {msg} {bytes_per_sec} {eta} left",
        ),
        None => (ProgressBar::no_length(), "{spinner} {bytes} {msg} {bytes_per_sec} {elapsed}"),
    };
    // A template that cannot be read leaves the library's own.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_position(first_offset);
    bar.reset_eta();
    bar
}

/// Shows that a large file is being read to find out what it contains.
pub(super) struct Hashing {
    bar: Option<ProgressBar>,
}

/// From which size on it takes long enough to be shown.
const LARGE_BYTES: u64 = 256 * 1024 * 1024;

impl Hashing {
    pub(super) fn new(bytes: u64) -> Self {
        let is_shown = bytes >= LARGE_BYTES && io::stderr().is_terminal();
        let bar = is_shown.then(|| {
            let bar = bar(Some(bytes), 0);
            bar.set_message("looked at");
            bar
        });
        Self { bar }
    }

    pub(super) fn seen(&self, bytes: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(bytes);
        }
    }

    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
