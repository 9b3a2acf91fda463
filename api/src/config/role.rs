//! What a node runs, when several share the work.

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
        match text {
            "all" => Ok(Self::All),
            "api" => Ok(Self::Api),
            "worker" => Ok(Self::Worker),
            _ => Err("one of all, api, worker".to_owned()),
        }
    }
}
