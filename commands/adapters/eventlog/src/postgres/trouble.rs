//! What went wrong with a statement, and what that means for what was asked.

use std::time::Duration;

use sqlx::postgres::{PgDatabaseError, PgSeverity};

use crate::store::StoreError;

/// Why a statement has no answer.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The server refused it, and the session goes on.
    Refused(Box<PgDatabaseError>),
    /// It was never sent.
    Unsent(String),
    /// The answer could not be understood.
    Garbled(String),
    /// The session is over, or nobody knows.
    Gone(String),
}

/// Waits for an answer, but not for ever.
pub(super) async fn in_time<T>(
    patience: Duration,
    asked: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, Trouble> {
    match tokio::time::timeout(patience, asked).await {
        Ok(answer) => answer.map_err(Trouble::from),
        Err(_late) => Err(Trouble::Gone(format!("no answer within {patience:?}"))),
    }
}

impl From<sqlx::Error> for Trouble {
    fn from(why: sqlx::Error) -> Self {
        let told = why.to_string();
        if matches!(why, sqlx::Error::Encode(_)) {
            return Self::Unsent(told);
        }
        if let sqlx::Error::Decode(_)
        | sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::RowNotFound = why
        {
            return Self::Garbled(told);
        }
        if let sqlx::Error::Database(refusal) = why
            && let Ok(refusal) = refusal.try_downcast::<PgDatabaseError>()
            // A session that was ended may have committed before.
            && refusal.severity() == PgSeverity::Error
        {
            return Self::Refused(refusal);
        }
        Self::Gone(told)
    }
}

impl Trouble {
    /// Whether the session can be used on.
    pub(super) fn leaves_session(&self) -> bool {
        match self {
            Self::Refused(refusal) => {
                // A server that has become a standby refuses too, and is to be left.
                matches!(refusal.code().get(..2), Some("22" | "23" | "40" | "54" | "55"))
            }
            Self::Unsent(_) => true,
            Self::Garbled(_) | Self::Gone(_) => false,
        }
    }

    /// What it means for a statement that does not commit.
    pub(super) fn unwritten(self) -> StoreError {
        match self.undecided() {
            StoreError::Lost(why) => StoreError::Busy(why),
            why @ (StoreError::Busy(_)
            | StoreError::Again(_)
            | StoreError::Rejected(_)
            | StoreError::Failed(_)) => why,
        }
    }

    /// What it means for a statement that commits.
    pub(super) fn undecided(self) -> StoreError {
        match self {
            Self::Refused(refusal) => refused(&refusal),
            Self::Unsent(why) => StoreError::Rejected(why),
            Self::Garbled(why) => StoreError::Failed(why),
            Self::Gone(why) => StoreError::Lost(why),
        }
    }
}

/// A refusal has rolled back what it was about.
fn refused(refusal: &PgDatabaseError) -> StoreError {
    let (code, why) = (refusal.code(), refusal.to_string());
    match (code, code.get(..2)) {
        // A failed serialisation, a deadlock.
        ("40001" | "40P01", _) => StoreError::Again(why),
        // A value that cannot be: unique and is not, too large, beyond a limit.
        (_, Some("22" | "23" | "54")) => StoreError::Rejected(why),
        // What is stored is damaged.
        ("XX001" | "XX002", _) => StoreError::Failed(why),
        _ => StoreError::Busy(why),
    }
}
