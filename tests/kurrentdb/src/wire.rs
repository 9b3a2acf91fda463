//! The messages of the protocol that the double speaks: field numbers and types as they are on the
//! wire. Only what the double reads or says; fields that it never looks at are left out.

pub(crate) mod cluster;
pub(crate) mod read;
pub(crate) mod write;

use bytes::Bytes;
use uuid::Uuid;

/// Nothing.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub(crate) struct Empty {}

#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct Id {
    #[prost(oneof = "IdValue", tags = "1, 2")]
    pub(crate) value: Option<IdValue>,
}

#[derive(Clone, PartialEq, Eq, prost::Oneof)]
pub(crate) enum IdValue {
    #[prost(message, tag = "1")]
    Structured(Halves),
    #[prost(string, tag = "2")]
    Text(String),
}

/// A UUID as two numbers.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub(crate) struct Halves {
    #[prost(int64, tag = "1")]
    pub(crate) most: i64,
    #[prost(int64, tag = "2")]
    pub(crate) least: i64,
}

impl Id {
    /// The UUID that a caller sent.
    pub(crate) fn uuid(&self) -> Option<Uuid> {
        match self.value.as_ref()? {
            IdValue::Structured(halves) => {
                Some(Uuid::from_u64_pair(halves.most.cast_unsigned(), halves.least.cast_unsigned()))
            }
            IdValue::Text(text) => text.parse().ok(),
        }
    }

    /// A UUID in the form that the caller asked for.
    pub(crate) fn of(id: Uuid, as_text: bool) -> Self {
        let value = if as_text {
            IdValue::Text(id.to_string())
        } else {
            let (most, least) = id.as_u64_pair();
            IdValue::Structured(Halves { most: most.cast_signed(), least: least.cast_signed() })
        };
        Self { value: Some(value) }
    }
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct StreamIdentifier {
    #[prost(bytes = "bytes", tag = "3")]
    pub(crate) stream_name: Bytes,
}

impl StreamIdentifier {
    pub(crate) fn of(name: &str) -> Self {
        Self { stream_name: Bytes::copy_from_slice(name.as_bytes()) }
    }

    pub(crate) fn name(&self) -> String {
        String::from_utf8_lossy(&self.stream_name).into_owned()
    }
}

/// A place in `$all`.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub(crate) struct Position {
    #[prost(uint64, tag = "1")]
    pub(crate) commit: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) prepare: u64,
}

/// Seconds and nanoseconds since 1970.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub(crate) struct Instant {
    #[prost(int64, tag = "1")]
    pub(crate) seconds: i64,
    #[prost(int32, tag = "2")]
    pub(crate) nanos: i32,
}
