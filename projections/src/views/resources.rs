//! `resources`: a bookable person or room with its opening hours.

use holdfast_domain::booking::resource::{ResourceEvent, Schedule};
use holdfast_domain::event::Event;
use holdfast_domain::ids::{PrincipalId, ResourceId};
use holdfast_domain::log::{Recorded, Revision};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::document::{FoldError, Indexes, Key};
use crate::topic::Topic;
use crate::typed::View;

/// A resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ResourceDocument {
    /// Its id.
    #[schema(value_type = String, format = Uuid)]
    pub id: ResourceId,
    /// Who owns it.
    #[schema(value_type = String, format = Uuid)]
    pub owner: PrincipalId,
    /// Public catalogue text.
    pub display_name: String,
    /// Where its wall clock hangs.
    pub zone: String,
    /// How many may use it at once.
    pub capacity: u32,
    /// The version of its opening hours; 0 before the first.
    pub schedule_version: u32,
    /// When it is open.
    #[schema(value_type = Object)]
    pub schedule: Schedule,
    /// The revision of its stream, for the `ETag`.
    #[schema(value_type = u64)]
    pub revision: Revision,
}

/// The view.
#[derive(Debug, Clone, Copy)]
pub struct Resources;

impl View for Resources {
    type Document = ResourceDocument;
    const NAME: &'static str = "resources";
    const VERSION: u32 = 1;
    const LANE: u16 = 4;
    const SHARED: bool = true;

    fn key(&self, event: &Recorded) -> Option<Key> {
        matches!(event.event, Event::Resource(_)).then(|| Key::new(event.stream.id()))
    }

    fn fold(
        &self,
        key: &Key,
        document: Option<ResourceDocument>,
        event: &Recorded,
    ) -> Result<Option<ResourceDocument>, FoldError> {
        let Event::Resource(fact) = &event.event else { return Ok(document) };
        let revision = event.revision;
        match fact {
            ResourceEvent::Registered { owner, display_name, zone, capacity } => {
                Ok(Some(ResourceDocument {
                    id: ResourceId::from_uuid(event.stream.id()),
                    owner: *owner,
                    display_name: display_name.clone(),
                    zone: zone.name().to_owned(),
                    capacity: *capacity,
                    schedule_version: 0,
                    schedule: Schedule::default(),
                    revision,
                }))
            }
            ResourceEvent::SchedulePublished { version, schedule } => {
                let known = document.ok_or_else(|| FoldError::Missing(key.clone()))?;
                let (schedule_version, schedule) = (*version, schedule.clone());
                Ok(Some(ResourceDocument { schedule_version, schedule, revision, ..known }))
            }
        }
    }

    fn indexes(&self, document: &ResourceDocument) -> Indexes {
        Indexes {
            owner: Some(document.owner.to_string()),
            // Without a time of its own: listed by id.
            at: Some(0),
            ..Indexes::default()
        }
    }

    fn topics(&self, _document: &ResourceDocument) -> Vec<Topic> {
        vec![]
    }
}
