//! How much is measured: a size that takes seconds and checks the counts, and one for judging.

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    /// Whether it is large enough to say of a goal that it is met or missed.
    pub(crate) judges: bool,
    /// Interleaved rounds against a reference.
    pub(crate) rounds: u32,
    /// Appends in a round.
    pub(crate) appends: u32,
    /// Commands on distinct slots in a round.
    pub(crate) commands: u32,
    /// Slots of 200 places that everybody wants, in a round.
    pub(crate) hot_slots: u32,
    /// Takes, returns and refusals on one slot, in a round.
    pub(crate) hot_commands: u32,
    /// Mixed commands on one class.
    pub(crate) mixed: u32,
    /// The log that is replayed and projected has at least so many events.
    pub(crate) events: u64,
    /// Events of a short log in PostgreSQL.
    pub(crate) short: u64,
    /// Events of a long one.
    pub(crate) long: u64,
    /// Events of the log that a node is started on.
    pub(crate) longest: u64,
    /// Holds whose views are waited for.
    pub(crate) watched: u32,
    /// Holds over HTTP under load.
    pub(crate) holds: u32,
    /// Holds over HTTP by one idle client, and searches for free times.
    pub(crate) alone: u32,
    /// Sockets on one topic.
    pub(crate) sockets: u32,
    /// Changes that they are told at a steady pace.
    pub(crate) steady: u32,
    /// Changes that they are told as fast as the node goes.
    pub(crate) flat_out: u32,
    /// Sockets that never read.
    pub(crate) deaf: u32,
    /// Changes that the views publish meanwhile.
    pub(crate) changes: u32,
}

pub(crate) const CI: Size = Size {
    judges: false,
    rounds: 3,
    appends: 3_200,
    commands: 1_280,
    hot_slots: 2,
    hot_commands: 3_200,
    mixed: 4_000,
    events: 20_000,
    short: 2_000,
    long: 10_000,
    longest: 10_000,
    watched: 640,
    holds: 2_000,
    alone: 200,
    sockets: 100,
    steady: 120,
    flat_out: 200,
    deaf: 20,
    changes: 8_000,
};
pub(crate) const FULL: Size = Size {
    judges: true,
    rounds: 5,
    appends: 32_000,
    commands: 20_480,
    hot_slots: 20,
    hot_commands: 100_000,
    mixed: 20_000,
    events: 100_000,
    short: 20_000,
    long: 200_000,
    longest: 1_000_000,
    watched: 20_480,
    holds: 20_000,
    alone: 1_000,
    sockets: 1_000,
    steady: 360,
    flat_out: 300,
    deaf: 500,
    changes: 100_000,
};

impl Size {
    /// What is said about a goal.
    pub(crate) const fn verdict(self, noisy: bool, met: bool) -> &'static str {
        match (self.judges, noisy, met) {
            (false, _, _) => "none: judged at size full only",
            (true, true, _) => "none: noisy",
            (true, false, true) => "met",
            (true, false, false) => "missed",
        }
    }
}
