//! What a node runs, when several share the work.

use std::fmt;
use std::str::FromStr;

/// What a node runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeRole {
    /// Everything.
    All,
    /// The API and its pushes. Views and processes are other nodes' work.
    Api,
    /// Views and processes. It listens for health, metrics and the pages of problems only.
    Worker,
}

impl NodeRole {
    /// Its name in the settings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Api => "api",
            Self::Worker => "worker",
        }
    }

    /// Whether it serves the API.
    pub const fn serves(self) -> bool {
        match self {
            Self::All | Self::Api => true,
            Self::Worker => false,
        }
    }

    /// Whether it takes shares of the work.
    pub const fn works(self) -> bool {
        match self {
            Self::All | Self::Worker => true,
            Self::Api => false,
        }
    }
}

impl FromStr for NodeRole {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = [Self::All, Self::Api, Self::Worker];
        let named = known.into_iter().find(|role| role.name() == text);
        named.ok_or_else(|| "one of all, api, worker".to_owned())
    }
}

/// As in the settings, also in what a node logs.
impl fmt::Display for NodeRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_shown_as_it_is_set() {
        for name in ["all", "api", "worker"] {
            assert_eq!(name.parse::<NodeRole>().unwrap().to_string(), name);
        }
        assert!("Worker".parse::<NodeRole>().is_err());
    }
}
