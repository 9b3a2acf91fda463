//! The double as the official client sees it: what an adapter builds on, claim by claim. The real
//! server's own answers are in the documentation of the protocol; these are the ones relied on.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use eventstore::{
    AppendToStreamOptions, Client, CurrentRevision, DeleteStreamOptions, Error, EventData,
    Position, ReadAllOptions, ReadStreamOptions, StreamPosition, StreamState,
    SubscribeToAllOptions, SubscriptionEvent, SubscriptionFilter, TombstoneStreamOptions,
};
use holdfast_test_kurrentdb::{Double, Fault};
use uuid::Uuid;

fn client(double: &Double) -> Client {
    let url = format!("{}&discoveryInterval=10", double.url());
    Client::new(url.parse().unwrap()).unwrap()
}

fn event(id: u128) -> EventData {
    EventData::json("thing.done", &id).unwrap().id(Uuid::from_u128(id))
}

/// Appends events by their numbers; answers the last revision and the position.
async fn append(
    client: &Client,
    stream: &str,
    state: StreamState,
    ids: &[u128],
) -> Result<(u64, Position), Error> {
    let options = AppendToStreamOptions::default().stream_state(state);
    let events: Vec<_> = ids.iter().map(|id| event(*id)).collect();
    let result = client.append_to_stream(stream, &options, events).await?;
    Ok((result.next_expected_version, result.position))
}

async fn positions(client: &Client, options: ReadAllOptions) -> Vec<u64> {
    let filter = SubscriptionFilter::on_stream_name().add_prefix("a-").add_prefix("b-");
    let mut read = client.read_all(&options.filter(filter)).await.unwrap();
    let mut found = Vec::new();
    while let Some(event) = read.next().await.unwrap() {
        found.push(event.get_original_event().position.prepare);
    }
    found
}

#[tokio::test]
async fn an_expectation_is_exact_and_a_repetition_is_recognised() {
    use StreamState::{Any, NoStream, StreamExists, StreamRevision};
    let double = Double::start();
    let client = client(&double);
    let first = append(&client, "a-1", NoStream, &[1, 2]).await.unwrap();
    assert_eq!(append(&client, "a-1", NoStream, &[1, 2]).await.unwrap(), first);
    assert_eq!(append(&client, "a-1", NoStream, &[1]).await.unwrap().0, 0, "a part of it");
    let second = append(&client, "a-1", StreamRevision(1), &[3]).await.unwrap();
    assert_eq!(append(&client, "a-1", StreamRevision(1), &[3]).await.unwrap(), second);
    for (state, ids) in [
        (NoStream, vec![9]),
        (NoStream, vec![1, 9]),
        (NoStream, vec![1, 2, 3, 4]),
        (StreamRevision(0), vec![9]),
        (StreamRevision(1), vec![3, 4]),
        (StreamRevision(7), vec![9]),
    ] {
        let refused = append(&client, "a-1", state, &ids).await.unwrap_err();
        let Error::WrongExpectedVersion { current, .. } = &refused else {
            return assert!(matches!(refused, Error::WrongExpectedVersion { .. }), "{refused:?}");
        };
        assert_eq!(*current, CurrentRevision::Current(2), "{state:?} {ids:?}");
    }
    for state in [StreamExists, StreamRevision(0)] {
        let absent = append(&client, "a-2", state, &[9]).await;
        assert!(
            matches!(
                absent,
                Err(Error::WrongExpectedVersion { current: CurrentRevision::NoStream, .. })
            ),
            "{absent:?}"
        );
    }
    assert_eq!(append(&client, "a-1", StreamExists, &[5]).await.unwrap().0, 3);
    assert_eq!(append(&client, "a-1", Any, &[6]).await.unwrap().0, 4);
    assert_eq!(double.count("a-1"), 5);
}

#[tokio::test]
async fn everything_has_one_order_that_can_be_read_from_any_place_of_it() {
    let double = Double::start();
    let client = client(&double);
    let mut last = Position { commit: 0, prepare: 0 };
    for (n, stream) in (0..6).zip(["a-1", "b-1", "c-1", "a-2", "b-2", "$x"]) {
        last = append(&client, stream, StreamState::NoStream, &[n]).await.unwrap().1;
    }
    let all = positions(&client, ReadAllOptions::default()).await;
    assert_eq!(all.len(), 4, "the prefixes choose");
    assert!(all.is_sorted_by(|one, next| one < next) && all[3] < last.prepare);
    let at = StreamPosition::Position(Position { commit: all[1], prepare: all[1] });
    let forwards = ReadAllOptions::default().forwards();
    assert_eq!(positions(&client, forwards.clone().position(at)).await, all[1..]);
    assert_eq!(positions(&client, forwards.position(at).max_count(2)).await, all[1..3]);
    let backwards = ReadAllOptions::default().backwards();
    assert_eq!(positions(&client, backwards.clone().position(at)).await, all[..1]);
    let end = backwards.position(StreamPosition::End).max_count(1);
    assert_eq!(positions(&client, end).await, all[3..]);
}

#[tokio::test]
async fn streams_are_missing_deleted_or_gone_for_ever() {
    let double = Double::start();
    let client = client(&double);
    let read = async |stream: &'static str| {
        let options = ReadStreamOptions::default();
        client.read_stream(stream, &options).await?.next().await.map(|event| event.is_some())
    };
    assert!(matches!(read("a-1").await, Err(Error::ResourceNotFound)));
    append(&client, "a-1", StreamState::NoStream, &[1, 2]).await.unwrap();
    client.delete_stream("a-1", &DeleteStreamOptions::default()).await.unwrap();
    assert!(matches!(read("a-1").await, Err(Error::ResourceNotFound)));
    assert_eq!(append(&client, "a-1", StreamState::NoStream, &[3]).await.unwrap().0, 2);
    assert!(read("a-1").await.unwrap());
    client.tombstone_stream("a-1", &TombstoneStreamOptions::default()).await.unwrap();
    assert!(matches!(read("a-1").await, Err(Error::ResourceDeleted)));
    let gone = append(&client, "a-1", StreamState::Any, &[4]).await;
    assert!(matches!(gone, Err(Error::ResourceDeleted)), "{gone:?}");
}

#[tokio::test]
async fn a_subscription_goes_on_behind_a_place_and_says_how_far_it_looked() {
    let double = Double::start();
    let client = client(&double);
    let first = append(&client, "a-1", StreamState::NoStream, &[1]).await.unwrap().1;
    let second = append(&client, "a-2", StreamState::NoStream, &[2]).await.unwrap().1;
    let filter = SubscriptionFilter::on_stream_name().add_prefix("a-").max(4);
    let options =
        SubscribeToAllOptions::default().position(StreamPosition::Position(first)).filter(filter);
    let mut subscription = client.subscribe_to_all(&options).await;
    let (mut seen, mut caught_up, mut looked) = (Vec::new(), false, 0);
    let watch = async {
        while looked < 2 {
            match subscription.next_subscription_event().await.unwrap() {
                SubscriptionEvent::EventAppeared(event) => {
                    seen.push(event.get_original_event().position.prepare);
                }
                SubscriptionEvent::CaughtUp(_) if !caught_up => {
                    caught_up = true;
                    for n in 10..20 {
                        let stream = format!("x-{n}");
                        append(&client, &stream, StreamState::NoStream, &[n]).await.unwrap();
                    }
                }
                SubscriptionEvent::Checkpoint(at) => {
                    assert!(at.prepare > second.prepare);
                    looked += 1;
                }
                SubscriptionEvent::Confirmed(_)
                | SubscriptionEvent::CaughtUp(_)
                | SubscriptionEvent::FellBehind(_)
                | SubscriptionEvent::FirstStreamPosition(_)
                | SubscriptionEvent::LastStreamPosition(_)
                | SubscriptionEvent::LastAllPosition(_) => {}
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), watch).await.unwrap();
    assert!(caught_up);
    assert_eq!(
        seen,
        [second.prepare],
        "what came before is not said, what is not asked for neither"
    );
}

#[tokio::test]
async fn faults_happen_when_they_are_planned() {
    let double = Double::cluster(2);
    let client = client(&double);
    append(&client, "a-1", StreamState::NoStream, &[1]).await.unwrap();
    double.at_append(1, Fault::Resigns);
    let refused = append(&client, "a-2", StreamState::NoStream, &[2]).await;
    assert!(matches!(refused, Err(Error::NotLeaderException(_))), "{refused:?}");
    assert_eq!((double.leader(), double.count("a-2")), (1, 0));
    append(&client, "a-2", StreamState::NoStream, &[2]).await.unwrap();
    for (n, (fault, stands)) in
        (3_u128..).zip([(Fault::CutBefore, 0), (Fault::CutAfter, 1), (Fault::Unavailable, 0)])
    {
        let (client, stream) = (self::client(&double), format!("a-{n}"));
        client.server_info().await.unwrap();
        double.at_append(1, fault);
        let failed = append(&client, &stream, StreamState::NoStream, &[n]).await;
        assert!(failed.is_err(), "{fault:?}: {failed:?}");
        assert_eq!(double.count(&stream), stands, "{fault:?}");
    }
    double.stop(0);
    double.stop(1);
    assert!(append(&self::client(&double), "b-1", StreamState::NoStream, &[7]).await.is_err());
    double.restart(0);
    double.restart(1);
    append(&self::client(&double), "b-1", StreamState::NoStream, &[7]).await.unwrap();
    assert_eq!(double.count("a-1"), 1, "what it holds stays");
}
