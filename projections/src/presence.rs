//! How workers show one another that they live, and what they could do: by a lease of their own,
//! whose name says so.

use std::collections::BTreeMap;

use crate::leases::Lease;

/// As what a worker shows itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Presence {
    /// It does its part, and could keep the views.
    Able,
    /// It does its part of the processes, and could not keep the views.
    Bystander,
    /// It lives, and gets nothing done.
    Stalled,
}

impl Presence {
    /// The least able last: what is true of one who shows two, because it is just changing.
    const ALL: [Self; 3] = [Self::Able, Self::Bystander, Self::Stalled];

    /// What its lease is called, before the worker's name.
    const fn prefix(self) -> &'static str {
        match self {
            Self::Able => "worker/",
            Self::Bystander => "bystander/",
            Self::Stalled => "stalled/",
        }
    }

    /// How the names of all leases of presence begin, and of no others.
    pub(crate) fn prefixes() -> [&'static str; 3] {
        Self::ALL.map(Self::prefix)
    }

    /// The name of this worker's lease of presence.
    pub(crate) fn lease(self, holder: &str) -> String {
        format!("{}{holder}", self.prefix())
    }

    /// All that a worker may have.
    pub(crate) fn leases(holder: &str) -> [String; 3] {
        Self::ALL.map(|presence| presence.lease(holder))
    }
}

/// The workers among leases that stand.
pub fn workers(standing: &[Lease]) -> BTreeMap<&str, Presence> {
    let named = |presence: Presence| {
        let names = standing.iter().map(|lease| lease.name.as_str());
        let names = names.filter_map(move |name| name.strip_prefix(presence.prefix()));
        names.map(move |holder| (holder, presence))
    };
    Presence::ALL.into_iter().flat_map(named).collect()
}

/// Whether a lease is one of presence, not of work.
pub fn is_presence(name: &str) -> bool {
    Presence::ALL.iter().any(|presence| name.starts_with(presence.prefix()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn workers_are_counted_once_and_as_the_least_they_say() {
        let remaining = Duration::from_secs(3);
        let lease = |name: String| Lease { name, holder: String::new(), fence: 1, remaining };
        let names = [
            Presence::Stalled.lease("d"),
            Presence::Able.lease("a"),
            Presence::Bystander.lease("b/1"),
            Presence::Bystander.lease("c"),
            Presence::Able.lease("c"),
            "views".to_owned(),
        ];
        let standing: Vec<_> = names.into_iter().map(lease).collect();
        let expected = [
            ("a", Presence::Able),
            ("b/1", Presence::Bystander),
            ("c", Presence::Bystander),
            ("d", Presence::Stalled),
        ];
        assert_eq!(workers(&standing), BTreeMap::from(expected));
        assert_eq!(standing.iter().filter(|lease| is_presence(&lease.name)).count(), 5);
    }
}
