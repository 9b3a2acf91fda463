//! G15: what an event takes on the disk of PostgreSQL.

use holdfast_test_stores::Schema;
use sqlx::{Connection as _, FromRow, PgConnection};

use crate::measure::{Line, median};
use crate::size::Size;

/// What an event of 240 bytes may take, indexes included.
const MAX: u64 = 1_229;
/// The parts of a log with their indexes, and what the facts themselves have of them.
const SIZES: &str = "SELECT count(*) AS events, sum(length(payload))::bigint AS payload, \
    (SELECT sum(pg_total_relation_size(c.oid))::bigint FROM pg_class c \
     WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace) AS log, \
    pg_total_relation_size('event') AS event, pg_total_relation_size('stream') AS stream, \
    pg_total_relation_size('command') AS answer FROM event";

/// Bytes of a log, and how many events it has.
#[derive(Debug, Clone, Copy, FromRow)]
pub(crate) struct Taken {
    events: i64,
    payload: i64,
    log: i64,
    event: i64,
    stream: i64,
    answer: i64,
}

/// What the log in this schema takes.
pub(crate) async fn of(log: &Schema) -> Taken {
    let mut connection = PgConnection::connect(log.url()).await.unwrap();
    let taken = sqlx::query_as(SIZES).fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    taken
}

/// The medians of several logs of one kind, for each event.
pub(crate) fn report(what: &str, logs: &[Taken], size: Size) {
    let each = |part: fn(&Taken) -> i64| {
        let bytes = logs.iter().map(|log| part(log).checked_div(log.events).unwrap());
        median(&bytes.map(|bytes| u64::try_from(bytes).unwrap()).collect::<Vec<_>>())
    };
    let all = each(|log| log.log);
    Line::new("G15", what)
        .number("payload_bytes", each(|log| log.payload))
        .number("event_bytes", each(|log| log.event))
        .number("stream_bytes", each(|log| log.stream))
        .number("answer_bytes", each(|log| log.answer))
        .number("bytes", all)
        .number("goal_at_most_bytes", MAX)
        .text("verdict", size.verdict(false, all <= MAX))
        .print();
}
