//! A breadth-first search over the real use cases: one seat, two customers, a provider of payments
//! that loses answers and declines, a clock that jumps, a runner that dies between its steps. Every
//! reachable state is checked. Then the same search over planted faults, each of which it must find.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher};
use std::sync::Arc;

use holdfast_commands::about::About;
use holdfast_commands::cancel::Cancel;
use holdfast_commands::checkout::{Advance, Report, Said, StartConfirm};
use holdfast_commands::ports::Presenter;
use holdfast_commands::refusal::Refusal;
use holdfast_commands::request::Request;
use holdfast_commands::reserve::{Reserve, Seat};
use holdfast_commands::state::{Known, State, States};
use holdfast_commands::use_case::{Outcome, UseCase};
use holdfast_commands::world::World;
use holdfast_domain::actor::Actor;
use holdfast_domain::booking::calendar::CalendarEvent;
use holdfast_domain::booking::hold::Phase;
use holdfast_domain::booking::offering::{Buffers, Drafted, OfferingEvent, OfferingKind, Terms};
use holdfast_domain::booking::reservation::{
    CancellationQuote, CancelledBy, Paper, Reservation, ReservationEvent, Stage as Paperwork,
};
use holdfast_domain::booking::resource::{Registered, ResourceEvent, Schedule, WeeklyHours};
use holdfast_domain::booking::session::Seats;
use holdfast_domain::booking::{
    Authority, offering_stream, payment_stream, reservation_stream, resource_stream,
};
use holdfast_domain::event::Event;
use holdfast_domain::ids::{
    CommandId, OfferingId, PaymentId, PrincipalId, RefundId, ReservationId, ResourceId, SessionId,
};
use holdfast_domain::log::{Hash, Revision, StreamId};
use holdfast_domain::money::{Currency, Money};
use holdfast_domain::payment::{
    Account, ConfirmOutcome, Payment, Refund, RefundOutcome, RefundStage, Stage,
};
use holdfast_domain::policy::CancellationPolicy;
use holdfast_domain::process::retry::{self, Ask};
use holdfast_domain::process::{Call, Step};
use holdfast_domain::time::Timestamp;
use holdfast_domain::time::zone::{Weekday, Zone};
use uuid::Uuid;

/// Answers lost, or crashes, on the way of each customer's calls; after these the provider answers.
/// The second customer is there to want the same seat: her own calls fail no more than they must.
const LOSSES_MAX: [u8; 2] = [1, 0];
/// Declines that the provider may give.
const DECLINES_MAX: [u8; 2] = [1, 0];
/// Captures that a customer tries.
const ATTEMPTS_MAX: [u32; 2] = [2, 1];

/// What is broken on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
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
}

/// The provider's own books about one order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Ledger {
    captures: BTreeMap<String, bool>,
    captured: u64,
    returned: BTreeSet<String>,
    returned_sum: u64,
}

#[derive(Debug, Clone, Default)]
struct Customer {
    ledger: Ledger,
    in_flight: Option<(Call, bool)>,
    losses: u8,
    declines: u8,
    cancelled: bool,
}

#[derive(Debug, Clone)]
struct Node {
    states: States,
    customers: [Customer; 2],
    now: Timestamp,
}

#[derive(Debug)]
struct Blind;

impl Presenter for Blind {
    fn resource(&self, _: ResourceId, _: &Registered, _: Revision) -> Vec<u8> {
        vec![]
    }
    fn offering(&self, _: OfferingId, _: &Drafted, _: Revision) -> Vec<u8> {
        vec![]
    }
    fn session(&self, _: SessionId, _: &Seats, _: Revision) -> Vec<u8> {
        vec![]
    }
    fn reservation(
        &self,
        _: ReservationId,
        _: &Paper,
        _: Option<(PaymentId, &Account)>,
        _: Revision,
    ) -> Vec<u8> {
        vec![]
    }
    fn refund(&self, _: PaymentId, _: RefundId, _: &Refund) -> Vec<u8> {
        vec![]
    }
    fn cancellation_quote(&self, _: ReservationId, _: &CancellationQuote) -> Vec<u8> {
        vec![]
    }
    fn refusal(&self, _: &Refusal, _: &Request) -> (u16, Vec<u8>) {
        (409, vec![])
    }
}

fn id(n: u128) -> Uuid {
    Uuid::from_u128(0x018f_2a10_7c5e_7000_8000_0000_0000_0000 + n)
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn price() -> Money {
    Money::try_new(50_000, Currency::Krw).unwrap()
}

fn resource() -> ResourceId {
    ResourceId::from_uuid(id(1))
}

fn offering() -> OfferingId {
    OfferingId::from_uuid(id(2))
}

fn provider() -> PrincipalId {
    PrincipalId::from_uuid(id(3))
}

fn about(customer: usize) -> About {
    let n = u128::try_from(customer).unwrap() * 10;
    About {
        reservation: ReservationId::from_uuid(id(100 + n)),
        payment: Some(PaymentId::from_uuid(id(200 + n))),
        authority: Authority::Calendar(resource()),
        resource: resource(),
        offering: offering(),
        customer: PrincipalId::from_uuid(id(300 + n)),
        provider: provider(),
    }
}

fn request(dedupe: &str) -> Request {
    Request {
        command_id: CommandId::of_step("search", &id(9), dedupe),
        remembered_as: None,
        fingerprint: Hash::ZERO,
        actor: Actor::Process { name: "search".into() },
        correlation: None,
        causation: None,
        traceparent: None,
        path: String::new(),
        request_id: String::new(),
        if_match: None,
        dry_run: false,
    }
}

fn start() -> Node {
    let terms = Terms {
        duration_minutes: 60,
        price: price(),
        buffers: Buffers::default(),
        min_notice_minutes: 0,
        booking_window_days: 30,
        booking_deadline_minutes: 0,
        hold_minutes: 10,
        capacity: None,
        cancellation_policy: CancellationPolicy::standard(),
    };
    let open = WeeklyHours {
        day: Weekday::Mon,
        from: "10:00".parse().unwrap(),
        to: "18:00".parse().unwrap(),
    };
    let zone: Zone = "Asia/Seoul".parse().unwrap();
    let history: [(StreamId, Event); 4] = [
        (
            resource_stream(resource()),
            ResourceEvent::Registered {
                owner: provider(),
                display_name: "M1".into(),
                zone,
                capacity: 1,
            }
            .into(),
        ),
        (
            resource_stream(resource()),
            ResourceEvent::SchedulePublished {
                version: 1,
                schedule: Schedule { weekly: vec![open], ..Schedule::default() },
            }
            .into(),
        ),
        (
            offering_stream(offering()),
            OfferingEvent::Drafted {
                provider: provider(),
                resource: resource(),
                title: "O60".into(),
                kind: OfferingKind::Slot,
                terms,
            }
            .into(),
        ),
        (offering_stream(offering()), OfferingEvent::Published { version: 1 }.into()),
    ];
    let mut states = States::new();
    for (stream, event) in history {
        let known = states.entry(stream).or_insert_with(|| Known::absent(stream));
        known.state = known.state.clone().evolve(&event);
    }
    Node { states, customers: Default::default(), now: at("2026-03-09T00:00:00Z") }
}

impl Node {
    fn decide(&mut self, use_case: &dyn UseCase, fault: Fault) -> Result<Outcome, Refusal> {
        let presenter: Arc<dyn Presenter> = Arc::new(Blind);
        let mut states = self.states.clone();
        let mut world = World::new(&mut states, self.now, &presenter);
        let outcome = use_case.decide(&mut world, &request("x"))?;
        let journal = world.into_journal();
        // Facts are applied here, so that a fault can leave one out.
        for (stream, event) in journal {
            if leaves_out(fault, &event) {
                continue;
            }
            let known = self.states.entry(stream).or_insert_with(|| Known::absent(stream));
            known.state = known.state.clone().evolve(&event);
        }
        Ok(outcome)
    }

    fn paper(&self, customer: usize) -> Option<&Paper> {
        match self.states.get(&reservation_stream(about(customer).reservation)).map(|k| &k.state) {
            Some(State::Reservation(Reservation::Requested(paper))) => Some(paper),
            _ => None,
        }
    }

    fn claim_end(&self, customer: usize) -> Option<Timestamp> {
        let hold = self.paper(customer)?.hold;
        let calendar = Authority::Calendar(resource()).stream();
        match self.states.get(&calendar).map(|known| &known.state) {
            Some(State::Calendar(calendar)) => calendar.claim(hold)?.ends_at(),
            _ => None,
        }
    }

    fn account(&self, customer: usize) -> Option<&Account> {
        let stream = payment_stream(about(customer).payment.unwrap());
        match self.states.get(&stream).map(|k| &k.state) {
            Some(State::Payment(Payment::Initiated(account))) => Some(account),
            _ => None,
        }
    }

    fn step(&self, customer: usize) -> Step {
        if self.paper(customer).is_none() {
            return Step::Rest;
        }
        let mut states = self.states.clone();
        let presenter: Arc<dyn Presenter> = Arc::new(Blind);
        let world = World::new(&mut states, self.now, &presenter);
        about(customer).next(&world, false).unwrap()
    }

    fn key(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        format!("{:?}{:?}{}", self.states, self.customers, self.now).hash(&mut hasher);
        hasher.finish()
    }
}

fn leaves_out(fault: Fault, event: &Event) -> bool {
    let pinned = matches!(event, Event::Calendar(CalendarEvent::HoldPinned { .. }));
    matches!(fault, Fault::NoPin | Fault::ConfirmAnyway) && pinned
}

/// Everything that can happen next.
fn moves(node: &Node, fault: Fault) -> Vec<(String, Node)> {
    let mut next = Vec::new();
    for customer in 0..2 {
        customer_moves(node, customer, fault, &mut next);
        match node.customers[customer].in_flight.clone() {
            Some((call, for_caller)) => {
                provider_moves(node, customer, &call, for_caller, fault, &mut next);
            }
            None => runner_moves(node, customer, fault, &mut next),
        }
    }
    time_moves(node, &mut next);
    next
}

fn customer_moves(node: &Node, customer: usize, fault: Fault, next: &mut Vec<(String, Node)>) {
    let about = about(customer);
    if node.paper(customer).is_none() {
        let mut after = node.clone();
        let reserve = Reserve {
            reservation: about.reservation,
            payment: about.payment.unwrap(),
            customer: about.customer,
            offering: offering(),
            resource: resource(),
            seat: Seat::At(at("2026-03-09T05:00:00Z")),
            party_size: 1,
            ends_at: None,
            expected_total: None,
        };
        if after.decide(&reserve, fault).is_ok() {
            next.push((format!("{customer} holds"), after));
        }
        return;
    }
    let idle = node.customers[customer].in_flight.is_none();
    let attempts = node.account(customer).map_or(0, |account| account.attempts);
    if idle && attempts < ATTEMPTS_MAX[customer] {
        let mut after = node.clone();
        let confirm = StartConfirm {
            about,
            order: about.payment.unwrap(),
            payment_key: format!("key-{attempts}"),
            amount: price(),
        };
        if let Ok(outcome) = after.decide(&confirm, fault)
            && let Step::Call(call) = outcome.step
        {
            after.customers[customer].in_flight = Some((call, true));
            next.push((format!("{customer} pays"), after));
        }
    }
    if customer == 0 && !node.customers[customer].cancelled {
        let mut after = node.clone();
        let cancel = Cancel { about, by: CancelledBy::Customer, quote: None, reason: None };
        if after.decide(&cancel, fault).is_ok() {
            after.customers[customer].cancelled = true;
            next.push((format!("{customer} cancels"), after));
        }
    }
}

fn runner_moves(node: &Node, customer: usize, fault: Fault, next: &mut Vec<(String, Node)>) {
    if node.paper(customer).is_none() || ignores(node, customer, fault) {
        return;
    }
    let mut after = node.clone();
    let Ok(outcome) = after.decide(&Advance { about: about(customer) }, fault) else { return };
    if let Step::Call(call) = outcome.step {
        after.customers[customer].in_flight = Some((call, false));
    }
    if after.key() != node.key() {
        next.push((format!("the runner looks at {customer}"), after));
    }
}

fn ignores(node: &Node, customer: usize, fault: Fault) -> bool {
    let gone = node
        .paper(customer)
        .is_some_and(|paper| matches!(paper.stage, Paperwork::Expired | Paperwork::Abandoned));
    fault == Fault::LateIgnored && gone
}

/// The provider acts on a call, or it is lost before or after.
fn provider_moves(
    node: &Node,
    customer: usize,
    call: &Call,
    for_caller: bool,
    fault: Fault,
    next: &mut Vec<(String, Node)>,
) {
    let lossy = node.customers[customer].losses < LOSSES_MAX[customer];
    for declines in [false, true] {
        if declines && node.customers[customer].declines >= DECLINES_MAX[customer] {
            continue;
        }
        let mut acted = node.clone();
        let Some(said) = act(&mut acted, customer, call, declines, fault) else { continue };
        let mut heard = acted.clone();
        heard.customers[customer].in_flight = None;
        report(&mut heard, customer, said, for_caller, fault);
        next.push((format!("the provider answers {customer} {call:?}"), heard));
        if lossy {
            acted.customers[customer].losses += 1;
            lose(acted, customer, call, for_caller, fault, next);
        }
    }
    if lossy {
        let mut lost = node.clone();
        lost.customers[customer].losses += 1;
        lose(lost, customer, call, for_caller, fault, next);
    }
}

/// No answer comes back: the caller writes that down, or dies before it can.
fn lose(
    node: Node,
    customer: usize,
    call: &Call,
    for_caller: bool,
    fault: Fault,
    next: &mut Vec<(String, Node)>,
) {
    let mut died = node.clone();
    died.customers[customer].in_flight = None;
    next.push((format!("the process dies during {customer}'s call"), died));
    let mut unknown = node;
    unknown.customers[customer].in_flight = None;
    let (Call::Capture { tries, .. } | Call::Refund { tries, .. }) = call;
    let next_try_at = retry::next_try_at(tries + 1, unknown.now);
    let said = match call {
        Call::Capture { attempt, .. } => Said::OfCapture {
            attempt: *attempt,
            outcome: if fault == Fault::LostIsDeclined {
                ConfirmOutcome::Declined { code: "TIMEOUT".into() }
            } else {
                ConfirmOutcome::Unknown { next_try_at }
            },
        },
        Call::Refund { refund, .. } => {
            Said::OfRefund { refund: *refund, outcome: RefundOutcome::Unknown { next_try_at } }
        }
    };
    report(&mut unknown, customer, said, for_caller, fault);
    next.push((format!("{customer}'s answer is lost"), unknown));
}

/// What the provider does and says. `None` when this outcome cannot be.
fn act(
    node: &mut Node,
    customer: usize,
    call: &Call,
    declines: bool,
    fault: Fault,
) -> Option<Said> {
    let entry = &mut node.customers[customer];
    match call {
        Call::Capture { attempt, idempotency_key, amount, ask, .. } => {
            let known = entry.ledger.captures.get(idempotency_key).copied();
            let took = match (known, ask) {
                (Some(took), _) => {
                    if declines {
                        return None;
                    }
                    took
                }
                (None, Ask::ReadFinally) => false,
                (None, Ask::Again | Ask::Read) => {
                    entry.ledger.captures.insert(idempotency_key.clone(), !declines);
                    if declines {
                        entry.declines += 1;
                    } else {
                        entry.ledger.captured += amount.minor();
                    }
                    !declines
                }
            };
            let outcome = if took {
                ConfirmOutcome::Captured { transaction: idempotency_key.clone(), amount: *amount }
            } else {
                ConfirmOutcome::Declined { code: "NO".into() }
            };
            Some(Said::OfCapture { attempt: *attempt, outcome })
        }
        Call::Refund { refund, amount, idempotency_key, tries, .. } => {
            if declines {
                return None;
            }
            let key = match fault {
                Fault::RefundWithoutKey => format!("{idempotency_key}-{tries}-{}", entry.losses),
                _ => idempotency_key.clone(),
            };
            if entry.ledger.returned.insert(key) {
                entry.ledger.returned_sum += amount.minor();
            }
            let outcome = RefundOutcome::Succeeded { transaction: refund_name(*refund) };
            Some(Said::OfRefund { refund: *refund, outcome })
        }
    }
}

fn refund_name(refund: RefundId) -> String {
    refund.to_string()
}

fn report(node: &mut Node, customer: usize, said: Said, for_caller: bool, fault: Fault) {
    let about = about(customer);
    let captured = matches!(said, Said::OfCapture { outcome: ConfirmOutcome::Captured { .. }, .. });
    if fault == Fault::ConfirmAnyway && captured {
        let stream = reservation_stream(about.reservation);
        let event =
            Event::from(ReservationEvent::Confirmed { paid: price(), confirmed_at: node.now });
        let known = node.states.get_mut(&stream).unwrap();
        known.state = known.state.clone().evolve(&event);
    }
    let report = Report { about, order: about.payment.unwrap(), said, for_caller };
    if ignores(node, customer, fault) {
        return;
    }
    node.decide(&report, fault).unwrap();
}

/// The clock jumps to the next instant at which anything changes.
fn time_moves(node: &Node, next: &mut Vec<(String, Node)>) {
    let waits = (0..2).filter_map(|customer| match node.step(customer) {
        Step::Wait(until) => Some(until),
        Step::Rest | Step::Record(_) | Step::Call(_) => None,
    });
    let holds =
        (0..2).filter_map(|customer| node.paper(customer)).map(|paper| paper.hold_expires_at);
    // Nobody looked for so long that a pin lapsed.
    let pins = (0..2).filter_map(|customer| node.claim_end(customer));
    let later = waits.chain(holds).chain(pins).filter(|instant| *instant > node.now);
    for instant in later.collect::<BTreeSet<_>>() {
        let mut after = node.clone();
        after.now = instant;
        next.push((format!("the clock shows {instant}"), after));
    }
}

/// What must never be.
fn bad(node: &Node) -> Option<String> {
    let mut confirmed = 0;
    for customer in 0..2 {
        let entry = &node.customers[customer];
        if entry.ledger.returned_sum > entry.ledger.captured {
            return Some(format!("{customer} was refunded twice"));
        }
        let Some(paper) = node.paper(customer) else { continue };
        if let Paperwork::Confirmed { .. } = paper.stage {
            confirmed += 1;
            if !has_firm_seat(node, paper) {
                return Some(format!("{customer} is confirmed without the seat"));
            }
            if entry.ledger.captured == 0 {
                return Some(format!("{customer} is confirmed without money"));
            }
            if node.account(customer).is_some_and(|account| !account.refunds.is_empty()) {
                return Some(format!("{customer} is confirmed and refunded"));
            }
        }
    }
    (confirmed > 1).then(|| "two are confirmed".to_owned())
}

fn has_firm_seat(node: &Node, paper: &Paper) -> bool {
    match node.states.get(&Authority::Calendar(resource()).stream()).map(|known| &known.state) {
        Some(State::Calendar(calendar)) => {
            calendar.claim(paper.hold).is_some_and(|claim| claim.phase == Phase::Firm)
        }
        _ => false,
    }
}

/// What must not be when nothing more will happen.
fn bad_at_rest(node: &Node) -> Option<String> {
    for customer in 0..2 {
        let entry = &node.customers[customer];
        let kept = entry.ledger.captured - entry.ledger.returned_sum;
        let stage = node.paper(customer).map(|paper| &paper.stage);
        let entitled = match stage {
            Some(Paperwork::Confirmed { .. }) => true,
            // What a late cancellation does not return is rightly kept.
            Some(Paperwork::Cancelled { refund, .. }) => refund.kept.minor() == kept,
            _ => false,
        };
        if kept > 0 && !entitled {
            return Some(format!("the provider keeps {kept} of {customer}'s money for nothing"));
        }
        let Some(account) = node.account(customer) else { continue };
        if matches!(account.stage, Stage::Confirming(_) | Stage::Unknown(_)) {
            return Some(format!("{customer}'s payment stays unknown"));
        }
        let pending = |stage: &RefundStage| matches!(stage, RefundStage::Pending { .. });
        if account.refunds.values().any(|refund| pending(&refund.stage)) {
            return Some(format!("{customer}'s refund stays pending"));
        }
    }
    None
}

struct Found {
    states: usize,
    at_rest: usize,
    refunded_late: usize,
    reinstated: usize,
    violation: Option<(String, Vec<String>)>,
}

fn search(fault: Fault, states_max: usize) -> Found {
    let first = start();
    let mut found =
        Found { states: 0, at_rest: 0, refunded_late: 0, reinstated: 0, violation: None };
    let mut seen: BTreeMap<u64, Option<(u64, String)>> = BTreeMap::from([(first.key(), None)]);
    let mut queue = VecDeque::from([first]);
    while let Some(node) = queue.pop_front() {
        found.states += 1;
        let next = moves(&node, fault);
        let complaint =
            bad(&node).or_else(|| next.is_empty().then(|| bad_at_rest(&node)).flatten());
        if let Some(what) = complaint {
            found.violation = Some((what, path(&seen, node.key())));
            return found;
        }
        found.at_rest += usize::from(next.is_empty());
        for customer in 0..2 {
            let late = node.paper(customer).is_some_and(|paper| paper.stage == Paperwork::Expired);
            let back = node.account(customer).is_some_and(|account| !account.refunded().is_zero());
            found.refunded_late += usize::from(late && back);
            found.reinstated += usize::from(
                node.paper(customer).is_some_and(|paper| paper.hold != paper.booking.hold),
            );
        }
        assert!(found.states < states_max, "the search does not end");
        for (label, after) in next {
            let key = after.key();
            if !seen.contains_key(&key) {
                seen.insert(key, Some((node.key(), label)));
                queue.push_back(after);
            }
        }
    }
    found
}

fn path(seen: &BTreeMap<u64, Option<(u64, String)>>, last: u64) -> Vec<String> {
    let mut steps = Vec::new();
    let mut key = last;
    while let Some(Some((before, label))) = seen.get(&key) {
        steps.push(label.clone());
        key = *before;
    }
    steps.reverse();
    steps
}

#[test]
fn no_order_of_losses_crashes_and_deadlines_breaks_a_promise() {
    let found = search(Fault::None, 400_000);
    assert_eq!(found.violation, None);
    assert!(found.at_rest > 0, "no run came to rest");
    assert!(found.refunded_late > 0, "late money was never returned: the search is too small");
    assert!(found.reinstated > 0, "late money never found a seat: the search is too small");
    println!("{} states, {} at rest", found.states, found.at_rest);
}

#[test]
fn without_the_pin_nothing_breaks_but_the_service() {
    assert_eq!(search(Fault::NoPin, 800_000).violation, None);
}

#[test]
fn each_planted_fault_is_found() {
    let faults = [
        (Fault::ConfirmAnyway, "without the seat"),
        (Fault::LostIsDeclined, "for nothing"),
        (Fault::LateIgnored, "for nothing"),
        (Fault::RefundWithoutKey, "refunded twice"),
    ];
    for (fault, expected) in faults {
        let found = search(fault, 800_000);
        let (what, steps) = found.violation.unwrap_or_else(|| panic!("{fault:?} was not found"));
        assert!(what.contains(expected), "{fault:?}: {what} after {steps:#?}");
    }
}
