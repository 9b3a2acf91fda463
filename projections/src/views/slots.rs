//! `slots`: which offering's free starts changed, on which local date. Free starts are computed
//! when they are read, because they change with time alone; this view only says where to look
//! again. It keeps, per resource, its zone and the offerings of its free time that are published
//! (`r:`), per offering how far it reaches (`o:`), per claim the time that it blocks (`c:`), and
//! per class whose it is (`s:`). Drafts and what is paused are nobody's news.
//!
//! A claim changes every start whose booking would touch it, buffers included: that can reach into
//! the dates before and after. Pins and sales take nothing that the hold did not take already.

use std::collections::BTreeMap;

use holdfast_domain::booking::calendar::CalendarEvent;
use holdfast_domain::booking::offering::{OfferingEvent, OfferingKind, Terms};
use holdfast_domain::booking::resource::ResourceEvent;
use holdfast_domain::booking::session::SessionEvent;
use holdfast_domain::event::Event;
use holdfast_domain::ids::{OfferingId, ResourceId};
use holdfast_domain::log::Recorded;
use holdfast_domain::time::zone::{LocalDate, Zone};
use holdfast_domain::time::{Interval, minutes};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::calendar::claim_of;
use crate::document::{Document, Documents, FoldError, Indexes, Key};
use crate::projector::{Announcement, Projector};
use crate::topic::Topic;

/// News about the free starts of an offering. Its key is the date, or `all`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SlotsChange {
    /// Which offering.
    #[schema(value_type = String, format = Uuid)]
    pub offering_id: OfferingId,
    /// The local date whose starts changed; none is every date.
    #[schema(value_type = Option<String>, format = Date)]
    pub date: Option<LocalDate>,
}

/// What can be booked on a resource, at any free time.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct OnResource {
    zone: Zone,
    offerings: BTreeMap<OfferingId, Reach>,
}

/// How far from a claim a start can be and still touch it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Reach {
    before_minutes: u32,
    after_minutes: u32,
}

/// An offering, whether it can be booked or not.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct OnOffering {
    /// None for a class, which has dates of its own.
    reach: Option<Reach>,
}

/// Whose a class is, and on which date.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct OnSession {
    offering: OfferingId,
    date: LocalDate,
}

/// More dates than a claim of a week with its buffers can touch.
const DATES_MAX: usize = 32;

/// The view.
#[derive(Debug, Clone, Copy)]
pub struct Slots;

fn key_of(kind: &str, id: impl std::fmt::Display) -> Key {
    Key::new(format_args!("{kind}:{id}"))
}

fn claim_key(event: &Recorded, fact: &CalendarEvent) -> Key {
    Key::new(format_args!("c:{}/{}", event.stream.id(), claim_of(fact)))
}

impl Projector for Slots {
    fn name(&self) -> &'static str {
        "slots"
    }

    fn version(&self) -> u32 {
        2
    }

    fn lane(&self) -> u16 {
        7
    }

    fn keys(&self, event: &Recorded) -> Vec<Key> {
        let id = event.stream.id();
        match &event.event {
            Event::Resource(_) => vec![key_of("r", id)],
            Event::Offering(OfferingEvent::Drafted { .. }) => vec![key_of("o", id)],
            Event::Offering(
                OfferingEvent::Published { resource, .. } | OfferingEvent::Paused { resource },
            ) => vec![key_of("r", resource), key_of("o", id)],
            Event::Calendar(fact) if !matches!(effect(fact), Effect::Neither) => {
                vec![key_of("r", id), claim_key(event, fact)]
            }
            Event::Session(fact) if seats_move(fact) => vec![key_of("s", id)],
            Event::Calendar(_) | Event::Session(_) | Event::Reservation(_) | Event::Payment(_) => {
                vec![]
            }
        }
    }

    fn fold(&self, event: &Recorded, documents: &mut Documents) -> Result<(), FoldError> {
        match &event.event {
            Event::Resource(ResourceEvent::Registered { zone, .. }) => {
                let on_resource = OnResource { zone: zone.clone(), offerings: BTreeMap::new() };
                documents.put(&key_of("r", event.stream.id()), &on_resource)
            }
            Event::Offering(OfferingEvent::Drafted { kind, terms, .. }) => {
                let reach = (*kind == OfferingKind::Slot).then(|| Reach::of(terms));
                documents.put(&key_of("o", event.stream.id()), &OnOffering { reach })
            }
            Event::Offering(OfferingEvent::Published { resource, .. }) => {
                list(documents, event, resource, true)
            }
            Event::Offering(OfferingEvent::Paused { resource }) => {
                list(documents, event, resource, false)
            }
            Event::Calendar(fact) => {
                let key = claim_key(event, fact);
                match effect(fact) {
                    Effect::Takes(blocks) => documents.put(&key, &blocks)?,
                    Effect::GivesBack => {
                        // A claim that was never placed cannot be given back.
                        let _blocks: Interval = documents.read(&key)?;
                        documents.remove(&key);
                    }
                    Effect::Neither => {}
                }
                Ok(())
            }
            Event::Session(SessionEvent::Scheduled { offering, starts, .. }) => {
                let date = starts.zone.date(starts.utc);
                let on_session = OnSession { offering: *offering, date };
                documents.put(&key_of("s", event.stream.id()), &on_session)
            }
            Event::Resource(ResourceEvent::SchedulePublished { .. })
            | Event::Session(_)
            | Event::Reservation(_)
            | Event::Payment(_) => Ok(()),
        }
    }

    fn indexes(&self, _key: &Key, _document: &Document) -> Result<Indexes, FoldError> {
        Ok(Indexes::default())
    }

    fn announce(
        &self,
        event: &Recorded,
        before: &Documents,
        after: &Documents,
    ) -> Result<Vec<Announcement>, FoldError> {
        let id = event.stream.id();
        match &event.event {
            Event::Resource(ResourceEvent::Registered { .. })
            | Event::Offering(OfferingEvent::Drafted { .. })
            | Event::Reservation(_)
            | Event::Payment(_) => Ok(vec![]),
            Event::Resource(ResourceEvent::SchedulePublished { .. }) => {
                let on_resource: OnResource = after.read(&key_of("r", id))?;
                on_resource.offerings.keys().map(|offering| news(*offering, None)).collect()
            }
            Event::Offering(OfferingEvent::Published { .. } | OfferingEvent::Paused { .. }) => {
                let _known: OnOffering = after.read(&key_of("o", id))?;
                Ok(vec![news(OfferingId::from_uuid(id), None)?])
            }
            Event::Calendar(fact) => {
                let key = claim_key(event, fact);
                let blocks = after.find(&key)?.or(before.find(&key)?);
                let blocks: Interval = blocks.ok_or(FoldError::Missing(key))?;
                let on_resource: OnResource = after.read(&key_of("r", id))?;
                on_resource.touched(blocks)
            }
            Event::Session(_) => {
                let on_session: OnSession = after.read(&key_of("s", id))?;
                Ok(vec![news(on_session.offering, Some(on_session.date))?])
            }
        }
    }
}

impl Reach {
    const fn of(terms: &Terms) -> Self {
        Self {
            before_minutes: terms.duration_minutes.saturating_add(terms.buffers.after_minutes),
            after_minutes: terms.buffers.before_minutes,
        }
    }
}

/// Enters an offering of free times among those of its resource, or takes it out.
fn list(
    documents: &mut Documents,
    event: &Recorded,
    resource: &ResourceId,
    published: bool,
) -> Result<(), FoldError> {
    let id = event.stream.id();
    let OnOffering { reach } = documents.read(&key_of("o", id))?;
    let Some(reach) = reach else { return Ok(()) };
    let key = key_of("r", resource);
    let mut on_resource: OnResource = documents.read(&key)?;
    let offering = OfferingId::from_uuid(id);
    if published {
        on_resource.offerings.insert(offering, reach);
    } else {
        on_resource.offerings.remove(&offering);
    }
    documents.put(&key, &on_resource)
}

/// What an event does to the free time.
#[derive(Debug, Clone, Copy)]
enum Effect {
    Takes(Interval),
    GivesBack,
    Neither,
}

const fn effect(fact: &CalendarEvent) -> Effect {
    match fact {
        CalendarEvent::HoldPlaced { blocks, .. } | CalendarEvent::TimeBlocked { blocks, .. } => {
            Effect::Takes(*blocks)
        }
        CalendarEvent::HoldReleased { .. } | CalendarEvent::HoldExpired { .. } => Effect::GivesBack,
        CalendarEvent::HoldPinned { .. }
        | CalendarEvent::HoldUnpinned { .. }
        | CalendarEvent::HoldConverted { .. } => Effect::Neither,
    }
}

const fn seats_move(fact: &SessionEvent) -> bool {
    match fact {
        SessionEvent::Scheduled { .. }
        | SessionEvent::SeatsHeld { .. }
        | SessionEvent::SeatsReleased { .. }
        | SessionEvent::SeatsExpired { .. } => true,
        SessionEvent::SeatsPinned { .. }
        | SessionEvent::SeatsUnpinned { .. }
        | SessionEvent::SeatsConfirmed { .. } => false,
    }
}

impl OnResource {
    fn touched(&self, blocks: Interval) -> Result<Vec<Announcement>, FoldError> {
        let mut all = Vec::new();
        for (offering, reach) in &self.offerings {
            let near = blocks.widened(minutes(reach.before_minutes), minutes(reach.after_minutes));
            let (mut date, last) = (self.zone.date(near.start()), self.zone.date(near.end()));
            for _ in 0..DATES_MAX {
                all.push(news(*offering, Some(date))?);
                if date >= last {
                    break;
                }
                date = date.next();
            }
        }
        Ok(all)
    }
}

fn news(offering_id: OfferingId, date: Option<LocalDate>) -> Result<Announcement, FoldError> {
    Ok(Announcement {
        topics: vec![Topic::Slots(offering_id)],
        key: date.map_or_else(|| Key::new("all"), Key::new),
        data: Some(Document::of(&SlotsChange { offering_id, date })?),
    })
}
