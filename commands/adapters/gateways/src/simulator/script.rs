//! What a payment key says will happen: `sim_<outcome>_<anything>`. The whole behaviour of the
//! simulator is in the key, so that a test or a reader of a log knows the ending beforehand.

/// The outcome that a payment key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Script {
    /// Captures and says so.
    Approve,
    /// Declines, as a card would.
    Decline,
    /// Captures, and the first answer is lost.
    LostAfterCapture,
    /// Loses the first request before doing anything.
    LostBeforeCapture,
    /// Loses the first request before doing anything, and declines the next.
    LostBeforeDecline,
    /// Captures, and takes its time to say so.
    Slow,
    /// Captures one minor unit less than it was asked for.
    AmountDiffers,
}

/// What happens to the refunds of an order with this payment key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RefundScript {
    /// Returns the money and says so.
    Approve,
    /// Returns the money, and the first answer is lost.
    LostAfterReturn,
    /// Refuses.
    Refuse,
}

const OUTCOMES: [(&str, Script); 7] = [
    ("approve", Script::Approve),
    ("decline", Script::Decline),
    ("lost_after_capture", Script::LostAfterCapture),
    ("lost_before_capture", Script::LostBeforeCapture),
    ("lost_before_decline", Script::LostBeforeDecline),
    ("slow", Script::Slow),
    ("amount_differs", Script::AmountDiffers),
];

impl Script {
    /// Reads a payment key; `None` when it is not one of ours.
    pub(super) fn of(payment_key: &str) -> Option<Self> {
        let rest = payment_key.strip_prefix("sim_")?;
        OUTCOMES
            .into_iter()
            .find(|(outcome, _)| is_followed_by_something(rest, outcome))
            .map(|(_, script)| script)
    }
}

impl RefundScript {
    /// Reads the payment key of the order that is refunded.
    pub(super) fn of(payment_key: &str) -> Self {
        let rest = payment_key.strip_prefix("sim_approve_").unwrap_or_default();
        if is_followed_by_something(rest, "refund_lost") {
            Self::LostAfterReturn
        } else if is_followed_by_something(rest, "refund_refused") {
            Self::Refuse
        } else {
            Self::Approve
        }
    }
}

fn is_followed_by_something(text: &str, word: &str) -> bool {
    text.strip_prefix(word)
        .and_then(|rest| rest.strip_prefix('_'))
        .is_some_and(|anything| !anything.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_is_read_and_nothing_else() {
        for (outcome, script) in OUTCOMES {
            assert_eq!(Script::of(&format!("sim_{outcome}_1")), Some(script));
        }
        for wrong in ["", "sim_", "sim_approve", "sim_approve_", "sim_other_1", "tgen_approve_1"] {
            assert_eq!(Script::of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_key_may_say_what_happens_to_refunds() {
        assert_eq!(RefundScript::of("sim_approve_refund_lost_1"), RefundScript::LostAfterReturn);
        assert_eq!(RefundScript::of("sim_approve_refund_refused_1"), RefundScript::Refuse);
        assert_eq!(RefundScript::of("sim_approve_1"), RefundScript::Approve);
        assert_eq!(Script::of("sim_approve_refund_lost_1"), Some(Script::Approve));
    }
}
