//! The one shape of every aggregate: an initial state, a decision, an evolution.
//!
//! Both functions are pure and total. `decide` answers facts or one refusal; `evolve` never fails
//! and never refuses history. Time, ids and money arrive inside the command. Replay, audit,
//! simulation and tests are therefore the same function call.

/// An aggregate's state. `Default` is the initial one: nothing has happened yet.
pub trait Decider: Default + Sized {
    /// What one may ask of it.
    type Command;
    /// What may have happened to it.
    type Event;
    /// Why it said no. A value, not a failure.
    type Refusal;

    /// The facts that follow from `command` in this state, or the reason why none do.
    /// No fact at all means: it is already so.
    fn decide(&self, command: &Self::Command) -> Result<Vec<Self::Event>, Self::Refusal>;

    /// The state after `event`.
    #[must_use]
    fn evolve(self, event: &Self::Event) -> Self;
}

/// Folds history, oldest event first.
pub fn replay<'a, D>(events: impl IntoIterator<Item = &'a D::Event>) -> D
where
    D: Decider,
    D::Event: 'a,
{
    events.into_iter().fold(D::default(), D::evolve)
}
