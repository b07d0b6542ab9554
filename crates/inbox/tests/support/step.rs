//! What a history is made of.

/// What happens to a store.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// The next so many items are applied; so many before them are given once more.
    Apply {
        new: usize,
        again: usize,
    },
    /// A part of what was applied comes once more, and nothing else.
    Replay {
        from_permille: usize,
        items: usize,
    },
    /// What is pending is stored.
    Store,
    /// What is pending begins to be stored.
    BeginStore,
    /// What began to be stored is.
    FinishStore,
    /// `next_offset` moves over offsets that hold no record.
    Gap,
    /// Effects are seen to, and then removed if nothing comes between.
    Drain {
        max_bytes: usize,
        is_removed: bool,
    },
    Reopen,
    /// The folder is deleted; how far effects were seen to is known elsewhere, or is lost too.
    Lose {
        knows_progress: bool,
    },
    /// The writer finds another log: everything anew.
    Reset,
    /// Retention cuts the log where this share of what was applied ends.
    Retain {
        permille: usize,
    },
    /// So many steps of a sweep, of so many rows.
    Sweep {
        steps: usize,
        max_rows: usize,
    },
    /// The folder as `kill -9` leaves it; with a tail of the journal missing, as a power loss may.
    Crash {
        cut_permille: usize,
    },
}
