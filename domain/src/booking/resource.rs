//! A bookable person or room: who owns it, where it is, and when it is open. Its rules are wall
//! clock in its own zone; what is taken of its time is the calendar's business.

use serde::{Deserialize, Serialize};

use crate::decider::Decider;
use crate::event::define::events;
use crate::ids::PrincipalId;
use crate::time::Interval;
use crate::time::zone::{LocalDate, LocalTime, Weekday, Zone};

events! {
    /// What happens to a resource.
    pub enum ResourceEvent {
        /// It was entered, by its owner.
        "registered" v 1 => Registered {
            /// Who owns it.
            owner: PrincipalId,
            /// Public catalogue text.
            display_name: String,
            /// Where its wall clock hangs.
            zone: Zone,
            /// How many may use it at once.
            capacity: u32,
        },
        /// Its opening hours were replaced.
        "schedule_published" v 1 => SchedulePublished {
            /// Counts up from 1.
            version: u32,
            /// The rules from now on.
            schedule: Schedule,
        },
    }
}

/// Opening hours on one date or day, half-open. A range whose end is not after its start runs into
/// the next day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    /// When it opens.
    pub from: LocalTime,
    /// When it closes.
    pub to: LocalTime,
}

/// Opening hours that return every week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeeklyHours {
    /// On which day they start.
    pub day: Weekday,
    /// When it opens.
    pub from: LocalTime,
    /// When it closes.
    pub to: LocalTime,
}

/// Other hours on one date; none is closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DateOverride {
    /// Which date.
    pub date: LocalDate,
    /// The hours that start on it, instead of the weekly ones.
    pub hours: Vec<Hours>,
}

/// When a resource is open.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Every week.
    pub weekly: Vec<WeeklyHours>,
    /// Instead of the weekly hours, on their dates.
    #[serde(default)]
    pub overrides: Vec<DateOverride>,
    /// Away, whatever the hours say.
    #[serde(default)]
    pub time_off: Vec<Interval>,
}

impl Schedule {
    const WEEKLY_MAX: usize = 100;
    const DATES_MAX: usize = 1_000;

    /// The hours that start on a date.
    pub fn hours_on(&self, date: LocalDate) -> Vec<Hours> {
        if let Some(override_) = self.overrides.iter().find(|entry| entry.date == date) {
            return override_.hours.clone();
        }
        let day = date.weekday();
        let mut hours: Vec<_> = self
            .weekly
            .iter()
            .filter(|weekly| weekly.day == day)
            .map(|weekly| Hours { from: weekly.from, to: weekly.to })
            .collect();
        hours.sort_by_key(|hours| hours.from);
        hours
    }

    fn check(&self) -> Result<(), ResourceRefusal> {
        if self.weekly.len() > Self::WEEKLY_MAX
            || self.overrides.len() > Self::DATES_MAX
            || self.time_off.len() > Self::DATES_MAX
            || self.overrides.iter().any(|entry| entry.hours.len() > Self::WEEKLY_MAX)
        {
            return Err(ResourceRefusal::ScheduleTooLarge);
        }
        let mut dates: Vec<_> = self.overrides.iter().map(|entry| entry.date).collect();
        dates.sort_unstable();
        if dates.windows(2).any(|pair| pair.first() == pair.last()) {
            return Err(ResourceRefusal::DateOverriddenTwice);
        }
        let opens_at_day_end = self.weekly.iter().any(|hours| hours.from.is_day_end())
            || self
                .overrides
                .iter()
                .flat_map(|entry| &entry.hours)
                .any(|hours| hours.from.is_day_end());
        let empty = self.weekly.iter().any(|hours| hours.from == hours.to)
            || self
                .overrides
                .iter()
                .flat_map(|entry| &entry.hours)
                .any(|hours| hours.from == hours.to);
        if opens_at_day_end || empty { Err(ResourceRefusal::EmptyHours) } else { Ok(()) }
    }
}

/// What can be asked of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResourceCommand {
    /// Enter it.
    Register {
        /// Who will own it.
        owner: PrincipalId,
        /// Public catalogue text.
        display_name: String,
        /// Where its wall clock hangs.
        zone: Zone,
        /// How many may use it at once.
        capacity: u32,
    },
    /// Replace its opening hours.
    PublishSchedule {
        /// Who asks.
        by: PrincipalId,
        /// The rules from now on.
        schedule: Schedule,
    },
}

/// Why a resource says no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ResourceRefusal {
    /// There is none of this id that the caller may see.
    #[error("there is no such resource")]
    NotFound,
    /// The id is taken.
    #[error("the resource is already registered")]
    AlreadyRegistered,
    /// Nobody could use it.
    #[error("a resource has a capacity of 1 to 100000")]
    InvalidCapacity,
    /// More entries than a schedule may have.
    #[error("a schedule has at most 100 weekly hours, 1000 dates and 1000 absences")]
    ScheduleTooLarge,
    /// One date, two truths.
    #[error("a date is overridden twice")]
    DateOverriddenTwice,
    /// Hours that open at 24:00, or end where they start.
    #[error("opening hours must have a length and start before 24:00")]
    EmptyHours,
}

/// The state of a resource.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Resource {
    /// Nothing was registered under this id.
    #[default]
    Absent,
    /// It is there.
    Registered(Registered),
}

/// A registered resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// Who owns it.
    pub owner: PrincipalId,
    /// Public catalogue text.
    pub display_name: String,
    /// Where its wall clock hangs.
    pub zone: Zone,
    /// How many may use it at once.
    pub capacity: u32,
    /// The version of its schedule; 0 before the first.
    pub schedule_version: u32,
    /// When it is open.
    pub schedule: Schedule,
}

impl Resource {
    /// The resource, when there is one.
    pub fn registered(&self) -> Result<&Registered, ResourceRefusal> {
        match self {
            Self::Absent => Err(ResourceRefusal::NotFound),
            Self::Registered(resource) => Ok(resource),
        }
    }
}

impl Decider for Resource {
    type Command = ResourceCommand;
    type Event = ResourceEvent;
    type Refusal = ResourceRefusal;

    fn decide(&self, command: &ResourceCommand) -> Result<Vec<ResourceEvent>, ResourceRefusal> {
        match command {
            ResourceCommand::Register { owner, display_name, zone, capacity } => match self {
                Self::Registered(_) => Err(ResourceRefusal::AlreadyRegistered),
                Self::Absent if !(1..=100_000).contains(capacity) => {
                    Err(ResourceRefusal::InvalidCapacity)
                }
                Self::Absent => Ok(vec![ResourceEvent::Registered {
                    owner: *owner,
                    display_name: display_name.clone(),
                    zone: zone.clone(),
                    capacity: *capacity,
                }]),
            },
            ResourceCommand::PublishSchedule { by, schedule } => {
                let resource = self.registered()?;
                if resource.owner != *by {
                    return Err(ResourceRefusal::NotFound);
                }
                schedule.check()?;
                if resource.schedule_version > 0 && resource.schedule == *schedule {
                    return Ok(vec![]);
                }
                Ok(vec![ResourceEvent::SchedulePublished {
                    version: resource.schedule_version.saturating_add(1),
                    schedule: schedule.clone(),
                }])
            }
        }
    }

    fn evolve(self, event: &ResourceEvent) -> Self {
        match event {
            ResourceEvent::Registered { owner, display_name, zone, capacity } => {
                Self::Registered(Registered {
                    owner: *owner,
                    display_name: display_name.clone(),
                    zone: zone.clone(),
                    capacity: *capacity,
                    schedule_version: 0,
                    schedule: Schedule::default(),
                })
            }
            ResourceEvent::SchedulePublished { version, schedule } => match self {
                Self::Absent => Self::Absent,
                Self::Registered(resource) => Self::Registered(Registered {
                    schedule_version: *version,
                    schedule: schedule.clone(),
                    ..resource
                }),
            },
        }
    }
}
