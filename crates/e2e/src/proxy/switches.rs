//! What a proxy is told to do now.

use super::Direction;

/// What is done with the bytes of a direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Flow {
    #[default]
    Passing,
    Stalled,
    Lost,
}

/// All switches of a proxy, seen at once by all of its connections.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Switches {
    /// How often everything was cut: a connection ends when there are more than when it began.
    pub(super) cuts: u64,
    pub(super) refuses: bool,
    pub(super) to_broker: Flow,
    pub(super) to_client: Flow,
    pub(super) bytes_per_second: Option<u32>,
}

impl Switches {
    pub(super) fn flow(&self, direction: Direction) -> Flow {
        match direction {
            Direction::ToBroker => self.to_broker,
            Direction::ToClient => self.to_client,
        }
    }

    pub(super) fn flow_mut(&mut self, direction: Direction) -> &mut Flow {
        match direction {
            Direction::ToBroker => &mut self.to_broker,
            Direction::ToClient => &mut self.to_client,
        }
    }
}
