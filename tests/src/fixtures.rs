//! The people and places of the scenarios: mentor M1 with her offerings of 60 and 30 minutes, and
//! studio L1 with the class C1 and its session S1.

use serde_json::{Value, json};

use crate::answer::text;
use crate::caller::{Caller, Class, krw};
use crate::world::World;

/// Somebody who sells her time.
#[derive(Debug, Clone)]
pub struct Mentor {
    /// Herself.
    pub caller: Caller,
    /// Her time.
    pub resource: String,
    /// 60 minutes for 50,000.
    pub o60: String,
    /// 30 minutes for 30,000.
    pub o30: String,
}

/// A place that gives classes.
#[derive(Debug, Clone)]
pub struct Studio {
    /// Who runs it.
    pub caller: Caller,
    /// Its room.
    pub resource: String,
    /// The class: 40,000 a person, closes a day before.
    pub c1: String,
    /// Its session on Saturday the 14th at 19:00, with ten seats.
    pub s1: Class,
}

/// Opening hours on one day of the week.
pub fn hours(day: &str, from: &str, to: &str) -> Value {
    json!({"day": day, "from": from, "to": to})
}

/// An offering of one's own time.
pub fn slot_offering(resource: &str, minutes: u32, price: u64) -> Value {
    json!({
        "resource_id": resource, "title": format!("{minutes} minutes"), "kind": "slot",
        "duration_minutes": minutes, "price": krw(price),
    })
}

impl Caller {
    /// Enters a resource in this zone, open at these hours.
    pub async fn opens(&self, zone: &str, weekly: &[Value]) -> String {
        let body = json!({"display_name": "M1", "zone": zone});
        let resource = text(self.post("/v1/resources", &body).await.created(), "id");
        let schedule = json!({"weekly": weekly, "overrides": [], "time_off": []});
        self.put(&format!("/v1/resources/{resource}/schedule"), &schedule).await.ok();
        resource
    }

    /// Writes an offering down and lets it be booked.
    pub async fn offers(&self, offering: &Value) -> String {
        let id = text(self.post("/v1/offerings", offering).await.created(), "id");
        let published = self.bid(&format!("/v1/offerings/{id}/publish")).await;
        assert_eq!(published.ok()["status"], "published");
        id
    }

    /// Becomes M1: Monday 10-12 and 14-18, Wednesday 13-17, in Seoul.
    pub async fn mentors(self) -> Mentor {
        let caller = self;
        let week = [
            hours("mon", "10:00", "12:00"),
            hours("mon", "14:00", "18:00"),
            hours("wed", "13:00", "17:00"),
        ];
        let resource = caller.opens("Asia/Seoul", &week).await;
        let o60 = caller.offers(&slot_offering(&resource, 60, 50_000)).await;
        let o30 = caller.offers(&slot_offering(&resource, 30, 30_000)).await;
        Mentor { caller, resource, o60, o30 }
    }

    /// Puts a date of a class on the calendar.
    pub async fn schedules(&self, offering: &str, session: &Value) -> Class {
        let path = format!("/v1/offerings/{offering}/sessions");
        let session = text(self.post(&path, session).await.created(), "id");
        Class { offering: offering.to_owned(), session }
    }
}

impl World {
    /// M1: Monday 10-12 and 14-18, Wednesday 13-17, in Seoul.
    pub async fn mentor(&self) -> Mentor {
        self.provider(1).mentors().await
    }

    /// L1 with C1 and S1.
    pub async fn studio(&self) -> Studio {
        let caller = self.provider(2);
        let week: Vec<_> = ["mon", "sat", "sun"].map(|day| hours(day, "09:00", "22:00")).into();
        let resource = caller.opens("Asia/Seoul", &week).await;
        let c1 = caller
            .offers(&json!({
                "resource_id": resource, "title": "C1", "kind": "class", "duration_minutes": 90,
                "price": krw(40_000), "capacity": 10, "booking_deadline_hours": 24,
            }))
            .await;
        let session = json!({
            "starts_at": "2026-03-14T19:00:00+09:00", "zone": "Asia/Seoul", "min_capacity": 3,
        });
        let s1 = caller.schedules(&c1, &session).await;
        Studio { caller, resource, c1, s1 }
    }
}
