//! The providers of a demonstration and what they offer: an hour with a person, which can be held
//! for long or only for a minute, or the sessions of a class.

use std::time::Duration;

use holdfast_domain::time::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

use super::client::{Answer, Client, Who};
use super::tally::Tally;
use crate::cli::Failure;

const ZONE: &str = "Asia/Seoul";
/// Bookable hours of a day, each beginning on the hour from nine o'clock.
const HOURS: u32 = 8;
/// Days ahead that can be booked, less some for those who run it again later.
const DAYS: u32 = 80;
const SESSIONS: u32 = 8;

const PEOPLE: [&str; 6] =
    ["Mina Park", "Jonas Weber", "Aiko Mori", "Sora Kim", "Léa Martin", "Noor"];
const LESSONS: [&str; 4] = ["Violin lesson", "Portrait session", "Physiotherapy", "Tax advice"];
const CLASSES: [&str; 3] = ["Morning yoga", "Pottery for beginners", "Bread baking"];

/// Something that can be booked.
#[derive(Debug)]
pub(super) struct Offer {
    pub(super) id: String,
    pub(super) price: u32,
    /// Whether a seat is held for a minute only.
    pub(super) brief: bool,
    pub(super) kind: Kind,
}

/// How it is booked.
#[derive(Debug)]
pub(super) enum Kind {
    /// At the next hour that this demonstration has not used.
    Slot { next: u32 },
    /// In one of these sessions, in turn.
    Class { sessions: Vec<String>, next: usize },
}

impl Offer {
    /// Where the next booking goes; nothing when the calendar is full.
    pub(super) fn next_seat(&mut self, day: Timestamp) -> Option<(&'static str, String)> {
        match &mut self.kind {
            Kind::Slot { next } => {
                let (days, hour) = (next.div_euclid(HOURS), next.rem_euclid(HOURS));
                *next = next.saturating_add(1);
                let hours = days.saturating_mul(24).saturating_add(hour);
                let start = day.plus(Duration::from_hours(u64::from(hours)));
                (days < DAYS).then(|| ("starts_at", start.to_string()))
            }
            Kind::Class { sessions, next } => {
                let session = sessions.get(next.checked_rem(sessions.len())?)?.clone();
                *next = next.saturating_add(1);
                Some(("session_id", session))
            }
        }
    }
}

/// Opens the business of a provider: every third teaches a class.
pub(super) async fn open(
    client: &Client,
    provider: u32,
    tally: &mut Tally,
) -> Result<Vec<Offer>, Failure> {
    let who = Who::Provider(provider);
    let body = json!({"display_name": name(&PEOPLE, provider), "zone": ZONE});
    let resource =
        made(client, who, "/v1/resources", &format!("resource-{provider}"), &body).await?;
    let resource = id(&resource)?;
    tally.count("resources");
    let open = |day| json!({"day": day, "from": "09:00", "to": "18:00"});
    let weekly = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"].map(open);
    let schedule = json!({"weekly": weekly, "overrides": [], "time_off": []});
    let path = format!("/v1/resources/{resource}/schedule");
    let key = format!("schedule-{provider}");
    good(client.command(who, (Method::PUT, &path), &key, &schedule).await?)?;
    if provider.rem_euclid(3) == 2 {
        return Ok(vec![class(client, provider, &resource, tally).await?]);
    }
    Ok(vec![slot(client, provider, &resource, tally).await?])
}

async fn slot(
    client: &Client,
    provider: u32,
    resource: &str,
    tally: &mut Tally,
) -> Result<Offer, Failure> {
    let price = 30_000_u32.saturating_add(provider.rem_euclid(5).saturating_mul(10_000));
    // Every second one lets go of an unpaid hour after a minute: bookings expire before one's eyes.
    let brief = provider.rem_euclid(3) == 1;
    let body = json!({
        "resource_id": resource,
        "title": name(&LESSONS, provider),
        "kind": "slot",
        "duration_minutes": 50,
        "buffers": {"before_minutes": 0, "after_minutes": 10},
        "price": {"amount": price, "currency": "KRW"},
        "hold_minutes": if brief { 1 } else { 60 },
    });
    let id = offering(client, provider, &body, tally).await?;
    Ok(Offer { id, price, brief, kind: Kind::Slot { next: 0 } })
}

async fn class(
    client: &Client,
    provider: u32,
    resource: &str,
    tally: &mut Tally,
) -> Result<Offer, Failure> {
    let (who, price) = (Who::Provider(provider), 18_000);
    let body = json!({
        "resource_id": resource,
        "title": name(&CLASSES, provider.div_euclid(3)),
        "kind": "class",
        "duration_minutes": 90,
        "price": {"amount": price, "currency": "KRW"},
        "capacity": 12,
        "hold_minutes": 60,
    });
    let id = offering(client, provider, &body, tally).await?;
    let mut sessions = Vec::new();
    for number in 0..SESSIONS {
        let hours = u64::from(number).saturating_mul(24).saturating_add(1);
        let starts_at = client.day().plus(Duration::from_hours(hours)).to_string();
        let body = json!({"starts_at": starts_at, "zone": ZONE, "min_capacity": 2});
        let key = format!("session-{provider}-{number}");
        let path = format!("/v1/offerings/{id}/sessions");
        sessions.push(self::id(&made(client, who, &path, &key, &body).await?)?);
        tally.count("sessions");
    }
    Ok(Offer { id, price, brief: false, kind: Kind::Class { sessions, next: 0 } })
}

async fn offering(
    client: &Client,
    provider: u32,
    body: &Value,
    tally: &mut Tally,
) -> Result<String, Failure> {
    let who = Who::Provider(provider);
    let made = made(client, who, "/v1/offerings", &format!("offering-{provider}"), body).await?;
    let id = id(&made)?;
    let (path, key) = (format!("/v1/offerings/{id}/publish"), format!("publish-{provider}"));
    good(client.command(who, (Method::POST, &path), &key, &Value::Null).await?)?;
    tally.count("offerings");
    Ok(id)
}

async fn made(
    client: &Client,
    who: Who,
    path: &str,
    key: &str,
    body: &Value,
) -> Result<Answer, Failure> {
    good(client.command(who, (Method::POST, path), key, body).await?)
}

/// What the rest stands on must be there.
fn good(answer: Answer) -> Result<Answer, Failure> {
    if answer.is_success() {
        return Ok(answer);
    }
    Err(Failure::Failed(format!("the node answered {}: {}", answer.status, answer.body)))
}

fn id(answer: &Answer) -> Result<String, Failure> {
    let id = answer.text("/id").map(ToOwned::to_owned);
    id.ok_or_else(|| Failure::Failed(format!("an answer without an id: {}", answer.body)))
}

fn name<'a>(from: &[&'a str], number: u32) -> &'a str {
    let count = u32::try_from(from.len()).unwrap_or(1);
    let index = usize::try_from(number.checked_rem(count).unwrap_or(0)).unwrap_or(0);
    from.get(index).copied().unwrap_or("Somebody")
}
