//! What callers send who do not mean well, or do not mean anything. From the list of bad inputs of
//! the design.

use serde_json::{Value, json};

/// Bodies that are not one JSON object.
pub(crate) fn malformed() -> Vec<Vec<u8>> {
    let texts: [&[u8]; 17] = [
        b"",
        b" ",
        b"{",
        b"{\"a\":1,}",
        b"{}{}",
        b"{} x",
        b"\xef\xbb\xbf{}",
        b"{\0\"\0a\0",
        b"{\"a\":\"\\ud800\"}",
        b"{\"a\":\"\xff\"}",
        b"{\"a\":NaN}",
        b"{/*a*/}",
        b"null",
        b"[]",
        b"\"x\"",
        b"1",
        b"{\"a\":1,\"a\":2}",
    ];
    let mut all: Vec<Vec<u8>> = texts.into_iter().map(Into::into).collect();
    all.push(format!("{{\"a\":{}{}}}", "[".repeat(64), "]".repeat(64)).into());
    all.push(format!("{{\"a\":{}", "[".repeat(60_000)).into());
    all
}

/// Media types that are not JSON in UTF-8.
pub(crate) const CONTENT_TYPES: [&str; 5] = [
    "text/plain",
    "application/x-www-form-urlencoded",
    "application/json; charset=utf-16",
    "multipart/form-data; boundary=x",
    "nonsense",
];

/// Values for any field.
pub(crate) fn values() -> Vec<Value> {
    let numbers = [
        json!(0),
        json!(-1),
        json!(1.5),
        json!(i32::MAX),
        json!(u32::MAX),
        json!(9_007_199_254_740_991_u64),
        json!(9_007_199_254_740_992_u64),
        json!(i64::MAX),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(1e300),
    ];
    let long = "x".repeat(60_000);
    let texts = [
        "",
        " ",
        "1",
        "null",
        "KRW",
        "ZZZ",
        "mon",
        "P1D",
        "PT9999999999H",
        "P-1D",
        "slot",
        "other",
        "' OR 1=1 --",
        "${jndi:ldap://x}",
        "<script>",
        "a\r\nSet-Cookie: b",
        "../../etc/passwd",
        "\u{202e}abc",
        "\u{200b}",
        "e\u{301}",
        "각",
        "👩‍👩‍👧",
        "\u{0}",
        "00:00",
        "24:00",
        "25:00",
        "10:60",
        "2026-02-30",
        "0000-01-01",
        "9999-12-31",
        "10000-01-01",
        "2026-03-09T12:00:00",
        "2026-03-09T23:59:60Z",
        "2026-03-09T24:00:00Z",
        "0000-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "+10000-01-01T00:00:00Z",
        "2036-03-09T12:00:00+09:00",
        "2026-03-09T12:00:00.123456789Z",
        "1773025200",
        "America/New_York",
        "Etc/GMT+12",
        "../Asia/Seoul",
        "018f2a10-7c5e-7000-8fff-ffffffffffff",
        "00000000-0000-0000-0000-000000000000",
        "sim_lost_after_capture_",
        &long,
    ];
    let others = [json!(null), json!(true), json!([]), json!({}), json!([[]]), json!({"a": 1})];
    numbers.into_iter().chain(texts.map(|text| json!(text))).chain(others).collect()
}

/// Ids in a path.
pub(crate) const IDS: [&str; 18] = [
    "x",
    "1",
    "-1",
    "{}",
    "*",
    "..%2f..%2fetc",
    "%00",
    "%0d%0a",
    "%ff",
    "%F0%9F%92%A9",
    "00000000-0000-0000-0000-000000000000",
    "018F2A10-7C5E-7000-8FFF-FFFFFFFFFFFF",
    "{018f2a10-7c5e-7000-8fff-ffffffffffff}",
    "018f2a107c5e70008fffffffffffffff",
    "018f2a10-7c5e-7000-8fff-fffffffffffff",
    "018f2a10-7c5e-7000-8fff-ffffffffffff%3Fx=1",
    "reservation-",
    "nothing-018f2a10-7c5e-7000-8fff-ffffffffffff",
];

/// Values of a query's parameter.
pub(crate) const PARAMETERS: [&str; 17] = [
    "",
    "0",
    "-1",
    "1.5",
    "x",
    "%00",
    "%ff",
    "%27%20OR%201%3D1",
    "18446744073709551616",
    "9223372036854775808",
    "2026-03-09T12:00:00Z",
    "0000-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "2026-03-09",
    "null",
    "[]",
    "1&limit=1&limit=1",
];
