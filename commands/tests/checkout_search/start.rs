//! How a world begins: what its provider put up, and in some of them a seat that is paid for.

use std::rc::Rc;

use holdfast_commands::catalog::{AboutResource, DraftOffering, OpenOffering, ScheduleSession};
use holdfast_commands::state::States;
use holdfast_domain::booking::offering::{Buffers, OfferingKind, Terms};
use holdfast_domain::booking::resource::{Schedule, WeeklyHours};
use holdfast_domain::policy::CancellationPolicy;
use holdfast_domain::time::zone::{Weekday, Zone};

use crate::fault::Fault;
use crate::model::{Customer, Node};
use crate::moves::{buy, reserve};
use crate::setting::*;

/// The first state of a search.
pub(crate) fn start(setting: Setting, fault: Fault) -> Node {
    let customers = vec![Customer::default(); setting.customers.len()];
    let (paid, place) = (setting.paid, setting.place);
    let mut node = Node {
        setting: Rc::new(setting),
        fault,
        states: States::new(),
        customers,
        now: morning(),
        complaint: None,
        overtaking: false,
        overtaken: 0,
    };
    put_up(&mut node, place);
    if paid {
        reserve(&mut node, 0).unwrap();
        buy(&mut node, 0);
    }
    node
}

fn put_up(node: &mut Node, place: Place) {
    let zone: Zone = "Asia/Seoul".parse().unwrap();
    let register = AboutResource::register(resource(), provider(), "M1".into(), zone.clone(), 1);
    node.decide(&register).unwrap();
    let open = WeeklyHours {
        day: Weekday::Mon,
        from: "09:00".parse().unwrap(),
        to: "18:00".parse().unwrap(),
    };
    let schedule = Schedule { weekly: vec![open], ..Schedule::default() };
    node.decide(&AboutResource::publish_schedule(resource(), provider(), schedule)).unwrap();
    let (kind, capacity, booking_deadline_minutes) = match place {
        Place::Slot => (OfferingKind::Slot, None, 0),
        Place::Class { capacity, closes_minutes } => {
            (OfferingKind::Class, Some(capacity), closes_minutes)
        }
    };
    let terms = Terms {
        duration_minutes: 60,
        price: money(node.setting.price),
        buffers: Buffers::default(),
        min_notice_minutes: 0,
        booking_window_days: 30,
        booking_deadline_minutes,
        hold_minutes: 10,
        capacity,
        cancellation_policy: CancellationPolicy::standard(),
    };
    let draft = DraftOffering {
        offering: offering(),
        provider: provider(),
        resource: resource(),
        title: "O60".into(),
        kind,
        terms,
    };
    node.decide(&draft).unwrap();
    node.decide(&OpenOffering { offering: offering(), by: provider(), open: true }).unwrap();
    if capacity.is_some() {
        let schedule = ScheduleSession {
            session: session(),
            offering: offering(),
            resource: resource(),
            by: provider(),
            starts_at: node.setting.starts,
            zone,
            capacity: None,
            min_capacity: None,
        };
        node.decide(&schedule).unwrap();
    }
}
