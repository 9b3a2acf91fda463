//! Rooms that are always open: a hold takes a time of one, in its calendar, with its paper and its
//! payment.

use std::time::Duration;

use holdfast_commands::catalog::{AboutResource, DraftOffering, OpenOffering};
use holdfast_commands::ports::{Clock as _, Ids as _};
use holdfast_commands::request::{Answer, CommandError};
use holdfast_commands::reserve::{Reserve, Seat};
use holdfast_domain::actor::Role;
use holdfast_domain::booking::offering::{OfferingKind, Terms};
use holdfast_domain::booking::resource::Schedule;
use holdfast_domain::ids::{OfferingId, PaymentId, PrincipalId, ReservationId, ResourceId};
use holdfast_domain::time::{Timestamp, minutes};
use holdfast_gateways::system::{SystemClock, SystemIds};
use serde_json::json;

use crate::business::{Business, request, terms};

/// How long a booking takes, in minutes.
const LONG: u32 = 30;

/// What can be booked, and when it opens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    resource: ResourceId,
    offering: OfferingId,
    opens: Timestamp,
}

impl Business {
    /// Several new rooms.
    pub(crate) async fn rooms(&self, count: u32) -> Vec<Room> {
        let mut rooms = Vec::new();
        for _ in 0..count {
            rooms.push(self.room().await);
        }
        rooms
    }

    async fn room(&self) -> Room {
        let (by, zone) = (self.provider, "UTC".parse().unwrap());
        let resource = ResourceId::from_uuid(SystemIds.fresh());
        let offering = OfferingId::from_uuid(SystemIds.fresh());
        let register = AboutResource::register(resource, by, "Room".to_owned(), zone, 1);
        self.execute(register, request(by, Role::Provider)).await.unwrap();
        let publish = AboutResource::publish_schedule(resource, by, always());
        self.execute(publish, request(by, Role::Provider)).await.unwrap();
        let draft = DraftOffering {
            offering,
            provider: by,
            resource,
            title: "Half an hour".to_owned(),
            kind: OfferingKind::Slot,
            terms: Terms { booking_window_days: 365, ..terms(LONG) },
        };
        self.execute(draft, request(by, Role::Provider)).await.unwrap();
        let open = OpenOffering { offering, by, open: true };
        let opened = self.execute(open, request(by, Role::Provider)).await.unwrap();
        assert_eq!(opened.status, 200);
        let hour = i64::try_from(Duration::from_hours(1).as_micros()).unwrap();
        let now = SystemClock.now().micros().div_euclid(hour);
        let opens = Timestamp::from_micros(now.saturating_add(2).saturating_mul(hour));
        Room { resource, offering, opens }
    }

    /// Holds the time of this number; answers the reservation's id with the answer.
    pub(crate) async fn hold_room(
        &self,
        customer: PrincipalId,
        room: Room,
        place: u32,
    ) -> (ReservationId, Result<Answer, CommandError>) {
        let reservation = ReservationId::from_uuid(SystemIds.fresh());
        let reserve = Reserve {
            reservation,
            payment: PaymentId::from_uuid(SystemIds.fresh()),
            customer,
            offering: room.offering,
            resource: room.resource,
            seat: Seat::At(room.opens.plus(minutes(place.saturating_mul(LONG)))),
            party_size: 1,
            ends_at: None,
            expected_total: None,
        };
        (reservation, self.execute(reserve, request(customer, Role::Customer)).await)
    }
}

/// Day and night.
fn always() -> Schedule {
    let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let halves = [("00:00", "12:00"), ("12:00", "00:00")];
    let hours = days
        .iter()
        .flat_map(|day| halves.map(|(from, to)| json!({"day": day, "from": from, "to": to})));
    serde_json::from_value(json!({"weekly": hours.collect::<Vec<_>>()})).unwrap()
}
