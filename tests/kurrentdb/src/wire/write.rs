//! Appends and deletions.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::{Empty, Id, Position, StreamIdentifier};

#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct AppendReq {
    #[prost(oneof = "AppendContent", tags = "1, 2")]
    pub(crate) content: Option<AppendContent>,
}

#[derive(Clone, PartialEq, Eq, prost::Oneof)]
pub(crate) enum AppendContent {
    #[prost(message, tag = "1")]
    Options(Target),
    #[prost(message, tag = "2")]
    Proposed(Proposed),
}

/// A stream and what is expected of it; appends, deletions and tombstones share it.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct Target {
    #[prost(message, optional, tag = "1")]
    pub(crate) stream: Option<StreamIdentifier>,
    #[prost(oneof = "Expected", tags = "2, 3, 4, 5")]
    pub(crate) expected: Option<Expected>,
}

#[derive(Clone, Copy, PartialEq, Eq, prost::Oneof)]
pub(crate) enum Expected {
    #[prost(uint64, tag = "2")]
    Revision(u64),
    #[prost(message, tag = "3")]
    NoStream(Empty),
    #[prost(message, tag = "4")]
    Any(Empty),
    #[prost(message, tag = "5")]
    StreamExists(Empty),
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct Proposed {
    #[prost(message, optional, tag = "1")]
    pub(crate) id: Option<Id>,
    #[prost(btree_map = "string, string", tag = "2")]
    pub(crate) metadata: BTreeMap<String, String>,
    #[prost(bytes = "bytes", tag = "3")]
    pub(crate) custom_metadata: Bytes,
    #[prost(bytes = "bytes", tag = "4")]
    pub(crate) data: Bytes,
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct AppendResp {
    #[prost(oneof = "AppendResult", tags = "1, 2")]
    pub(crate) result: Option<AppendResult>,
}

#[derive(Clone, PartialEq, Eq, prost::Oneof)]
pub(crate) enum AppendResult {
    #[prost(message, tag = "1")]
    Success(Success),
    #[prost(message, tag = "2")]
    WrongExpectedVersion(WrongExpectedVersion),
}

#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub(crate) struct Success {
    #[prost(oneof = "SuccessRevision", tags = "1, 2")]
    pub(crate) revision: Option<SuccessRevision>,
    #[prost(oneof = "SuccessPosition", tags = "3, 4")]
    pub(crate) position: Option<SuccessPosition>,
}

#[derive(Clone, Copy, PartialEq, Eq, prost::Oneof)]
pub(crate) enum SuccessRevision {
    #[prost(uint64, tag = "1")]
    Current(u64),
    #[prost(message, tag = "2")]
    NoStream(Empty),
}

#[derive(Clone, Copy, PartialEq, Eq, prost::Oneof)]
pub(crate) enum SuccessPosition {
    #[prost(message, tag = "3")]
    At(Position),
    #[prost(message, tag = "4")]
    Nowhere(Empty),
}

#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub(crate) struct WrongExpectedVersion {
    #[prost(oneof = "WrongCurrent", tags = "6, 7")]
    pub(crate) current: Option<WrongCurrent>,
    #[prost(oneof = "WrongExpected", tags = "8, 9, 10, 11")]
    pub(crate) expected: Option<WrongExpected>,
}

#[derive(Clone, Copy, PartialEq, Eq, prost::Oneof)]
pub(crate) enum WrongCurrent {
    #[prost(uint64, tag = "6")]
    Revision(u64),
    #[prost(message, tag = "7")]
    NoStream(Empty),
}

#[derive(Clone, Copy, PartialEq, Eq, prost::Oneof)]
pub(crate) enum WrongExpected {
    #[prost(uint64, tag = "8")]
    Revision(u64),
    #[prost(message, tag = "9")]
    Any(Empty),
    #[prost(message, tag = "10")]
    StreamExists(Empty),
    #[prost(message, tag = "11")]
    NoStream(Empty),
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct RemoveReq {
    #[prost(message, optional, tag = "1")]
    pub(crate) options: Option<Target>,
}

#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub(crate) struct RemoveResp {
    #[prost(message, optional, tag = "1")]
    pub(crate) position: Option<Position>,
}
