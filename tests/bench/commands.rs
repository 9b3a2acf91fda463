//! G1, G2 and a part of G3, on PostgreSQL, in this process, beside a peer that runs the same command
//! on the same server in the same rounds. Ours keeps metadata, chains of hashes and the answer for
//! whoever asks again; the peer keeps what it keeps.

use std::sync::Arc;

use holdfast_commands::ports::Ids as _;
use holdfast_commands::request::{Answer, CommandError};
use holdfast_domain::actor::Role;
use holdfast_domain::ids::{PrincipalId, ReservationId, ResourceId};
use holdfast_gateways::system::SystemIds;

use crate::business::{Business, request};
use crate::claim::Take;
use crate::crowd::{Seen, in_turn};
use crate::database::Database;
use crate::measure::Line;
use crate::peer::{Load, Peer};
use crate::rounds::{Goal, Rounds};
use crate::size::Size;
use crate::stage::Stage;

/// Callers in the first half of the case, and those who want one slot.
pub(crate) const CALLERS: u32 = 64;
/// Callers in the second half.
const MANY: u32 = 512;
/// Places of the one slot that everybody wants.
pub(crate) const PLACES: u32 = 200;
/// Commands on it.
const WANTED: u32 = 320;
/// Commands before those that are counted.
const WARM: u32 = 1_000;
/// What the peer calls its cases.
const DISTINCT: &str = "distinct";
const CONTENDED: &str = "contended_cap200";

/// What is measured of one kind of command.
#[derive(Debug, Default)]
struct Account {
    seen: Seen,
    rates: Rounds,
    costs: Rounds,
}

impl Account {
    fn add(&mut self, seen: Seen, peer: Option<(u64, u64)>) {
        self.rates.add(seen.per_second(), peer.map(|(rate, _)| rate));
        self.costs.add(seen.cost(), peer.map(|(_, cost)| cost));
        self.seen.join(seen);
    }

    /// Rates against this goal.
    fn report(&mut self, line: Line, percent: u64, size: Size) {
        let line = self.seen.on(line);
        self.rates.on(line, "per_second", Goal::AtLeast(percent), size).print();
    }
}

pub(crate) async fn beside_a_peer(size: Size) {
    let Some(database) = Database::start("commands").await else { return };
    let peer = Peer::find("peer-cqrs-es");
    for callers in [CALLERS, MANY] {
        let mut accounts = Accounts::default();
        for _ in 0..size.rounds {
            accounts.round(&database, peer.as_ref(), (callers, size)).await;
        }
        accounts.report(callers, size);
    }
}

/// Of so many callers.
#[derive(Debug, Default)]
struct Accounts {
    takes: Account,
    holds: Account,
    rush: Account,
}

impl Accounts {
    async fn round(
        &mut self,
        database: &Database,
        peer: Option<&Peer>,
        (callers, size): (u32, Size),
    ) {
        let (stage, commands) = (Stage::open(database).await, size.commands);
        // The peer begins with as many that are not counted.
        distinct(database, &stage, (callers, WARM)).await;
        let took = distinct(database, &stage, (callers, commands)).await;
        let held = real(database, &stage, (callers, commands)).await;
        let (mut wanted, contended) = (Seen::default(), u32::from(callers == CALLERS));
        for _ in 0..contended.saturating_mul(size.hot_slots) {
            wanted.join(one_slot(database, &stage).await);
        }
        stage.close().await;
        let load = Load { callers, commands, contended, replayed: 0 };
        let printed = match peer {
            Some(peer) => Some(peer.run(database, load).await),
            None => None,
        };
        let of = |case: &str| printed.as_ref().map(|it| (it.per_second(case), it.cost(case)));
        self.takes.add(took, of(DISTINCT));
        self.holds.add(held, of(DISTINCT));
        if contended > 0 {
            self.rush.add(wanted, of(CONTENDED));
        }
    }

    fn report(mut self, callers: u32, size: Size) {
        let line = |goal: &str, what: &str| Line::new(goal, what).number("callers", callers.into());
        let what = "2 events to 1 distinct stream, PostgreSQL";
        self.takes.report(line("G1", what), 600, size);
        let what = "the real hold: 3 streams in one batch, PostgreSQL";
        self.holds.report(line("G1", what), 300, size);
        let cost = line("G2", "processor time of ours and PostgreSQL, the same command as in G1");
        self.takes.costs.on(cost, "cpu_us_per_1000", Goal::AtMost(16), size).print();
        if callers == CALLERS {
            let what = "one slot of 200 places, exactly 200 accepted, no conflict";
            self.rush.report(line("G3", what), 15_000, size);
        }
    }
}

/// Each command on a slot of its own, which is looked for in the log and was never there.
async fn distinct(database: &Database, stage: &Stage, load: (u32, u32)) -> Seen {
    let business = Arc::clone(&stage.business);
    let seen = in_turn(database, load, move |_, _| {
        let slot = ResourceId::from_uuid(SystemIds.fresh());
        take(Arc::clone(&business), slot, 1_000)
    });
    let seen = seen.await.saying_again(stage.business.said_again());
    assert_eq!(seen.refused, 0);
    seen
}

/// Everybody wants the same slot, until its places are gone and beyond.
async fn one_slot(database: &Database, stage: &Stage) -> Seen {
    let (business, slot) = (Arc::clone(&stage.business), ResourceId::from_uuid(SystemIds.fresh()));
    let load = (CALLERS, WANTED);
    let seen = in_turn(database, load, move |_, _| take(Arc::clone(&business), slot, PLACES)).await;
    assert_eq!(seen.accepted, PLACES, "as many are accepted as there are places");
    assert_eq!(seen.refused, WANTED.saturating_sub(PLACES));
    seen
}

async fn take(
    business: Arc<Business>,
    slot: ResourceId,
    capacity: u32,
) -> Result<Answer, CommandError> {
    let customer = PrincipalId::from_uuid(SystemIds.fresh());
    let reservation = ReservationId::from_uuid(SystemIds.fresh());
    let take = Take { slot, capacity, reservation };
    business.execute(take, request(customer, Role::Customer)).await
}

/// Each caller books times of a room of its own.
async fn real(database: &Database, stage: &Stage, load: (u32, u32)) -> Seen {
    let (business, rooms) = (Arc::clone(&stage.business), stage.business.rooms(load.0).await);
    let seen = in_turn(database, load, move |caller, turn| {
        let room = *rooms.get(usize::try_from(caller).unwrap()).unwrap();
        let business = Arc::clone(&business);
        async move {
            let customer = PrincipalId::from_uuid(SystemIds.fresh());
            business.hold_room(customer, room, turn).await.1
        }
    });
    let seen = seen.await.saying_again(stage.business.said_again());
    assert_eq!(seen.refused, 0);
    seen
}
