//! Numbers that look random and are the same on each run: a failing test is run again with the
//! seed it printed.

/// A sequence that its seed determines.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// From a seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number (`SplitMix64`).
    pub const fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `sides`.
    pub const fn below(&mut self, sides: u64) -> u64 {
        self.roll().checked_rem(sides).expect("dice have sides")
    }

    /// One of these.
    #[track_caller]
    pub fn one_of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        let sides = u64::try_from(choices.len()).unwrap();
        &choices[usize::try_from(self.below(sides)).unwrap()]
    }
}
