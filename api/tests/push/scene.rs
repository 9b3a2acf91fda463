//! The scene of each test: a node, a provider with an open offering, people with tokens, sockets.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use holdfast_api::app::{App, Running};
use holdfast_api::auth::mint::{Grant, mint};
use holdfast_api::config::Config;
use holdfast_api::config::sources::Sources;
use holdfast_api::wall_clock::unix_seconds;
use holdfast_commands::catalog::{AboutResource, DraftOffering, OpenOffering};
use holdfast_commands::handle::Engine;
use holdfast_commands::request::{Answer, Request};
use holdfast_commands::reserve::{Reserve, Seat};
use holdfast_commands::use_case::UseCase;
use holdfast_domain::actor::{Actor, Role};
use holdfast_domain::booking::offering::{Buffers, OfferingKind, Terms};
use holdfast_domain::booking::resource::{Schedule, WeeklyHours};
use holdfast_domain::ids::{
    CommandId, OfferingId, PaymentId, PrincipalId, ReservationId, ResourceId,
};
use holdfast_domain::log::Hash;
use holdfast_domain::money::{Currency, Money};
use holdfast_domain::policy::CancellationPolicy;
use holdfast_domain::time::Timestamp;
use holdfast_domain::time::zone::{Weekday, Zone};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

/// Nothing that is waited for here takes longer.
const PATIENCE: Duration = Duration::from_secs(20);
/// A Monday at midnight.
pub(crate) const START: &str = "2026-11-02T00:00:00Z";

pub(crate) struct Scene {
    pub(crate) running: Running,
    _data: TempDir,
    pub(crate) provider: PrincipalId,
    pub(crate) resource: ResourceId,
    pub(crate) offering: OfferingId,
    booked: u64,
}

/// A person by a number, always the same.
pub(crate) fn person(number: u8) -> PrincipalId {
    format!("018f2a10-7c5e-7000-8000-0000000000{number:02x}").parse().unwrap()
}

impl Scene {
    /// A node on stores in memory, with these settings.
    pub(crate) async fn open(settings: &[(&'static str, &str)]) -> Self {
        let memory = [("log-url", "memory:"), ("read-url", "memory:")];
        Self::on(&[&memory, settings].concat()).await
    }

    /// A node with these settings, an offering open at any hour.
    pub(crate) async fn on(settings: &[(&'static str, &str)]) -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut flags: BTreeMap<_, _> =
            settings.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        flags.insert("data", data.path().display().to_string());
        flags.insert("listen", "127.0.0.1:0".to_owned());
        flags.insert("test-clock", START.to_owned());
        let config = Config::load(&Sources { flags, ..Sources::default() }).unwrap();
        let running = App::start(config).await.unwrap();
        let engine = &running.state().node.engine;
        let (resource, offering) =
            (ResourceId::from_uuid(engine.fresh_id()), OfferingId::from_uuid(engine.fresh_id()));
        let scene =
            Self { running, _data: data, provider: person(1), resource, offering, booked: 0 };
        scene.furnish().await;
        scene
    }

    async fn furnish(&self) {
        let (provider, resource, offering) = (self.provider, self.resource, self.offering);
        let zone = Zone::utc();
        self.act(AboutResource::register(resource, provider, "R".into(), zone, 1)).await;
        let days = [
            Weekday::Mon,
            Weekday::Tue,
            Weekday::Wed,
            Weekday::Thu,
            Weekday::Fri,
            Weekday::Sat,
            Weekday::Sun,
        ];
        let weekly = days.map(|day| WeeklyHours {
            day,
            from: "00:00".parse().unwrap(),
            to: "24:00".parse().unwrap(),
        });
        let schedule = Schedule { weekly: weekly.into(), ..Schedule::default() };
        self.act(AboutResource::publish_schedule(resource, provider, schedule)).await;
        let terms = Terms {
            duration_minutes: 15,
            price: Money::zero(Currency::Krw),
            buffers: Buffers::default(),
            min_notice_minutes: 0,
            booking_window_days: 300,
            booking_deadline_minutes: 0,
            hold_minutes: 10,
            capacity: None,
            cancellation_policy: CancellationPolicy::standard(),
        };
        let (title, kind) = ("O".to_owned(), OfferingKind::Slot);
        self.act(DraftOffering { offering, provider, resource, title, kind, terms }).await;
        self.act(OpenOffering { offering, by: provider, open: true }).await;
    }

    fn engine(&self) -> &Engine {
        &self.running.state().node.engine
    }

    /// Has something done, which must succeed.
    pub(crate) async fn act(&self, use_case: impl UseCase + 'static) -> Answer {
        let request = Request {
            command_id: CommandId::from_uuid(self.engine().fresh_id()),
            remembered_as: None,
            fingerprint: Hash([7; 32]),
            actor: Actor::Process { name: "test".to_owned() },
            correlation: None,
            causation: None,
            traceparent: None,
            path: "/test".to_owned(),
            request_id: "test".to_owned(),
            if_match: None,
            dry_run: false,
        };
        let answer = self.engine().execute(use_case, request).await.unwrap();
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        assert!((200..300).contains(&answer.status), "{body}");
        answer
    }

    /// Books the next free quarter of an hour: two changes of the booking, held and confirmed.
    pub(crate) async fn book(&mut self, customer: PrincipalId) -> (ReservationId, Answer) {
        self.booked = self.booked.saturating_add(1);
        let reservation = ReservationId::from_uuid(self.engine().fresh_id());
        let start: Timestamp = START.parse().unwrap();
        let at = start.plus(Duration::from_mins(self.booked.saturating_mul(15)));
        let answer = self
            .act(Reserve {
                reservation,
                payment: PaymentId::from_uuid(self.engine().fresh_id()),
                customer,
                offering: self.offering,
                resource: self.resource,
                seat: Seat::At(at),
                party_size: 1,
                ends_at: None,
                expected_total: None,
            })
            .await;
        (reservation, answer)
    }

    pub(crate) fn token(&self, principal: PrincipalId, roles: &[Role]) -> String {
        self.short_token(principal, roles, Duration::from_mins(10))
    }

    pub(crate) fn short_token(
        &self,
        principal: PrincipalId,
        roles: &[Role],
        lifetime: Duration,
    ) -> String {
        let state = self.running.state();
        let from = unix_seconds();
        let grant = Grant { tokens: &state.config.tokens, principal, roles, from, lifetime };
        mint(&state.keys.signing, &grant).unwrap()
    }

    /// Asks for a socket with these headers.
    pub(crate) async fn knock(
        &self,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<Socket, Error> {
        let stream = TcpStream::connect(self.running.address()).await.unwrap();
        self.knock_over(stream, path, headers).await
    }

    pub(crate) async fn knock_over(
        &self,
        stream: TcpStream,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<Socket, Error> {
        let url = format!("ws://{}{path}", self.running.address());
        let mut request = url.into_client_request().unwrap();
        for (name, value) in headers {
            let name: http::HeaderName = name.parse().unwrap();
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        client_async(request, stream).await.map(|(stream, _response)| Socket { stream })
    }

    /// A socket of somebody.
    pub(crate) async fn socket(&self, principal: PrincipalId, roles: &[Role]) -> Socket {
        let bearer = format!("Bearer {}", self.token(principal, roles));
        self.knock("/v1/ws", &[("authorization", &bearer)]).await.unwrap()
    }

    pub(crate) async fn customer(&self, number: u8) -> Socket {
        self.socket(person(number), &[Role::Customer]).await
    }
}

/// The status of a refused upgrade.
pub(crate) fn refused(answer: Result<Socket, Error>) -> u16 {
    match answer {
        Err(Error::Http(response)) => response.status().as_u16(),
        Err(other) => panic!("{other}"),
        Ok(_socket) => 101,
    }
}

/// The client's end of a socket.
pub(crate) struct Socket {
    pub(crate) stream: WebSocketStream<TcpStream>,
}

impl Socket {
    pub(crate) async fn say(&mut self, message: &Value) {
        self.send(Message::text(message.to_string())).await;
    }

    pub(crate) async fn send(&mut self, message: Message) {
        self.stream.send(message).await.unwrap();
    }

    /// The next frame, or the code of the close.
    pub(crate) async fn next(&mut self) -> Result<Value, u16> {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.stream.next()).await;
            match message.expect("nothing came") {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(Some(frame)))) => return Err(frame.code.into()),
                Some(Ok(Message::Close(None))) => return Err(1005),
                Some(Ok(_control)) => {}
                Some(Err(_)) | None => return Err(1006),
            }
        }
    }

    /// The next frame, which must be there.
    pub(crate) async fn hear(&mut self) -> Value {
        self.next().await.unwrap()
    }

    /// Subscribes, and answers the first frame that comes back.
    pub(crate) async fn subscribe(&mut self, topic: &str, from: Option<&str>) -> Value {
        let mut ask = json!({ "op": "subscribe", "topic": topic });
        if let Some(from) = from {
            ask["from"] = json!(from);
        }
        self.say(&ask).await;
        self.hear().await
    }

    /// Subscribes, which must succeed.
    pub(crate) async fn listen(&mut self, topic: &str) -> u64 {
        let heard = self.subscribe(topic, None).await;
        assert_eq!((&heard["op"], &heard["topic"]), (&json!("subscribed"), &json!(topic)));
        heard["position"].as_u64().unwrap()
    }

    /// The next frame, which must be a change.
    pub(crate) async fn change(&mut self) -> Value {
        let heard = self.hear().await;
        assert_eq!(heard["op"], "change", "{heard}");
        heard
    }
}

/// What an error frame says.
pub(crate) fn error(code: &str, topic: &str) -> Value {
    json!({ "op": "error", "code": code, "topic": topic })
}
