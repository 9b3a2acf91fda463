//! Shapes for the interface description of values that the domain owns. Only their description is
//! used; the values themselves are written by the domain's types.
#![expect(dead_code, reason = "described, never built")]

use utoipa::ToSchema;

/// An amount in minor units of its currency.
#[derive(Debug, ToSchema)]
#[schema(as = Money, example = json!({"amount": 50_000, "currency": "KRW"}))]
pub struct MoneyShape {
    /// Minor units, at most 9007199254740991.
    amount: u64,
    /// The ISO 4217 code.
    currency: String,
}

/// One line of a price.
#[derive(Debug, ToSchema)]
#[schema(as = QuoteLine)]
pub struct QuoteLineShape {
    /// The offering's title.
    title: String,
    /// How many.
    quantity: u32,
    /// What one costs.
    unit_price: MoneyShape,
    /// What they cost together.
    amount: MoneyShape,
}

/// A price with its lines, and what a cancellation will return.
#[derive(Debug, ToSchema)]
#[schema(as = Quote)]
pub struct QuoteShape {
    /// What it is made of.
    lines: Vec<QuoteLineShape>,
    /// What is to be paid.
    total: MoneyShape,
    /// Regret period and tiers.
    #[schema(value_type = Object)]
    cancellation_policy: String,
}

/// What a cancellation returns, and why.
#[derive(Debug, ToSchema)]
#[schema(as = RefundTerms)]
pub struct RefundTermsShape {
    /// What is returned.
    amount: MoneyShape,
    /// What is kept.
    kept: MoneyShape,
    /// The rule that decided, by its name, with its deadline.
    #[schema(value_type = Object)]
    because: String,
}
