//! The bookings of a generated history: each is held, and then whatever may happen to it happens,
//! in the order in which a handler would write it.

use std::time::Duration;

use holdfast_domain::booking::calendar::CalendarCommand;
use holdfast_domain::booking::hold::ClaimCommand;
use holdfast_domain::booking::offering::SoldVersion;
use holdfast_domain::booking::reservation::{
    Booking, CancellationReason, CancelledBy, Quote, QuoteLine, Reservation, ReservationCommand,
    Status,
};
use holdfast_domain::booking::session::SessionCommand;
use holdfast_domain::booking::{Authority, payment_stream, reservation_stream};
use holdfast_domain::event::Event;
use holdfast_domain::ids::{
    CancellationQuoteId, HoldId, OfferingId, PaymentId, PrincipalId, RefundId, ReservationId,
};
use holdfast_domain::money::{Currency, Money};
use holdfast_domain::payment::{
    Account, ConfirmOutcome, Payment, PaymentCommand, RefundOutcome, RefundReason, Resolution,
    ReviewDecision,
};
use holdfast_domain::policy::CancellationPolicy;

use super::booked::Booked;
use super::world::{Place, World, Writes, record};

fn price() -> Money {
    World::terms().price
}

impl World {
    /// Somebody holds a seat.
    pub(super) fn book(&mut self) {
        let index = self.place();
        let place = self.places[index].clone();
        let class = place.classes.last().copied().filter(|_| self.draw(2) == 0);
        let (offering, authority, booked) = match class {
            Some((offering, session, held)) => (offering, Authority::Session(session), held),
            None => (place.slot, Authority::Calendar(place.resource), self.hour()),
        };
        let id = ReservationId::from_uuid(self.fresh());
        let mut booking = Booked {
            id,
            payment: PaymentId::from_uuid(self.fresh()),
            authority,
            hold: HoldId::derive(id, 0),
            holds: 1,
            time: booked,
            reservation: Reservation::default(),
            account: Payment::default(),
        };
        let seat = self.take(&booking, false);
        if seat.is_empty() {
            return;
        }
        let paper = Self::paper(&place, offering, &booking);
        let expires = self.now.plus(Duration::from_mins(10));
        let request = ReservationCommand::Request { booking: paper, hold_expires_at: expires };
        let customer = Self::customer(&booking);
        let due =
            PaymentCommand::Initiate { reservation: id, customer, authority, amount: price() };
        let writes = vec![
            (authority.stream(), seat),
            (reservation_stream(id), record(&mut booking.reservation, &request)),
            (payment_stream(booking.payment), record(&mut booking.account, &due)),
        ];
        self.append(writes);
        self.bookings.push(booking);
    }

    fn customer(booking: &Booked) -> PrincipalId {
        PrincipalId::from_uuid(uuid::Uuid::from_u128(1_000 + booking.id.as_uuid().as_u128() % 7))
    }

    fn paper(place: &Place, offering: OfferingId, booking: &Booked) -> Box<Booking> {
        let line = QuoteLine {
            title: "A lesson".to_owned(),
            quantity: 1,
            unit_price: price(),
            amount: price(),
        };
        Box::new(Booking {
            customer: Self::customer(booking),
            provider: place.owner,
            sold: SoldVersion { offering, version: 1 },
            resource: place.resource,
            authority: booking.authority,
            hold: booking.hold,
            party_size: 1,
            starts: place.zone.intent(booking.time.start()),
            booked: booking.time,
            blocks: Self::terms().blocks(booking.time),
            quote: Quote {
                lines: vec![line],
                total: price(),
                cancellation_policy: CancellationPolicy::standard(),
            },
            payment: Some(booking.payment),
        })
    }

    /// Places the booking's claim with whoever decides about it.
    fn take(&mut self, booking: &Booked, after_deadline: bool) -> Vec<Event> {
        let (hold, reservation, now) = (booking.hold, booking.id, self.now);
        let expires_at = now.plus(Duration::from_mins(10));
        match booking.authority {
            Authority::Calendar(resource) => {
                let (weight, capacity, booked) = (1, 1, booking.time);
                let blocks = World::terms().blocks(booked);
                let place = CalendarCommand::Place {
                    hold,
                    reservation,
                    booked,
                    blocks,
                    weight,
                    capacity,
                    expires_at,
                    now,
                };
                record(self.calendars.entry(resource).or_default(), &place)
            }
            Authority::Session(session) => {
                let seats = 1;
                let place = SessionCommand::Place {
                    hold,
                    reservation,
                    seats,
                    expires_at,
                    now,
                    after_deadline,
                };
                record(self.sessions.get_mut(&session).unwrap(), &place)
            }
        }
    }

    fn claim(&mut self, booking: &Booked, command: ClaimCommand) -> Vec<Event> {
        match booking.authority {
            Authority::Calendar(resource) => {
                let command = CalendarCommand::Claim(booking.hold, command);
                record(self.calendars.entry(resource).or_default(), &command)
            }
            Authority::Session(session) => {
                let command = SessionCommand::Claim(booking.hold, command);
                record(self.sessions.get_mut(&session).unwrap(), &command)
            }
        }
    }

    /// Something happens to a booking.
    pub(super) fn advance(&mut self) {
        let Some(last) = u64::try_from(self.bookings.len()).unwrap().checked_sub(1) else { return };
        // Mostly to the newest ones.
        let back = self.draw(12).min(last);
        let index = usize::try_from(last - back).unwrap();
        let mut booking = self.bookings[index].clone();
        let writes = self.next(&mut booking);
        self.bookings[index] = booking;
        self.append(writes);
    }

    fn next(&mut self, booking: &mut Booked) -> Writes {
        let Ok(paper) = booking.reservation.paper() else { return vec![] };
        let (status, expires) = (paper.status(), paper.hold_expires_at);
        if let Some(refund) = Self::pending_refund(booking) {
            return self.resolve_refund(booking, refund);
        }
        match status {
            Status::Held if self.now >= expires => self.expire(booking),
            Status::Held if self.draw(6) == 0 => self.abandon(booking),
            Status::Held => self.start_payment(booking),
            Status::PaymentInFlight => self.hear_of_payment(booking),
            Status::Confirmed if self.draw(3) == 0 => self.quote_cancellation(booking),
            Status::Confirmed => self.cancel(booking),
            Status::Expired => self.late_word(booking),
            Status::Abandoned | Status::Cancelled => vec![],
        }
    }

    fn on_paper(
        booking: &mut Booked,
        command: &ReservationCommand,
    ) -> (holdfast_domain::log::StreamId, Vec<Event>) {
        (reservation_stream(booking.id), record(&mut booking.reservation, command))
    }

    fn on_account(
        booking: &mut Booked,
        command: &PaymentCommand,
    ) -> (holdfast_domain::log::StreamId, Vec<Event>) {
        (payment_stream(booking.payment), record(&mut booking.account, command))
    }

    fn start_payment(&mut self, booking: &mut Booked) -> Writes {
        let (now, key) = (self.now, self.fresh().to_string());
        let pin = ClaimCommand::Pin { until: now.plus(Duration::from_mins(15)), now };
        let pinned = self.claim(booking, pin);
        if pinned.is_empty() {
            return vec![];
        }
        let start = PaymentCommand::StartConfirm {
            payment_key: key.clone(),
            amount: price(),
            idempotency_key: key,
            inline_until: now.plus(Duration::from_secs(20)),
        };
        vec![
            (booking.authority.stream(), pinned),
            Self::on_paper(booking, &ReservationCommand::StartPayment { now }),
            Self::on_account(booking, &start),
        ]
    }

    /// What the provider of payments says about the open attempt, by chance.
    fn word(&mut self) -> ConfirmOutcome {
        let transaction = self.fresh().to_string();
        match self.draw(10) {
            0..=1 => ConfirmOutcome::Declined { code: "CARD_DECLINED".to_owned() },
            2..=4 => {
                ConfirmOutcome::Unknown { next_try_at: self.now.plus(Duration::from_secs(30)) }
            }
            5 if self.draw(4) == 0 => {
                let amount = Money::try_new(1, Currency::Krw).unwrap();
                ConfirmOutcome::Captured { transaction, amount }
            }
            _ => ConfirmOutcome::Captured { transaction, amount: price() },
        }
    }

    fn hear_of_payment(&mut self, booking: &mut Booked) -> Writes {
        let now = self.now;
        let Ok(account) = booking.account.account() else { return vec![] };
        let Some(attempt) = account.open_attempt().map(|attempt| attempt.number) else {
            return if self.draw(2) == 0 { self.resolve(booking) } else { self.expire(booking) };
        };
        let outcome = self.word();
        let heard = PaymentCommand::RecordConfirm { attempt, outcome: outcome.clone() };
        let told = Self::on_account(booking, &heard);
        match outcome {
            ConfirmOutcome::Captured { amount, .. } if amount == price() => {
                let sold = self.claim(booking, ClaimCommand::Convert { now });
                if sold.is_empty() {
                    // The pin has lapsed: the money is there, the seat is not.
                    let gone = self.claim(booking, ClaimCommand::Expire { now });
                    let over = Self::on_paper(booking, &ReservationCommand::Expire);
                    return vec![told, (booking.authority.stream(), gone), over];
                }
                let confirm = ReservationCommand::Confirm { paid: amount, now };
                vec![told, (booking.authority.stream(), sold), Self::on_paper(booking, &confirm)]
            }
            ConfirmOutcome::Declined { code } => {
                let back = self.claim(booking, ClaimCommand::Unpin);
                let failed = Self::on_paper(booking, &ReservationCommand::FailPayment { code });
                vec![told, (booking.authority.stream(), back), failed]
            }
            ConfirmOutcome::Captured { .. } | ConfirmOutcome::Unknown { .. } => vec![told],
        }
    }

    /// A person decides about another amount than was asked for.
    fn resolve(&mut self, booking: &mut Booked) -> Writes {
        let next = booking.account.account().map_or(0, Account::next_refund);
        let accepts = self.draw(2) == 0;
        let word = PaymentCommand::ResolveReview(Resolution {
            decision: if accepts { ReviewDecision::Accept } else { ReviewDecision::Return },
            by: Self::customer(booking),
            refund: RefundId::derive(booking.payment, next),
            now: self.now,
        });
        let told = Self::on_account(booking, &word);
        let (now, seat) = (self.now, booking.authority.stream());
        let paid = booking.account.account().map_or(price(), |account| account.captured);
        let sold =
            if accepts { self.claim(booking, ClaimCommand::Convert { now }) } else { vec![] };
        if sold.is_empty() {
            let free = self.claim(booking, ClaimCommand::Release);
            return vec![told, (seat, free), Self::on_paper(booking, &ReservationCommand::Expire)];
        }
        let confirm = Self::on_paper(booking, &ReservationCommand::Confirm { paid, now });
        vec![told, (seat, sold), confirm]
    }

    fn expire(&mut self, booking: &mut Booked) -> Writes {
        let gone = self.claim(booking, ClaimCommand::Expire { now: self.now });
        let over = Self::on_paper(booking, &ReservationCommand::Expire);
        vec![(booking.authority.stream(), gone), over]
    }

    fn abandon(&mut self, booking: &mut Booked) -> Writes {
        let cancel = ReservationCommand::Cancel {
            by: CancelledBy::Customer,
            quote: None,
            reason: None,
            refundable: price(),
            now: self.now,
        };
        let over = Self::on_paper(booking, &cancel);
        vec![over, (booking.authority.stream(), self.claim(booking, ClaimCommand::Release))]
    }

    fn quote_cancellation(&mut self, booking: &mut Booked) -> Writes {
        let quote = CancellationQuoteId::from_uuid(self.fresh());
        let (by, refundable, now) = (CancelledBy::Customer, price(), self.now);
        let command = ReservationCommand::QuoteCancellation { quote, by, refundable, now };
        vec![Self::on_paper(booking, &command)]
    }

    fn cancel(&mut self, booking: &mut Booked) -> Writes {
        let by = if self.draw(4) == 0 { CancelledBy::Provider } else { CancelledBy::Customer };
        let (reason, now) = (Some(CancellationReason::Illness), self.now);
        let (quote, refundable) = (None, price());
        let command = ReservationCommand::Cancel { by, quote, reason, refundable, now };
        let over = Self::on_paper(booking, &command);
        let refund = self.refund(booking, RefundReason::Cancellation);
        vec![over, refund, (booking.authority.stream(), self.claim(booking, ClaimCommand::Release))]
    }

    fn refund(
        &mut self,
        booking: &mut Booked,
        reason: RefundReason,
    ) -> (holdfast_domain::log::StreamId, Vec<Event>) {
        let next = booking.account.account().map_or(0, Account::next_refund);
        let refund = RefundId::derive(booking.payment, next);
        let (key, until) = (refund.to_string(), self.now.plus(Duration::from_secs(20)));
        let ask = PaymentCommand::RequestRefund {
            refund,
            amount: price(),
            reason,
            idempotency_key: key,
            inline_until: until,
        };
        Self::on_account(booking, &ask)
    }

    fn pending_refund(booking: &Booked) -> Option<RefundId> {
        use holdfast_domain::payment::RefundStage::Pending;
        let account = booking.account.account().ok()?;
        let mut refunds = account.refunds.iter();
        refunds.find(|(_, one)| matches!(one.stage, Pending { .. })).map(|(id, _)| *id)
    }

    fn resolve_refund(&mut self, booking: &mut Booked, refund: RefundId) -> Writes {
        let outcome = match self.draw(5) {
            0 => RefundOutcome::Unknown { next_try_at: self.now.plus(Duration::from_mins(1)) },
            1 => RefundOutcome::Refused { code: "TOO_LATE".to_owned() },
            _ => RefundOutcome::Succeeded { transaction: self.fresh().to_string() },
        };
        vec![Self::on_account(booking, &PaymentCommand::RecordRefund { refund, outcome })]
    }

    /// A booking that expired hears of its money after all: a fresh seat, or the money back.
    fn late_word(&mut self, booking: &mut Booked) -> Writes {
        let now = self.now;
        let Ok(account) = booking.account.account() else { return vec![] };
        let (paid, unspent) = (account.captured, account.refundable());
        if unspent.is_zero() {
            return vec![];
        }
        booking.hold = HoldId::derive(booking.id, booking.holds);
        booking.holds += 1;
        let mut seat = self.take(booking, true);
        if seat.is_empty() {
            return vec![self.refund(booking, RefundReason::LateMoney)];
        }
        seat.extend(self.claim(booking, ClaimCommand::Convert { now }));
        let again = ReservationCommand::Reinstate { hold: booking.hold, paid, now };
        vec![(booking.authority.stream(), seat), Self::on_paper(booking, &again)]
    }
}
