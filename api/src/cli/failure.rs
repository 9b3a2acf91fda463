//! How a command ends without success, and which exit code says so. Errors of the parts are sorted
//! here, once, so that the same trouble has the same code in every command.

use holdfast_domain::log::ReadError;
use holdfast_eventlog::{OpenError, kurrentdb, postgres};
use holdfast_postgres::{AddressError, DatabaseError};
use holdfast_projections::follower::FollowError;
use holdfast_projections::ports::StoreError;
use holdfast_projections::rebuild::RebuildError;

use crate::keys::KeyError;
use crate::stores::StoresError;

/// How a command ended without success. The text is shown to a person.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It did not work.
    #[error("{0}")]
    Failed(String),
    /// It was asked wrongly, or configured wrongly.
    #[error("{0}")]
    Usage(String),
    /// What was verified is not as it should be.
    #[error("{0}")]
    Verification(String),
    /// Something is in the way: a conflict, an unmet precondition.
    #[error("{0}")]
    Conflict(String),
    /// A store or a service cannot be reached.
    #[error("{0}")]
    Unavailable(String),
    /// Somebody pressed Ctrl-C.
    #[error("interrupted")]
    Interrupted,
    /// Who read the output has gone, as `head` does. Nobody wants to hear about it.
    #[error("nobody reads the output any more")]
    Unread,
}

impl Failure {
    /// The exit code, as the help documents it.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::Verification(_) => 3,
            Self::Conflict(_) => 4,
            Self::Unavailable(_) => 5,
            Self::Interrupted => 130,
            Self::Unread => 141,
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(why: std::io::Error) -> Self {
        if why.kind() == std::io::ErrorKind::BrokenPipe {
            return Self::Unread;
        }
        Self::Failed(why.to_string())
    }
}

impl From<serde_json::Error> for Failure {
    fn from(why: serde_json::Error) -> Self {
        if why.io_error_kind() == Some(std::io::ErrorKind::BrokenPipe) {
            return Self::Unread;
        }
        Self::Failed(why.to_string())
    }
}

impl From<crate::config::ConfigError> for Failure {
    fn from(why: crate::config::ConfigError) -> Self {
        Self::Usage(why.to_string())
    }
}

impl From<KeyError> for Failure {
    fn from(why: KeyError) -> Self {
        match why {
            KeyError::File { .. } => Self::Unavailable(why.to_string()),
            KeyError::Exposed(_) | KeyError::NotAKey { .. } => Self::Failed(why.to_string()),
        }
    }
}

impl From<OpenError> for Failure {
    fn from(why: OpenError) -> Self {
        match why {
            OpenError::InUse { .. } | OpenError::OtherShape { .. } => {
                Self::Conflict(why.to_string())
            }
            OpenError::Absent { .. } | OpenError::Folder { .. } | OpenError::Store(_) => {
                Self::Unavailable(why.to_string())
            }
            OpenError::NotDurable { .. } | OpenError::Migration(_) | OpenError::Damaged(_) => {
                Self::Failed(why.to_string())
            }
        }
    }
}

impl From<postgres::OpenError> for Failure {
    fn from(why: postgres::OpenError) -> Self {
        use postgres::OpenError;
        match why {
            OpenError::InUse { .. } | OpenError::OtherShape { .. } => {
                Self::Conflict(why.to_string())
            }
            OpenError::Absent { .. }
            | OpenError::Database(DatabaseError::NoPrimary { .. } | DatabaseError::Refused(_))
            | OpenError::Store(_) => Self::Unavailable(why.to_string()),
            OpenError::Address(_) => Self::Usage(why.to_string()),
            OpenError::Database(DatabaseError::NotDurable(_) | DatabaseError::NoSchema { .. })
            | OpenError::Migration(_)
            | OpenError::Damaged(_) => Self::Failed(why.to_string()),
        }
    }
}

impl From<kurrentdb::OpenError> for Failure {
    fn from(why: kurrentdb::OpenError) -> Self {
        use kurrentdb::OpenError;
        match why {
            OpenError::Renewed => Self::Conflict(why.to_string()),
            OpenError::Absent { .. } | OpenError::Unread(_) | OpenError::Unclear(_) => {
                Self::Unavailable(why.to_string())
            }
            OpenError::Address(_) => Self::Usage(why.to_string()),
            OpenError::Damaged(_) => Self::Failed(why.to_string()),
        }
    }
}

impl From<AddressError> for Failure {
    fn from(why: AddressError) -> Self {
        Self::Usage(why.to_string())
    }
}

impl From<StoresError> for Failure {
    fn from(why: StoresError) -> Self {
        match why {
            StoresError::Sqlite(why) => why.into(),
            StoresError::Postgres(why) => why.into(),
            StoresError::Unread(why) => why.into(),
            StoresError::Away { why: ReadError::Unavailable(_), .. }
            | StoresError::Both { why: StoreError::Unavailable(_), .. } => {
                Self::Unavailable(why.to_string())
            }
            StoresError::Away {
                why: ReadError::UnknownEvent { .. } | ReadError::Malformed { .. },
                ..
            }
            | StoresError::Both { why: StoreError::Damaged(_), .. } => {
                Self::Failed(why.to_string())
            }
            StoresError::Both { why: StoreError::Moved | StoreError::Refused(_), .. } => {
                Self::Conflict(why.to_string())
            }
            StoresError::Views(why) => why.into(),
            StoresError::Address(why) => why.into(),
            StoresError::Redis(why) => Self::Usage(why.to_string()),
            StoresError::KurrentDb(why) => Self::Usage(why.to_string()),
        }
    }
}

impl From<ReadError> for Failure {
    fn from(why: ReadError) -> Self {
        match why {
            ReadError::Unavailable(_) => Self::Unavailable(why.to_string()),
            ReadError::UnknownEvent { .. } | ReadError::Malformed { .. } => {
                Self::Failed(why.to_string())
            }
        }
    }
}

impl From<StoreError> for Failure {
    fn from(why: StoreError) -> Self {
        match why {
            StoreError::Unavailable(_) => Self::Unavailable(why.to_string()),
            StoreError::Moved | StoreError::Refused(_) => Self::Conflict(why.to_string()),
            StoreError::Damaged(_) => Self::Failed(why.to_string()),
        }
    }
}

impl From<FollowError> for Failure {
    fn from(why: FollowError) -> Self {
        match why {
            FollowError::Log(why) => why.into(),
            FollowError::Store(why) => why.into(),
            FollowError::AnotherLog(_) | FollowError::Ahead(_) => Self::Conflict(why.to_string()),
            FollowError::TooManyParked(_) => Self::Failed(why.to_string()),
        }
    }
}

impl From<RebuildError> for Failure {
    fn from(why: RebuildError) -> Self {
        match why {
            RebuildError::Follow(why) => why.into(),
            RebuildError::Stopped => Self::Interrupted,
            RebuildError::NoGeneration(_) | RebuildError::Parked(_) | RebuildError::NeverStill => {
                Self::Conflict(why.to_string())
            }
        }
    }
}
