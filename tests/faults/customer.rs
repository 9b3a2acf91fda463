//! A customer who holds, pays and reads, remembers what she was told, and asks again under the same
//! key when she was not told anything. Whatever she reads must fit what she was told.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use holdfast_domain::ids::CommandId;
use holdfast_domain::time::Timestamp;
use holdfast_tests::answer::{Answer, text};
use holdfast_tests::caller::{Caller, confirm_path, confirmation};
use holdfast_tests::dice::Dice;
use holdfast_tests::world::instant;
use reqwest::Method;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::notes::{Note, Notes};

/// A customer asks for something this often, if she can.
const PACE: Duration = Duration::from_millis(60);
/// Whoever has no answer by then has none.
const NO_ANSWER: Duration = Duration::from_secs(20);
const RESERVATIONS: &str = "/v1/reservations";

/// What can be booked, and which of it was.
#[derive(Debug)]
pub(crate) struct Shop {
    pub(crate) offering: String,
    pub(crate) first: Timestamp,
    pub(crate) next: AtomicU32,
    pub(crate) taken: Mutex<Vec<Timestamp>>,
}

impl Shop {
    /// A start that nobody had.
    fn fresh(&self) -> Timestamp {
        let half_hours = self.next.fetch_add(1, Ordering::Relaxed);
        self.first.plus(Duration::from_mins(30).saturating_mul(half_hours))
    }

    fn taken(&self, dice: &mut Dice) -> Option<Timestamp> {
        let taken = self.taken.lock().unwrap();
        (!taken.is_empty()).then(|| *dice.one_of(&taken))
    }
}

/// What a reservation must be shown as, from a position on.
#[derive(Debug, Clone)]
pub(crate) struct Own {
    pub(crate) id: String,
    pub(crate) booking: Value,
    pub(crate) starts_at: Timestamp,
    /// None while nobody knows: it is being paid.
    pub(crate) status: Option<&'static str>,
    pub(crate) at: u64,
    pub(crate) told: Instant,
}

#[derive(Debug, Clone)]
enum What {
    Hold(Timestamp),
    /// The index of what is paid.
    Pay(usize),
    /// A start that is taken: to be refused.
    Vain,
}

/// A command with its key.
#[derive(Debug, Clone)]
struct Wish {
    what: What,
    path: String,
    key: String,
    body: Value,
}

/// A customer.
#[derive(Debug)]
pub(crate) struct Customer {
    caller: Caller,
    shop: Arc<Shop>,
    notes: Arc<Notes>,
    dice: Dice,
    pub(crate) owns: Vec<Own>,
    open: VecDeque<Wish>,
}

impl Customer {
    pub(crate) fn new(caller: Caller, shop: Arc<Shop>, notes: Arc<Notes>, seed: u64) -> Self {
        let dice = Dice::new(seed);
        Self { caller, shop, notes, dice, owns: Vec::new(), open: VecDeque::new() }
    }

    /// Goes on until she is stopped.
    pub(crate) async fn live(mut self, stop: CancellationToken) -> Self {
        let mut pace = tokio::time::interval(PACE);
        pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while !stop.is_cancelled() {
            pace.tick().await;
            // What is not known is asked again first, like an impatient client does.
            let wish = self.open.pop_front().or_else(|| self.wish());
            if let Some(wish) = wish {
                self.send(wish).await;
            }
            match self.dice.below(3) {
                0 => self.look_at_one().await,
                1 => self.look_at_all().await,
                _ => self.look_at_slots().await,
            }
        }
        self
    }

    /// Asks for a seat, and reads it at the position that she was told. Whether both succeeded.
    pub(crate) async fn try_once(&mut self) -> bool {
        let wish = self.hold();
        let before = self.owns.len();
        self.send(wish).await;
        self.owns.len() > before && self.look_at(before, true).await
    }

    /// Asks again for what is not known. Whether nothing is open any more.
    pub(crate) async fn resolve(&mut self) -> bool {
        for _ in 0..self.open.len() {
            if let Some(wish) = self.open.pop_front() {
                self.send(wish).await;
            }
        }
        self.open.is_empty()
    }

    fn hold(&self) -> Wish {
        let starts_at = self.shop.fresh();
        let body = json!({"offering_id": self.shop.offering, "starts_at": starts_at});
        let key = self.caller.fresh_key();
        Wish { what: What::Hold(starts_at), path: RESERVATIONS.to_owned(), key, body }
    }

    fn wish(&mut self) -> Option<Wish> {
        match self.dice.below(10) {
            0..5 => Some(self.hold()),
            5..8 => {
                let index = self.owns.iter().position(|own| own.status == Some("held"))?;
                let own = &mut self.owns[index];
                own.status = None;
                let body = confirmation(&own.booking, &format!("sim_approve_{}", own.id));
                let (path, key) = (confirm_path(&own.booking), self.caller.fresh_key());
                Some(Wish { what: What::Pay(index), path, key, body })
            }
            _ => {
                let starts_at = self.shop.taken(&mut self.dice)?;
                let body = json!({"offering_id": self.shop.offering, "starts_at": starts_at});
                let key = self.caller.fresh_key();
                Some(Wish { what: What::Vain, path: RESERVATIONS.to_owned(), key, body })
            }
        }
    }

    async fn send(&mut self, wish: Wish) {
        let command = CommandId::of_request(self.caller.id, "POST", &wish.path, &wish.key);
        let ask = self.caller.ask(Method::POST, &wish.path).key(&wish.key).json(&wish.body);
        let (note, answer) = self.noted(Some(command), None, ask.send()).await;
        if !note.is_definite() {
            self.open.push_back(wish);
            return;
        }
        self.settle(&wish.what, &note, &answer);
    }

    fn settle(&mut self, what: &What, note: &Note, answer: &Value) {
        let (at, told) = (note.position.unwrap_or(u64::MAX), Instant::now());
        match what {
            What::Hold(starts_at) if note.is_success() => {
                self.shop.taken.lock().unwrap().push(*starts_at);
                self.owns.push(Own {
                    id: text(answer, "id"),
                    booking: answer.clone(),
                    starts_at: *starts_at,
                    status: Some("held"),
                    at,
                    told,
                });
            }
            What::Pay(index) if note.is_success() => {
                let own = &mut self.owns[*index];
                (own.status, own.at, own.told) = (Some("confirmed"), at, told);
            }
            What::Vain if note.code == "slot_taken" => {}
            What::Hold(_) | What::Pay(_) | What::Vain => {
                self.notes.complain(format!("another answer was due to {what:?}: {note:?}"));
            }
        }
    }

    async fn noted(
        &self,
        command: Option<CommandId>,
        wanted: Option<u64>,
        asked: impl Future<Output = Answer>,
    ) -> (Note, Value) {
        let began = Instant::now();
        let answer = tokio::time::timeout(NO_ANSWER, asked).await.ok();
        let header = |name| answer.as_ref().and_then(|answer| answer.header(name));
        let note = Note {
            asked: answer.as_ref().map(|answer| answer.asked.clone()).unwrap_or_default(),
            command,
            status: answer.as_ref().map_or(0, |answer| answer.status),
            code: answer.as_ref().map(|answer| answer.code().to_owned()).unwrap_or_default(),
            says_when: header("retry-after").is_some(),
            took: began.elapsed(),
            position: header("holdfast-position").and_then(|text| text.parse().ok()),
            wanted,
        };
        self.notes.add(note.clone());
        (note, answer.map(|answer| answer.body).unwrap_or_default())
    }

    /// Reads; now and then at least as new as the last that she was told.
    async fn read(&self, path: &str, wanted: Option<u64>) -> Option<(u64, Note, Value)> {
        let path = match (wanted, path.contains('?')) {
            (None, _) => path.to_owned(),
            (Some(wanted), true) => format!("{path}&min_position={wanted}"),
            (Some(wanted), false) => format!("{path}?min_position={wanted}"),
        };
        let (note, body) = self.noted(None, wanted, self.caller.get(&path)).await;
        if note.is_success() && note.position.is_none() {
            self.notes.complain(format!("a read names no position: {note:?}"));
        }
        Some((note.position.filter(|_| note.is_success())?, note, body))
    }

    fn last_told(&mut self) -> Option<u64> {
        let last = self.owns.iter().map(|own| own.at).max();
        last.filter(|_| self.dice.below(2) == 0)
    }

    async fn look_at_one(&mut self) {
        if !self.owns.is_empty() {
            let indexes: Vec<_> = (0..self.owns.len()).collect();
            let index = *self.dice.one_of(&indexes);
            let exactly = self.dice.below(2) == 0;
            self.look_at(index, exactly).await;
        }
    }

    async fn look_at(&self, index: usize, exactly: bool) -> bool {
        let own = &self.owns[index];
        let path = format!("{RESERVATIONS}/{}", own.id);
        let wanted = exactly.then_some(own.at);
        let found = self.read(&path, wanted).await;
        let Some((position, note, body)) = found else {
            return false;
        };
        self.must_show(own, position, Some(&body), &note);
        true
    }

    fn must_show(&self, own: &Own, position: u64, shown: Option<&Value>, note: &Note) {
        let shown = shown.and_then(|shown| shown["status"].as_str());
        let fits = match own.status {
            Some(status) => shown == Some(status),
            None => shown.is_some(),
        };
        if position >= own.at && !fits {
            self.notes.complain(format!("{own:?} is shown as {shown:?}: {note:?}"));
        }
    }

    async fn look_at_all(&mut self) {
        let wanted = self.last_told();
        let found = self.read(&format!("{RESERVATIONS}?limit=200"), wanted).await;
        let Some((position, note, body)) = found else { return };
        let items = body["items"].as_array().unwrap();
        for own in &self.owns {
            let shown = items.iter().find(|item| item["id"] == own.id.as_str());
            self.must_show(own, position, shown, &note);
        }
    }

    /// Reads which starts are free in the day from the first one that she got.
    pub(crate) async fn look_at_slots(&mut self) {
        let wanted = self.last_told();
        let Some(own) = self.owns.first() else { return };
        let (from, to) = (own.starts_at, own.starts_at.plus(Duration::from_hours(24)));
        let path = format!("/v1/offerings/{}/slots?from={from}&to={to}", self.shop.offering);
        let found = self.read(&path, wanted).await;
        let Some((position, note, body)) = found else { return };
        let items = body["items"].as_array().unwrap();
        for own in self.owns.iter().filter(|own| own.at <= position) {
            let is_free =
                items.iter().any(|slot| instant(&text(slot, "starts_at")) == own.starts_at);
            if is_free {
                self.notes.complain(format!("{own:?} is shown as free: {note:?}"));
            }
        }
    }
}
