//! Bookings and what becomes of them. The endings follow each other in a fixed order, so that even a
//! small demonstration shows every one. The payment key tells the simulator which.

use holdfast_domain::time::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

use super::catalogue::Offer;
use super::client::{Answer, Client, Who};
use super::tally::Tally;
use crate::cli::Failure;

/// What becomes of a booking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// Nobody pays: it stays held, or expires.
    Unpaid,
    /// It is paid.
    Paid,
    /// The card is declined.
    Declined,
    /// It is paid, and called off later.
    CalledOff,
    /// It is given back before it was paid.
    GivenBack,
    /// It is paid, and the answer is lost: the engine finds out.
    AnswerLost,
    /// The request is lost: the engine asks again.
    RequestLost,
    /// Another amount is reported: a person has to look.
    OtherAmount,
    /// It is called off, and the answer about the refund is lost.
    RefundLost,
}

/// In the order in which they come.
pub(super) const ENDINGS: [Ending; 16] = [
    Ending::Paid,
    Ending::Unpaid,
    Ending::Paid,
    Ending::CalledOff,
    Ending::Paid,
    Ending::Declined,
    Ending::Unpaid,
    Ending::AnswerLost,
    Ending::Paid,
    Ending::GivenBack,
    Ending::Paid,
    Ending::RefundLost,
    Ending::Paid,
    Ending::RequestLost,
    Ending::Unpaid,
    Ending::OtherAmount,
];

impl Ending {
    /// What the simulator is told, when somebody pays.
    const fn script(self) -> Option<&'static str> {
        match self {
            Self::Unpaid | Self::GivenBack => None,
            Self::Paid | Self::CalledOff => Some("sim_approve"),
            Self::Declined => Some("sim_decline"),
            Self::AnswerLost => Some("sim_lost_after_capture"),
            Self::RequestLost => Some("sim_lost_before_capture"),
            Self::OtherAmount => Some("sim_amount_differs"),
            Self::RefundLost => Some("sim_approve_refund_lost"),
        }
    }

    const fn is_called_off(self) -> bool {
        matches!(self, Self::CalledOff | Self::GivenBack | Self::RefundLost)
    }
}

/// A booking to be made.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    pub(super) offering: &'a str,
    pub(super) price: u32,
    /// The field that says when, and its value.
    pub(super) seat: (&'static str, String),
    pub(super) party: u32,
    pub(super) ending: Ending,
    pub(super) key: String,
}

/// Makes booking number `number`, on the offers in turn.
pub(super) async fn make(
    client: &Client,
    offers: &mut [Offer],
    number: u32,
    customer: u32,
    tally: &mut Tally,
) -> Result<(), Failure> {
    let index = usize::try_from(number).unwrap_or(0).checked_rem(offers.len()).unwrap_or(0);
    let turn = usize::try_from(number).unwrap_or(0).checked_rem(ENDINGS.len()).unwrap_or(0);
    let ending = ENDINGS.get(turn).copied().unwrap_or(Ending::Paid);
    let day: Timestamp = client.day();
    let Some(offer) = offers.get_mut(index) else { return Ok(()) };
    let Some(seat) = offer.next_seat(day) else {
        tally.count("calendars full");
        return Ok(());
    };
    if offer.brief && ending == Ending::Unpaid {
        tally.count("bookings that expire in a minute");
    }
    let (offering, price) = (offer.id.as_str(), offer.price);
    let wanted =
        Wanted { offering, price, seat, party: 1, ending, key: format!("booking-{number}") };
    book(client, Who::Customer(customer), &wanted, tally).await
}

/// Takes the seat and lets the ending happen.
pub(super) async fn book(
    client: &Client,
    who: Who,
    wanted: &Wanted<'_>,
    tally: &mut Tally,
) -> Result<(), Failure> {
    let Wanted { offering, price, seat: (field, seat), party, ending, key } = wanted;
    let total = price.saturating_mul(*party);
    let money = json!({"amount": total, "currency": "KRW"});
    let body = json!({
        "offering_id": offering, *field: seat, "party_size": party, "expected_total": money,
    });
    let post = |path: &'static str| (Method::POST, path);
    let held = client.command(who, post("/v1/reservations"), key, &body).await?;
    if !held.is_success() {
        tally.count("bookings refused");
        tally.count(&format!("refused: {}", held.word()));
        return Ok(());
    }
    tally.count("bookings made");
    let (Some(id), Some(order)) = (held.text("/id"), held.text("/payment/order_id")) else {
        return Err(Failure::Failed(format!("a booking without a payment: {}", held.body)));
    };
    if let Some(script) = ending.script() {
        let body = json!({"payment_key": format!("{script}_{key}"), "amount": money});
        let path = format!("/v1/payments/{order}/confirm");
        let key = format!("{key}-pay");
        tell(tally, "payment", &client.command(who, (Method::POST, &path), &key, &body).await?);
    }
    if ending.is_called_off() {
        let body = json!({"reason": "no_longer_needed"});
        cancel(client, who, (id, key), &body, tally).await?;
    }
    Ok(())
}

async fn cancel(
    client: &Client,
    who: Who,
    (id, key): (&str, &str),
    body: &Value,
    tally: &mut Tally,
) -> Result<(), Failure> {
    let path = format!("/v1/reservations/{id}/cancel");
    let key = format!("{key}-cancel");
    tell(tally, "cancellation", &client.command(who, (Method::POST, &path), &key, body).await?);
    Ok(())
}

fn tell(tally: &mut Tally, what: &str, answer: &Answer) {
    let word = answer.word();
    if what == "payment" && word == "confirmed" {
        tally.count("bookings confirmed");
    } else {
        tally.count(&format!("{what}: {word}"));
    }
}
