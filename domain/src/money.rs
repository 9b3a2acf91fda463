//! Money: integer minor units with their currency. No floats anywhere near it; a sum that would
//! overflow or mix currencies is an error, never a wrong number.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The currencies the engine accepts. The exponent says how many minor units make a major one
/// (ISO 4217).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Currency {
    /// Euro.
    Eur,
    /// Pound sterling.
    Gbp,
    /// Yen: no minor unit.
    Jpy,
    /// Won: no minor unit.
    Krw,
    /// Kuwaiti dinar: thousandths.
    Kwd,
    /// US dollar.
    Usd,
}

impl Currency {
    /// Digits after the point.
    pub const fn exponent(self) -> u32 {
        match self {
            Self::Jpy | Self::Krw => 0,
            Self::Eur | Self::Gbp | Self::Usd => 2,
            Self::Kwd => 3,
        }
    }

    /// The ISO 4217 code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Eur => "EUR",
            Self::Gbp => "GBP",
            Self::Jpy => "JPY",
            Self::Krw => "KRW",
            Self::Kwd => "KWD",
            Self::Usd => "USD",
        }
    }
}

/// Why an amount could not be computed or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Two currencies in one sum.
    #[error("amounts of different currencies cannot be added or compared")]
    MixedCurrencies,
    /// Beyond what JSON carries exactly (2^53 - 1 minor units), or below zero.
    #[error("an amount must lie between 0 and 9007199254740991 minor units")]
    OutOfRange,
    /// More than all of it.
    #[error("a share must lie between 0 and 10000 basis points")]
    NoShare,
}

/// An amount that is not negative, in minor units of its currency.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Amount", into = "Amount")]
pub struct Money {
    minor: u64,
    currency: Currency,
}

/// The form of [`Money`] on the wire and in the log.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Amount {
    amount: u64,
    currency: Currency,
}

impl Money {
    /// The largest amount: every JSON reader carries it exactly.
    pub const MAX_MINOR: u64 = (1 << 53) - 1;

    /// The least that providers of payments charge a card in this currency. Won: 100, from Toss
    /// Payments' refusal `BELOW_MINIMUM_AMOUNT`. Dollar, euro 0.50, pound 0.30 and yen 50: Stripe's
    /// published minimum charges (docs.stripe.com/currencies), because Toss Payments publishes none.
    /// Dinar: neither publishes one, so any amount.
    pub const fn least_charge(currency: Currency) -> Self {
        let minor = match currency {
            Currency::Krw => 100,
            Currency::Eur | Currency::Usd | Currency::Jpy => 50,
            Currency::Gbp => 30,
            Currency::Kwd => 1,
        };
        Self { minor, currency }
    }

    /// `minor` units of `currency`.
    pub const fn try_new(minor: u64, currency: Currency) -> Result<Self, MoneyError> {
        if minor <= Self::MAX_MINOR {
            Ok(Self { minor, currency })
        } else {
            Err(MoneyError::OutOfRange)
        }
    }

    /// Nothing, in `currency`.
    pub const fn zero(currency: Currency) -> Self {
        Self { minor: 0, currency }
    }

    /// Minor units.
    pub const fn minor(self) -> u64 {
        self.minor
    }

    /// Its currency.
    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// Whether it is nothing.
    pub const fn is_zero(self) -> bool {
        self.minor == 0
    }

    /// The sum of two amounts of one currency.
    pub fn plus(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        let minor = self.minor.checked_add(other.minor).ok_or(MoneyError::OutOfRange)?;
        Self::try_new(minor, self.currency)
    }

    /// What is left; an error when `other` is more.
    pub fn minus(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        let minor = self.minor.checked_sub(other.minor).ok_or(MoneyError::OutOfRange)?;
        Ok(Self { minor, currency: self.currency })
    }

    /// `count` times the amount.
    pub fn times(self, count: u32) -> Result<Self, MoneyError> {
        let minor = self.minor.checked_mul(u64::from(count)).ok_or(MoneyError::OutOfRange)?;
        Self::try_new(minor, self.currency)
    }

    /// The smaller of two amounts of one currency.
    pub fn at_most(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        Ok(Self { minor: self.minor.min(other.minor), currency: self.currency })
    }

    /// Whether it is more than `other`, of the same currency.
    pub fn exceeds(self, other: Self) -> Result<bool, MoneyError> {
        self.same_currency(other)?;
        Ok(self.minor > other.minor)
    }

    /// The share, rounded half up to the minor unit. Never more than the whole.
    #[must_use]
    pub fn share(self, share: Bps) -> Self {
        let exact = u128::from(self.minor).saturating_mul(u128::from(share.0));
        let rounded = exact.saturating_add(5_000).div_euclid(10_000);
        Self { minor: u64::try_from(rounded).unwrap_or(self.minor), currency: self.currency }
    }

    fn same_currency(self, other: Self) -> Result<(), MoneyError> {
        if self.currency == other.currency { Ok(()) } else { Err(MoneyError::MixedCurrencies) }
    }
}

impl TryFrom<Amount> for Money {
    type Error = MoneyError;
    fn try_from(wire: Amount) -> Result<Self, MoneyError> {
        Self::try_new(wire.amount, wire.currency)
    }
}

impl From<Money> for Amount {
    fn from(money: Money) -> Self {
        Self { amount: money.minor, currency: money.currency }
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = 10_u64.saturating_pow(self.currency.exponent());
        let (major, minor) = (self.minor.div_euclid(unit), self.minor.rem_euclid(unit));
        match usize::try_from(self.currency.exponent()) {
            Ok(0) | Err(_) => write!(f, "{major} {}", self.currency.code()),
            Ok(digits) => write!(f, "{major}.{minor:0digits$} {}", self.currency.code()),
        }
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A share in basis points, from 0 to 10,000 (all of it).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct Bps(u16);

impl Bps {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// All of it.
    pub const ALL: Self = Self(10_000);

    /// `bps` hundredths of a percent.
    pub const fn try_new(bps: u16) -> Result<Self, MoneyError> {
        if bps <= 10_000 { Ok(Self(bps)) } else { Err(MoneyError::NoShare) }
    }

    /// Basis points.
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl TryFrom<u16> for Bps {
    type Error = MoneyError;
    fn try_from(bps: u16) -> Result<Self, MoneyError> {
        Self::try_new(bps)
    }
}

impl From<Bps> for u16 {
    fn from(bps: Bps) -> Self {
        bps.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn krw(minor: u64) -> Money {
        Money::try_new(minor, Currency::Krw).unwrap()
    }

    #[test]
    fn currencies_do_not_mix() {
        let usd = Money::try_new(1, Currency::Usd).unwrap();
        assert_eq!(krw(1).plus(usd), Err(MoneyError::MixedCurrencies));
        assert_eq!(krw(1).minus(krw(2)), Err(MoneyError::OutOfRange));
    }

    #[test]
    fn a_share_is_rounded_half_up() {
        assert_eq!(krw(15).share(Bps::try_new(5_000).unwrap()), krw(8));
        assert_eq!(krw(14).share(Bps::try_new(5_000).unwrap()), krw(7));
        assert_eq!(krw(Money::MAX_MINOR).share(Bps::ALL), krw(Money::MAX_MINOR));
    }

    #[test]
    fn the_exponent_places_the_point() {
        assert_eq!(krw(50_000).to_string(), "50000 KRW");
        assert_eq!(Money::try_new(1_005, Currency::Usd).unwrap().to_string(), "10.05 USD");
        assert_eq!(Money::try_new(1_005, Currency::Kwd).unwrap().to_string(), "1.005 KWD");
    }

    #[test]
    fn negative_fractional_and_huge_amounts_are_not_read() {
        for wrong in ["-1", "0.1", "1e3", "9007199254740992", "18446744073709551616", "\"1\""] {
            let text = format!(r#"{{"amount":{wrong},"currency":"KRW"}}"#);
            assert!(serde_json::from_str::<Money>(&text).is_err(), "{wrong}");
        }
    }
}
