//! Somebody with a token who talks to the node. The words are those of the scenarios: reserve,
//! confirm, cancel. What is not a word here is asked with [`Caller::ask`].

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use holdfast_domain::ids::PrincipalId;
use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::answer::{Answer, text};
use crate::world::instant;

/// Where the node is. It moves when the node is started again.
#[derive(Debug)]
pub struct Wire {
    client: Client,
    address: Mutex<SocketAddr>,
    keys: AtomicU64,
    seen: AtomicU64,
}

impl Wire {
    /// To a node at this address.
    pub fn new(address: SocketAddr) -> Self {
        // A node closes connections that were idle for five seconds, perhaps just as they are used.
        let client = Client::builder().pool_idle_timeout(Duration::from_secs(2)).build().unwrap();
        Self {
            client,
            address: Mutex::new(address),
            keys: AtomicU64::new(0),
            seen: AtomicU64::new(0),
        }
    }

    /// The node was started again, elsewhere.
    pub fn moved_to(&self, address: SocketAddr) {
        *self.address.lock().unwrap_or_else(PoisonError::into_inner) = address;
    }

    /// Where the node is now.
    pub fn address(&self) -> SocketAddr {
        *self.address.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fresh_key(&self) -> String {
        format!("key-{}", self.keys.fetch_add(1, Ordering::Relaxed))
    }
}

/// Somebody with a token, or without one.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who it is.
    pub id: PrincipalId,
    pub(crate) token: Option<String>,
    pub(crate) wire: Arc<Wire>,
}

/// A request that is being put together.
#[derive(Debug)]
pub struct Ask<'a> {
    caller: &'a Caller,
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

impl Ask<'_> {
    /// With this JSON.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.raw("application/json", body.to_string())
    }

    /// With these bytes.
    #[must_use]
    pub fn raw(self, kind: &str, body: impl Into<Vec<u8>>) -> Self {
        let body = Some(body.into());
        let this = Self { body, ..self };
        if kind.is_empty() { this } else { this.header("content-type", kind) }
    }

    /// Under this idempotency key.
    #[must_use]
    pub fn key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    /// With this header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sends it.
    pub async fn send(self) -> Answer {
        let asked = format!("{} {}", self.method, self.path);
        let wire = &self.caller.wire;
        let url = format!("http://{}{}", wire.address(), self.path);
        let mut request = wire.client.request(self.method, url);
        if let Some(token) = &self.caller.token {
            request = request.bearer_auth(token);
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if let Some(body) = self.body {
            request = request.body(body);
        }
        let response = request.send().await.unwrap_or_else(|why| panic!("{asked}: {why:?}"));
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let position = headers.get("holdfast-position").and_then(|value| value.to_str().ok());
        if let Some(position) = position.and_then(|text| text.parse().ok()) {
            wire.seen.fetch_max(position, Ordering::Relaxed);
        }
        let bytes = response.bytes().await.unwrap().to_vec();
        let body = serde_json::from_slice(&bytes).unwrap_or_default();
        Answer { status, headers, bytes, body, asked }
    }
}

impl Caller {
    /// Somebody with this token, who talks over this wire.
    pub const fn with_token(id: PrincipalId, token: String, wire: Arc<Wire>) -> Self {
        Self { id, token: Some(token), wire }
    }

    /// The token, if there is one.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// A request by this caller.
    pub fn ask(&self, method: Method, path: &str) -> Ask<'_> {
        let (path, headers) = (path.to_owned(), vec![]);
        Ask { caller: self, method, path, headers, body: None }
    }

    /// An idempotency key that nobody used in this world.
    pub fn fresh_key(&self) -> String {
        self.wire.fresh_key()
    }

    /// Reads.
    pub async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path).send().await
    }

    /// A command under a fresh key.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        let key = self.wire.fresh_key();
        self.ask(Method::POST, path).key(&key).json(body).send().await
    }

    /// A command without a body, under a fresh key.
    pub async fn bid(&self, path: &str) -> Answer {
        let key = self.wire.fresh_key();
        self.ask(Method::POST, path).key(&key).send().await
    }

    /// Replaces, under a fresh key.
    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        let key = self.wire.fresh_key();
        self.ask(Method::PUT, path).key(&key).json(body).send().await
    }

    /// Holds a time of an offering.
    pub async fn reserve(&self, offering: &str, starts_at: &str) -> Answer {
        let body = json!({"offering_id": offering, "starts_at": starts_at});
        self.post("/v1/reservations", &body).await
    }

    /// Holds seats of a class.
    pub async fn reserve_seats(&self, class: &Class, party_size: u32) -> Answer {
        self.post("/v1/reservations", &class.wish(party_size)).await
    }

    /// Authorised the payment of a booking with this key, and confirms it.
    pub async fn confirm(&self, booking: &Value, payment_key: &str) -> Answer {
        self.post(&confirm_path(booking), &confirmation(booking, payment_key)).await
    }

    /// Calls a booking off.
    pub async fn cancel(&self, booking: &Value) -> Answer {
        self.bid(&format!("/v1/reservations/{}/cancel", text(booking, "id"))).await
    }

    /// Returns a part of what was paid for a booking.
    pub async fn refund(&self, booking: &Value, amount: u64) -> Answer {
        let path = format!("/v1/payments/{}/refunds", order_of(booking));
        self.post(&path, &json!({"amount": krw(amount)})).await
    }

    /// Reads what is at least as new as everything that was answered in this world.
    pub async fn see(&self, path: &str) -> Answer {
        let separator = if path.contains('?') { '&' } else { '?' };
        let seen = self.wire.seen.load(Ordering::Relaxed);
        self.get(&format!("{path}{separator}min_position={seen}")).await
    }

    /// The booking as the views show it.
    pub async fn reservation(&self, booking: &Value) -> Value {
        self.see(&format!("/v1/reservations/{}", text(booking, "id"))).await.ok().clone()
    }

    /// The payment of a booking as the views show it.
    pub async fn payment(&self, booking: &Value) -> Value {
        self.see(&format!("/v1/payments/{}", order_of(booking))).await.ok().clone()
    }

    /// The free starts of an offering between two instants, as the node writes them.
    pub async fn free_starts(&self, offering: &str, from: &str, to: &str) -> Vec<String> {
        let slots = self.slots(offering, from, to).await;
        slots.iter().map(|slot| text(slot, "starts_at")).collect()
    }

    /// The free times of an offering between two instants.
    pub async fn slots(&self, offering: &str, from: &str, to: &str) -> Vec<Value> {
        let (from, to) = (instant(from), instant(to));
        let path = format!("/v1/offerings/{offering}/slots?from={from}&to={to}");
        self.see(&path).await.ok()["items"].as_array().unwrap().clone()
    }
}

/// A dated class of an offering.
#[derive(Debug, Clone)]
pub struct Class {
    /// What is taught.
    pub offering: String,
    /// The date.
    pub session: String,
}

impl Class {
    /// The body that asks for so many of its seats.
    pub fn wish(&self, party_size: u32) -> Value {
        json!({
            "offering_id": self.offering, "session_id": self.session, "party_size": party_size,
        })
    }
}

/// An amount of Korean won.
pub fn krw(amount: u64) -> Value {
    json!({"amount": amount, "currency": "KRW"})
}

/// The payment of a booking.
#[track_caller]
pub fn order_of(booking: &Value) -> String {
    text(&booking["payment"], "order_id")
}

/// Where the payment of a booking is confirmed.
#[track_caller]
pub fn confirm_path(booking: &Value) -> String {
    format!("/v1/payments/{}/confirm", order_of(booking))
}

/// The body that confirms what a booking costs.
pub fn confirmation(booking: &Value, payment_key: &str) -> Value {
    json!({"payment_key": payment_key, "amount": booking["payment"]["amount"]})
}
