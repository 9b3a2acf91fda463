//! What can be broken on purpose, as a control: a search that does not find these finds nothing.

use holdfast_commands::state::{State, States};
use holdfast_domain::booking::calendar::CalendarEvent;
use holdfast_domain::booking::reservation::{Reservation, Stage};
use holdfast_domain::booking::session::{Session, SessionEvent};
use holdfast_domain::event::Event;
use holdfast_domain::money::Money;
use holdfast_domain::payment::{Payment, PaymentEvent, Refund, RefundReason, RefundStage};
use holdfast_domain::time::Timestamp;

/// What is broken on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// The seat is not pinned while the money is in flight.
    NoPin,
    /// The seat is not pinned, and captured money confirms whatever became of the seat.
    ConfirmAnyway,
    /// A lost answer counts as a decline.
    LostIsDeclined,
    /// Money that comes after the hold is gone is not looked at.
    LateIgnored,
    /// Each try of a refund has a key of its own.
    RefundWithoutKey,
    /// A capture of another amount counts as the amount that was due.
    OddIsPaid,
    /// A party takes one seat.
    PartyTakesOne,
    /// Money that comes late is let into a class that is full.
    LateSqueezedIn,
    /// What is sold stays sold when the booking is called off.
    SeatKept,
    /// A cancellation does not write down that money is to be returned: the process makes it good.
    IntentLost,
    /// The same, and no process looks at it.
    PromiseForgotten,
    /// Money that a cancellation promised is asked for before that is written down.
    CallWithoutIntent,
    /// What is on its way back can be returned again.
    PendingDoesNotCount,
    /// A refund that was refused counts as returned.
    RefusedIsReturned,
    /// A cancellation goes by the terms of the moment, not by those that were quoted.
    QuoteForgotten,
    /// An offer of terms can be taken up for ever.
    QuoteNeverLapses,
    /// No process lets go of a seat that a decision left.
    SeatLeft,
    /// Streams are written as they were decided, wherever the seat stands among them.
    AsDecided,
}

/// A fact as it gets into the log under a fault; none when it does not.
pub(crate) fn altered(fault: Fault, use_case: &str, event: Event) -> Option<Event> {
    let lost = match fault {
        Fault::NoPin | Fault::ConfirmAnyway => {
            matches!(event, Event::Calendar(CalendarEvent::HoldPinned { .. }))
        }
        Fault::SeatKept => is_release(&event),
        Fault::SeatLeft => use_case != "cancel" && is_release(&event),
        Fault::CallWithoutIntent => is_promise(&event),
        Fault::IntentLost | Fault::PromiseForgotten => use_case == "cancel" && is_promise(&event),
        Fault::PartyTakesOne => return Some(with_one_seat(event)),
        Fault::None
        | Fault::LostIsDeclined
        | Fault::LateIgnored
        | Fault::RefundWithoutKey
        | Fault::OddIsPaid
        | Fault::LateSqueezedIn
        | Fault::PendingDoesNotCount
        | Fault::RefusedIsReturned
        | Fault::QuoteForgotten
        | Fault::QuoteNeverLapses
        | Fault::AsDecided => false,
    };
    (!lost).then_some(event)
}

const fn is_release(event: &Event) -> bool {
    matches!(
        event,
        Event::Calendar(CalendarEvent::HoldReleased { .. })
            | Event::Session(SessionEvent::SeatsReleased { .. })
    )
}

fn is_promise(event: &Event) -> bool {
    matches!(
        event,
        Event::Payment(PaymentEvent::RefundRequested { reason: RefundReason::Cancellation, .. })
    )
}

fn with_one_seat(mut event: Event) -> Event {
    if let Event::Session(SessionEvent::SeatsHeld { seats, .. }) = &mut event {
        *seats = 1;
    }
    event
}

/// What a use case believes under a fault.
pub(crate) fn believed(fault: Fault, use_case: &str, mut states: States) -> States {
    for known in states.values_mut() {
        match &mut known.state {
            State::Session(Session::Scheduled(class))
                if fault == Fault::LateSqueezedIn && use_case != "reserve" =>
            {
                class.plan.capacity = None;
            }
            State::Payment(Payment::Initiated(account))
                if fault == Fault::PendingDoesNotCount && use_case == "refund" =>
            {
                let none = Money::zero(account.amount.currency());
                let pending = |it: &&mut Refund| matches!(it.stage, RefundStage::Pending { .. });
                account.refunds.values_mut().filter(pending).for_each(|it| it.amount = none);
            }
            State::Reservation(Reservation::Requested(paper))
                if fault == Fault::QuoteNeverLapses =>
            {
                if let Stage::Confirmed { quoted, .. } = &mut paper.stage {
                    for offer in quoted {
                        offer.valid_until = Timestamp::MAX;
                    }
                }
            }
            State::Resource(_)
            | State::Calendar(_)
            | State::Offering(_)
            | State::Session(_)
            | State::Reservation(_)
            | State::Payment(_) => {}
        }
    }
    states
}
