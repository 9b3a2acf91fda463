//! Which views there are in a store: their generations, what each is for, and how far they are.
//!
//! Documents belong to a *generation*: one filling of one version of a view. The active generations
//! advance together, in one transaction per page, from one checkpoint. A generation that is being
//! built, or that was replaced, has a checkpoint of its own.

use std::collections::BTreeSet;

use holdfast_domain::ids::Epoch;
use holdfast_domain::log::{Hash, Position};

/// How far a fold is, and by what it recognises the log it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// The last event that was folded.
    pub position: Position,
    /// The life of the log it was read from.
    pub epoch: Epoch,
    /// The link of that event; zero before the first.
    pub hash: Hash,
}

/// The number of a generation, unique in its store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GenerationId(pub u64);

/// What a generation is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum GenerationState {
    /// It is being filled and read by nobody.
    Building,
    /// It is what readers see.
    Active,
    /// It was replaced, and can be taken back.
    Retired,
}

impl GenerationState {
    /// Its stored name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Building => "building",
            Self::Active => "active",
            Self::Retired => "retired",
        }
    }

    /// The state of that stored name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Building, Self::Active, Self::Retired].into_iter().find(|state| state.name() == name)
    }
}

/// One filling of one version of a view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generation {
    /// Its number.
    pub id: GenerationId,
    /// The view's name.
    pub view: String,
    /// The view's version.
    pub version: u32,
    /// What it is for.
    pub state: GenerationState,
    /// How far it is; of an active one, that is the registry's checkpoint.
    pub checkpoint: Option<Checkpoint>,
}

/// What a store holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Registry {
    /// Counts the changes of the registry: who computed with an older one may not commit.
    pub revision: u64,
    /// How far the active generations are; none before the first page.
    pub live: Option<Checkpoint>,
    /// Every generation, by its number.
    pub generations: Vec<Generation>,
}

impl Registry {
    /// The generation that readers of the view see.
    pub fn active(&self, view: &str) -> Option<&Generation> {
        self.generations
            .iter()
            .find(|known| known.view == view && known.state == GenerationState::Active)
    }

    /// Whether readers see the same generations in both.
    pub fn shows_same(&self, other: &Self) -> bool {
        let shown = |registry: &Self| -> BTreeSet<GenerationId> {
            let known = registry.generations.iter();
            known.filter(|one| one.state == GenerationState::Active).map(|one| one.id).collect()
        };
        shown(self) == shown(other)
    }

    /// The generation of that number.
    pub fn generation(&self, id: GenerationId) -> Option<&Generation> {
        self.generations.iter().find(|known| known.id == id)
    }

    /// How far the active generations are.
    pub fn position(&self) -> Position {
        self.live.map_or(Position::START, |checkpoint| checkpoint.position)
    }
}

/// A change of the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Alteration {
    /// A new, empty generation to be built.
    Build {
        /// The view's name.
        view: String,
        /// The view's version.
        version: u32,
    },
    /// A generation takes over what readers see; the one before it retires. Allowed only where both
    /// are at the same checkpoint. Subscribers have to read again.
    Activate {
        /// Which takes over.
        generation: GenerationId,
        /// The checkpoint at which the two were compared.
        at: Option<Checkpoint>,
    },
    /// What readers see of a view retires without a successor: this build does not fold it.
    Retire {
        /// Which.
        generation: GenerationId,
    },
    /// A generation that nobody reads goes, with its documents.
    Drop {
        /// Which.
        generation: GenerationId,
    },
    /// Everything goes: the generations with their documents, the checkpoint and the changes for
    /// subscribers, because they follow another log. Whoever keeps the views next fills them from the
    /// start of the log. The numbers of generations and revisions go on.
    Clear,
}
