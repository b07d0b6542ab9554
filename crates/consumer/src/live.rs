//! Live push: what is folded is told to the streams of its user.

mod hub;
mod queue;
mod stream;
mod telling;
mod turns;

pub(crate) use hub::{Hub, NotAdmitted};
pub(crate) use stream::{Beginning, EndOfStream, EventStream, NotOpened};
pub(crate) use telling::{Format, GapReason};
pub(crate) use turns::Turns;
