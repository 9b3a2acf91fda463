//! Cancellation policies: what a customer gets back, by how long before the start she cancels.
//! Frozen into a reservation when its seat is held, so that a later change of the offering
//! changes nothing that was sold.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::money::{Bps, Currency, Money};
use crate::time::zone::Zone;
use crate::time::{Timestamp, minutes};

/// Why a policy is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Not `P<n>D`, `PT<n>H` or `PT<n>M`.
    #[error("a notice is written P<days>D, PT<hours>H or PT<minutes>M, up to 366 days")]
    NotANotice,
    /// More tiers than a person would read.
    #[error("a policy has at most 16 tiers")]
    TooManyTiers,
}

/// No notice is longer than a year.
const MINUTES_MAX: u32 = 366 * 24 * 60;

/// How long before the start. Days are days on the wall of the venue; hours and minutes are
/// elapsed. On a day when the clock is set, `P1D` and `PT24H` differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Notice {
    /// Wall-clock days.
    Days(u32),
    /// Elapsed minutes.
    Minutes(u32),
}

impl Notice {
    /// The last instant that is still this long before `start`.
    pub fn deadline(self, start: Timestamp, zone: &Zone) -> Timestamp {
        match self {
            Self::Days(days) => zone.days_before(start, days),
            Self::Minutes(count) => start.minus(minutes(count)),
        }
    }
}

impl FromStr for Notice {
    type Err = PolicyError;
    fn from_str(text: &str) -> Result<Self, PolicyError> {
        let number = |digits: &str, unit: u32, limit: u32| {
            let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            let count = digits.parse::<u32>().ok().filter(|_| plain)?;
            count.checked_mul(unit).filter(|total| *total <= limit)
        };
        let time = |text: &str| {
            if let Some(hours) = text.strip_suffix('H') {
                number(hours, 60, MINUTES_MAX).map(Self::Minutes)
            } else {
                number(text.strip_suffix('M')?, 1, MINUTES_MAX).map(Self::Minutes)
            }
        };
        let notice = match text.strip_prefix("PT") {
            Some(rest) => time(rest),
            None => text
                .strip_prefix('P')
                .and_then(|rest| rest.strip_suffix('D'))
                .and_then(|days| number(days, 1, 366).map(Self::Days)),
        };
        notice.ok_or(PolicyError::NotANotice)
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Days(days) => write!(f, "P{days}D"),
            Self::Minutes(count) if count.rem_euclid(60) == 0 => {
                write!(f, "PT{}H", count.div_euclid(60))
            }
            Self::Minutes(count) => write!(f, "PT{count}M"),
        }
    }
}

impl TryFrom<String> for Notice {
    type Error = PolicyError;
    fn try_from(text: String) -> Result<Self, PolicyError> {
        text.parse()
    }
}

impl From<Notice> for String {
    fn from(notice: Notice) -> Self {
        notice.to_string()
    }
}

/// A regret period after the booking was confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grace {
    /// How long after the confirmation everything is returned.
    pub minutes: u32,
    /// No grace when the start is nearer than this at the cancellation.
    pub unless_start_within: Notice,
}

/// One step of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// At least this long before the start; the boundary itself still counts.
    pub notice: Notice,
    /// What is returned.
    pub refund_bps: Bps,
}

/// What is returned to a customer who cancels. When the provider or the engine cancels,
/// everything is returned, whatever this says.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, try_from = "Terms")]
pub struct CancellationPolicy {
    grace: Option<Grace>,
    tiers: Vec<Tier>,
}

/// The stored form, not yet known to be within limits.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Terms {
    grace: Option<Grace>,
    tiers: Vec<Tier>,
}

impl TryFrom<Terms> for CancellationPolicy {
    type Error = PolicyError;
    fn try_from(terms: Terms) -> Result<Self, PolicyError> {
        Self::try_new(terms.grace, terms.tiers)
    }
}

/// Which rule decided a refund: the explanation that the customer reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case", deny_unknown_fields)]
pub enum RefundRule {
    /// Within the regret period after the confirmation.
    Grace {
        /// Until when it lasted.
        until: Timestamp,
    },
    /// The tier with this notice, whose deadline had not passed.
    Tier {
        /// The tier's notice.
        notice: Notice,
        /// Its deadline for this start.
        until: Timestamp,
    },
    /// Later than every tier, or the start has passed.
    TooLate,
    /// The provider of the service cancelled.
    ProviderCancelled,
    /// The engine cancelled: the money came too late for the seat.
    SystemCancelled,
    /// Nothing had been paid.
    NothingPaid,
}

/// What a cancellation returns, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefundTerms {
    /// What is returned.
    pub amount: Money,
    /// What is kept.
    pub kept: Money,
    /// The rule that decided.
    pub because: RefundRule,
}

/// The instants that a refund depends on.
#[derive(Debug, Clone, Copy)]
pub struct Occasion<'a> {
    /// When the service starts.
    pub start: Timestamp,
    /// The venue's zone.
    pub zone: &'a Zone,
    /// When the booking was confirmed.
    pub confirmed_at: Timestamp,
    /// When the cancellation was accepted.
    pub cancelled_at: Timestamp,
}

impl CancellationPolicy {
    const TIERS_MAX: usize = 16;

    /// From its parts. Tiers are kept with the largest share first, so that the first that applies
    /// is the best for the customer.
    pub fn try_new(grace: Option<Grace>, mut tiers: Vec<Tier>) -> Result<Self, PolicyError> {
        if tiers.len() > Self::TIERS_MAX {
            return Err(PolicyError::TooManyTiers);
        }
        tiers.sort_by_key(|tier| std::cmp::Reverse(tier.refund_bps));
        Ok(Self { grace, tiers })
    }

    /// What an offering without a policy of its own gets: half an hour of regret unless the start
    /// is within two hours; all of it up to a day before, half of it up to two hours before.
    pub fn standard() -> Self {
        Self {
            grace: Some(Grace { minutes: 30, unless_start_within: Notice::Minutes(120) }),
            tiers: vec![
                Tier { notice: Notice::Days(1), refund_bps: Bps::ALL },
                Tier {
                    notice: Notice::Minutes(120),
                    refund_bps: Bps::try_new(5_000).unwrap_or(Bps::NONE),
                },
            ],
        }
    }

    /// What the customer gets back of `paid` when she cancels on this occasion.
    pub fn refund(&self, paid: Money, occasion: &Occasion<'_>) -> RefundTerms {
        let (share, because) = self.rule(occasion);
        let amount = paid.share(share);
        let kept = paid.minus(amount).unwrap_or(Money::zero(paid.currency()));
        RefundTerms { amount, kept, because }
    }

    fn rule(&self, occasion: &Occasion<'_>) -> (Bps, RefundRule) {
        let now = occasion.cancelled_at;
        if now >= occasion.start {
            return (Bps::NONE, RefundRule::TooLate);
        }
        if let Some(grace) = self.grace {
            let until = occasion.confirmed_at.plus(minutes(grace.minutes));
            let too_near = grace.unless_start_within.deadline(occasion.start, occasion.zone);
            if now <= until && now <= too_near {
                return (Bps::ALL, RefundRule::Grace { until });
            }
        }
        self.tiers
            .iter()
            .map(|tier| (tier, tier.notice.deadline(occasion.start, occasion.zone)))
            .find(|(_, until)| now <= *until)
            .map_or((Bps::NONE, RefundRule::TooLate), |(tier, until)| {
                (tier.refund_bps, RefundRule::Tier { notice: tier.notice, until })
            })
    }
}

impl RefundTerms {
    /// The same terms when less is left to return than was paid, because a part was returned before.
    #[must_use]
    pub fn within(self, refundable: Money) -> Self {
        let amount = self.amount.at_most(refundable).unwrap_or(self.amount);
        let kept = refundable.minus(amount).unwrap_or(self.kept);
        Self { amount, kept, ..self }
    }

    /// Everything goes back, because of what others did.
    pub const fn all(paid: Money, because: RefundRule) -> Self {
        Self { amount: paid, kept: Money::zero(paid.currency()), because }
    }

    /// Nothing was paid, so nothing is returned.
    pub const fn nothing_paid(currency: Currency) -> Self {
        Self::all(Money::zero(currency), RefundRule::NothingPaid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn krw(minor: u64) -> Money {
        Money::try_new(minor, Currency::Krw).unwrap()
    }

    fn refund(policy: &CancellationPolicy, start: &str, cancelled: &str) -> RefundTerms {
        let zone: Zone = "America/New_York".parse().unwrap();
        policy.refund(
            krw(10_001),
            &Occasion {
                start: at(start),
                zone: &zone,
                confirmed_at: at("2026-01-01T00:00:00Z"),
                cancelled_at: at(cancelled),
            },
        )
    }

    fn one_tier(notice: &str) -> CancellationPolicy {
        let tier = Tier { notice: notice.parse().unwrap(), refund_bps: Bps::ALL };
        CancellationPolicy::try_new(None, vec![tier]).unwrap()
    }

    #[test]
    fn a_day_on_the_wall_is_not_24_hours_when_the_clock_is_set() {
        let (start, cancelled) = ("2026-03-08T14:00:00Z", "2026-03-07T14:30:00Z");
        assert_eq!(refund(&one_tier("P1D"), start, cancelled).amount, krw(10_001));
        assert_eq!(refund(&one_tier("PT24H"), start, cancelled).amount, krw(0));
    }

    #[test]
    fn a_deadline_itself_still_counts() {
        let start = "2026-06-10T10:00:00Z";
        assert_eq!(refund(&one_tier("PT2H"), start, "2026-06-10T08:00:00Z").amount, krw(10_001));
        assert_eq!(refund(&one_tier("PT2H"), start, "2026-06-10T08:00:00.000001Z").amount, krw(0));
    }

    #[test]
    fn what_is_kept_and_what_is_returned_make_the_whole() {
        let terms =
            refund(&CancellationPolicy::standard(), "2026-06-10T10:00:00Z", "2026-06-10T00:00:00Z");
        assert_eq!((terms.amount, terms.kept), (krw(5_001), krw(5_000)));
    }

    #[test]
    fn grace_runs_from_the_confirmation_unless_the_start_is_near() {
        let zone = Zone::utc();
        let policy = CancellationPolicy::standard();
        let occasion = |start, cancelled| Occasion {
            start: at(start),
            zone: &zone,
            confirmed_at: at("2026-06-10T06:00:00Z"),
            cancelled_at: at(cancelled),
        };
        let near =
            policy.refund(krw(100), &occasion("2026-06-10T08:10:00Z", "2026-06-10T06:20:00Z"));
        assert_eq!((near.amount, near.because), (krw(0), RefundRule::TooLate));
        let far =
            policy.refund(krw(100), &occasion("2026-06-10T12:00:00Z", "2026-06-10T06:30:00Z"));
        assert_eq!(far.amount, krw(100));
    }

    #[test]
    fn notices_are_read_in_one_spelling() {
        for right in ["P1D", "PT24H", "PT90M", "P0D"] {
            assert_eq!(right.parse::<Notice>().unwrap().to_string(), right);
        }
        for wrong in ["", "P", "PT", "1D", "P-1D", "P+1D", "P1.5D", "P367D", "PT8785H", "P1W"] {
            assert_eq!(wrong.parse::<Notice>(), Err(PolicyError::NotANotice), "{wrong}");
        }
    }
}
