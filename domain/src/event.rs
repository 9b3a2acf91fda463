//! One enum over all aggregates' events, nested per aggregate, so that a reader can say that a
//! whole aggregate is nothing to it. Stored names and versions are a contract: a rename in Rust
//! does not change them, and a shape that was ever stored is read for ever.

pub(crate) mod define;

pub use define::{Definition, Unreadable};

use serde::{Deserializer, Serializer};

use crate::booking::calendar::CalendarEvent;
use crate::booking::offering::OfferingEvent;
use crate::booking::reservation::ReservationEvent;
use crate::booking::resource::ResourceEvent;
use crate::booking::session::SessionEvent;
use crate::payment::PaymentEvent;
use crate::stream::Category;

/// Joins the aggregates' events; each arm is one aggregate.
macro_rules! aggregates {
    ($($variant:ident($event:ty)),* $(,)?) => {
        /// Anything that may have happened.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Event {
            $(
                #[doc = concat!("To a ", stringify!($variant), ".")]
                $variant($event),
            )*
        }

        impl Event {
            /// The aggregate's category: the part of the stored name before the dot.
            pub const fn category(&self) -> Category {
                match self {
                    $(Self::$variant(_) => Category::$variant,)*
                }
            }

            /// The stored name after the dot and the version of the payload's shape.
            pub const fn kind(&self) -> (&'static str, u32) {
                match self {
                    $(Self::$variant(event) => event.kind(),)*
                }
            }

            /// Writes the payload: the fact's fields, without its name.
            pub fn serialize_payload<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self {
                    $(Self::$variant(event) => event.serialize_payload(serializer),)*
                }
            }

            /// Reads a payload of any version that was ever stored, in today's shape.
            pub fn deserialize_payload<'de, D: Deserializer<'de>>(
                name: &str,
                schema: u32,
                payload: D,
            ) -> Result<Self, Unreadable<D::Error>> {
                let (category, kind) = name.split_once('.').ok_or(Unreadable::Unknown)?;
                $(
                    if category == Category::$variant.name() {
                        return <$event>::deserialize_payload(kind, schema, payload)
                            .map(Self::$variant);
                    }
                )*
                Err(Unreadable::Unknown)
            }

            /// Every event there is, per category, with its versions and its meaning.
            pub fn catalogue() -> Vec<(Category, &'static [Definition])> {
                vec![$((Category::$variant, <$event>::DEFINITIONS),)*]
            }
        }

        $(
            impl From<$event> for Event {
                fn from(event: $event) -> Self {
                    Self::$variant(event)
                }
            }
        )*
    };
}

aggregates! {
    Resource(ResourceEvent),
    Calendar(CalendarEvent),
    Offering(OfferingEvent),
    Session(SessionEvent),
    Reservation(ReservationEvent),
    Payment(PaymentEvent),
}

impl Event {
    /// The stored name, for example `calendar.hold_placed`.
    pub fn name(&self) -> String {
        format!("{}.{}", self.category().name(), self.kind().0)
    }

    /// Whether it takes time or seats that others then cannot have.
    pub const fn takes_a_seat(&self) -> bool {
        match self {
            Self::Calendar(fact) => match fact {
                CalendarEvent::HoldPlaced { .. } | CalendarEvent::TimeBlocked { .. } => true,
                CalendarEvent::HoldPinned { .. }
                | CalendarEvent::HoldUnpinned { .. }
                | CalendarEvent::HoldConverted { .. }
                | CalendarEvent::HoldReleased { .. }
                | CalendarEvent::HoldExpired { .. } => false,
            },
            Self::Session(fact) => match fact {
                SessionEvent::SeatsHeld { .. } => true,
                SessionEvent::Scheduled { .. }
                | SessionEvent::SeatsPinned { .. }
                | SessionEvent::SeatsUnpinned { .. }
                | SessionEvent::SeatsConfirmed { .. }
                | SessionEvent::SeatsReleased { .. }
                | SessionEvent::SeatsExpired { .. } => false,
            },
            Self::Resource(_) | Self::Offering(_) | Self::Reservation(_) | Self::Payment(_) => {
                false
            }
        }
    }
}
