//! The tables of a log, and where they stand in a database.

use holdfast_postgres::Address;
pub use holdfast_postgres::migrations::{Step, StepState};

use super::connect::{MIGRATIONS, OpenError};

/// Every change of the tables, by number, for the log at `address`, which need not be there.
pub async fn steps(address: &Address) -> Result<Vec<Step>, OpenError> {
    Ok(holdfast_postgres::migrations::steps(&MIGRATIONS, address).await?)
}

/// Refuses a log that is not there, or not in this release's shape.
pub(super) async fn require(address: &Address) -> Result<(), OpenError> {
    let steps = steps(address).await?;
    let stands = |state| steps.iter().all(|step| step.state == state);
    if stands(StepState::Applied) {
        Ok(())
    } else if stands(StepState::Pending) {
        Err(OpenError::Absent { address: address.clone() })
    } else {
        Err(OpenError::OtherShape { address: address.clone() })
    }
}
