//! How bookings are paid. What a client names is read to refuse what this build does not offer.

use serde::Deserialize;
use utoipa::ToSchema;

/// How a booking is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaymentMethod {
    /// Through the provider of payments, at once.
    Card,
}
