//! How streams are named.

use super::*;

#[test]
fn stream_names_round_trip_and_nothing_else_is_read() {
    let name = "calendar-018f2a10-7c5e-7000-8000-000000000001";
    assert_eq!(name.parse::<StreamId>().unwrap().to_string(), name);
    for wrong in
        ["calendar", "calendar-", "nothing-018f2a10-7c5e-7000-8000-000000000001", "calendar-x"]
    {
        assert_eq!(wrong.parse::<StreamId>(), Err(InvalidId), "{wrong}");
    }
}
