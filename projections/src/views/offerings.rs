//! `offerings`: what can be booked, with its rules as they were last written down.

use holdfast_domain::booking::offering::{
    Availability, Buffers, OfferingEvent, OfferingKind, Terms,
};
use holdfast_domain::event::Event;
use holdfast_domain::ids::{OfferingId, PrincipalId, ResourceId};
use holdfast_domain::log::{Recorded, Revision};
use holdfast_domain::money::Money;
use holdfast_domain::policy::CancellationPolicy;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::schema::MoneyShape;
use crate::document::{FoldError, Indexes, Key};
use crate::topic::Topic;
use crate::typed::View;

/// An offering.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OfferingDocument {
    /// Its id.
    #[schema(value_type = String, format = Uuid)]
    pub id: OfferingId,
    /// Who offers it.
    #[schema(value_type = String, format = Uuid)]
    pub provider: PrincipalId,
    /// Whose time it takes.
    #[schema(value_type = String, format = Uuid)]
    pub resource_id: ResourceId,
    /// Public catalogue text.
    pub title: String,
    /// How it is booked: `slot` or `class`.
    #[schema(value_type = String, example = "slot")]
    pub kind: OfferingKind,
    /// Whether it can be booked: `draft`, `published` or `paused`.
    #[schema(value_type = String, example = "published")]
    pub status: Availability,
    /// How often it was published.
    pub version: u32,
    /// How long it takes.
    pub duration_minutes: u32,
    /// What one person pays.
    #[schema(value_type = MoneyShape)]
    pub price: Money,
    /// Time kept free around it.
    #[schema(value_type = Object)]
    pub buffers: Buffers,
    /// How long before its start it must be booked, at least.
    pub min_notice_minutes: u32,
    /// How far ahead it can be booked, at most.
    pub booking_window_days: u32,
    /// For classes: how long before the start booking closes.
    pub booking_deadline_minutes: u32,
    /// How long a seat is held for a payment.
    pub hold_minutes: u32,
    /// For classes: how many seats a session has unless it says otherwise.
    pub capacity: Option<u32>,
    /// What is returned on a cancellation.
    #[schema(value_type = Object)]
    pub cancellation_policy: CancellationPolicy,
    /// The revision of its stream, for the `ETag`.
    #[schema(value_type = u64)]
    pub revision: Revision,
}

impl OfferingDocument {
    /// Its rules, in the form in which the domain computes with them.
    pub fn terms(&self) -> Terms {
        Terms {
            duration_minutes: self.duration_minutes,
            price: self.price,
            buffers: self.buffers,
            min_notice_minutes: self.min_notice_minutes,
            booking_window_days: self.booking_window_days,
            booking_deadline_minutes: self.booking_deadline_minutes,
            hold_minutes: self.hold_minutes,
            capacity: self.capacity,
            cancellation_policy: self.cancellation_policy.clone(),
        }
    }
}

/// The view.
#[derive(Debug, Clone, Copy)]
pub struct Offerings;

impl View for Offerings {
    type Document = OfferingDocument;
    const NAME: &'static str = "offerings";
    const VERSION: u32 = 1;
    const LANE: u16 = 5;
    const SHARED: bool = true;

    fn key(&self, event: &Recorded) -> Option<Key> {
        matches!(event.event, Event::Offering(_)).then(|| Key::new(event.stream.id()))
    }

    fn fold(
        &self,
        key: &Key,
        document: Option<OfferingDocument>,
        event: &Recorded,
    ) -> Result<Option<OfferingDocument>, FoldError> {
        let Event::Offering(fact) = &event.event else { return Ok(document) };
        let known = document.ok_or_else(|| FoldError::Missing(key.clone()));
        let revision = event.revision;
        match fact {
            OfferingEvent::Drafted { provider, resource, title, kind, terms } => {
                Ok(Some(OfferingDocument {
                    id: OfferingId::from_uuid(event.stream.id()),
                    provider: *provider,
                    resource_id: *resource,
                    title: title.clone(),
                    kind: *kind,
                    status: Availability::Draft,
                    version: 0,
                    duration_minutes: terms.duration_minutes,
                    price: terms.price,
                    buffers: terms.buffers,
                    min_notice_minutes: terms.min_notice_minutes,
                    booking_window_days: terms.booking_window_days,
                    booking_deadline_minutes: terms.booking_deadline_minutes,
                    hold_minutes: terms.hold_minutes,
                    capacity: terms.capacity,
                    cancellation_policy: terms.cancellation_policy.clone(),
                    revision,
                }))
            }
            OfferingEvent::Published { version, .. } => {
                let (status, version) = (Availability::Published, *version);
                Ok(Some(OfferingDocument { status, version, revision, ..known? }))
            }
            OfferingEvent::Paused { .. } => {
                let status = Availability::Paused;
                Ok(Some(OfferingDocument { status, revision, ..known? }))
            }
        }
    }

    fn indexes(&self, document: &OfferingDocument) -> Indexes {
        let status = match document.status {
            Availability::Draft => "draft",
            Availability::Published => "published",
            Availability::Paused => "paused",
        };
        Indexes {
            provider: Some(document.provider.to_string()),
            status: Some(status.to_owned()),
            resource: Some(document.resource_id.to_string()),
            // Without a time of its own: listed by id.
            at: Some(0),
            ..Indexes::default()
        }
    }

    fn topics(&self, _document: &OfferingDocument) -> Vec<Topic> {
        vec![]
    }
}
