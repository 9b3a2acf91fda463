//! From a request's path to what answers it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::{Request, Response};
use hyper::body::Incoming;
use tonic::codec::ProstCodec;
use tonic::metadata::MetadataMap;
use tonic::server::Grpc;
use tonic::{Code, Status};
use tower::service_fn;

use crate::Shared;
use crate::node::Cut;
use crate::wire::cluster::{
    ClusterInfo, EndPoint, Member, Role, SupportedMethod, SupportedMethods,
};
use crate::wire::read::{ReadReq, ReadResp};
use crate::wire::write::{AppendReq, AppendResp, RemoveReq, RemoveResp};
use crate::wire::{Empty, Id};

/// What a real server takes in one message at most, and a little.
const MESSAGE_MAX: usize = 32 << 20;

/// What the requests of one connection know.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    pub(crate) number: usize,
    pub(crate) shared: Arc<Shared>,
    pub(crate) cut: Cut,
}

type Answer<T> = Result<tonic::Response<T>, Status>;

fn grpc<E, D>() -> Grpc<ProstCodec<E, D>>
where
    E: prost::Message + 'static,
    D: prost::Message + Default + 'static,
{
    Grpc::new(ProstCodec::default())
        .max_decoding_message_size(MESSAGE_MAX)
        .max_encoding_message_size(MESSAGE_MAX)
}

impl Service {
    pub(crate) async fn call(self, request: Request<Incoming>) -> Response<tonic::body::Body> {
        let path = request.uri().path().to_owned();
        let (_, method) = path.rsplit_once('/').unwrap_or_default();
        match (path.as_str(), method) {
            ("/event_store.client.streams.Streams/Append", _) => {
                let append =
                    service_fn(move |request: tonic::Request<tonic::Streaming<AppendReq>>| {
                        let this = self.clone();
                        async move { this.append(request).await }
                    });
                grpc::<AppendResp, AppendReq>().client_streaming(append, request).await
            }
            ("/event_store.client.streams.Streams/Read", _) => {
                let read = service_fn(move |request: tonic::Request<ReadReq>| {
                    let this = self.clone();
                    async move { this.read(request).await }
                });
                grpc::<ReadResp, ReadReq>().server_streaming(read, request).await
            }
            (
                "/event_store.client.streams.Streams/Delete"
                | "/event_store.client.streams.Streams/Tombstone",
                method,
            ) => {
                let for_ever = method == "Tombstone";
                let remove = service_fn(move |request: tonic::Request<RemoveReq>| {
                    let this = self.clone();
                    async move { this.remove(request, for_ever).await }
                });
                grpc::<RemoveResp, RemoveReq>().unary(remove, request).await
            }
            ("/event_store.client.server_features.ServerFeatures/GetSupportedMethods", _) => {
                let features = service_fn(move |_: tonic::Request<Empty>| {
                    let this = self.clone();
                    async move { this.features().await }
                });
                grpc::<SupportedMethods, Empty>().unary(features, request).await
            }
            ("/event_store.client.gossip.Gossip/Read", _) => {
                let gossip = service_fn(move |_: tonic::Request<Empty>| {
                    let this = self.clone();
                    async move { this.gossip().await }
                });
                grpc::<ClusterInfo, Empty>().unary(gossip, request).await
            }
            (_, _) => Status::unimplemented(path).into_http(),
        }
    }

    async fn features(self) -> Answer<SupportedMethods> {
        self.shared.faults.unless_paused().await;
        let methods = ["append", "read", "delete", "tombstone"].map(|method| SupportedMethod {
            method_name: method.to_owned(),
            service_name: "event_store.client.streams.streams".to_owned(),
            features: Vec::new(),
        });
        let version = "24.10.0".to_owned();
        Ok(tonic::Response::new(SupportedMethods { methods: methods.into(), version }))
    }

    async fn gossip(self) -> Answer<ClusterInfo> {
        self.shared.faults.unless_paused().await;
        let leader = self.shared.leader.load(Ordering::SeqCst);
        let members = self.shared.members();
        let members = members.iter().enumerate().map(|(number, member)| {
            let role = match (member.alive, number == leader) {
                (true, true) => Role::Leader,
                (true, false) => Role::Follower,
                (false, _) => Role::Shutdown,
            };
            Member {
                instance_id: Some(Id::of(uuid::Uuid::new_v4(), false)),
                time_stamp: 0,
                state: role.into(),
                is_alive: member.alive,
                end_point: Some(EndPoint {
                    address: member.address.ip().to_string(),
                    port: member.address.port().into(),
                }),
            }
        });
        Ok(tonic::Response::new(ClusterInfo { members: members.collect() }))
    }

    /// Refuses what only the leader does.
    pub(crate) fn led(&self, metadata: &MetadataMap, always: bool) -> Result<(), Status> {
        let wanted = metadata.get("requires-leader").is_some_and(|value| value == "true");
        if self.shared.leads(self.number) || !(always || wanted) {
            return Ok(());
        }
        let leader = self.shared.leader.load(Ordering::SeqCst);
        let address = self.shared.members()[leader].address;
        Err(refused(
            Code::NotFound,
            "not-leader",
            &[
                ("leader-endpoint-host", address.ip().to_string()),
                ("leader-endpoint-port", address.port().to_string()),
            ],
        ))
    }
}

/// A refusal with the name by which clients know it; some know it by its words.
pub(crate) fn refused(code: Code, exception: &str, more: &[(&'static str, String)]) -> Status {
    refused_saying(code, exception, more, exception)
}

/// The same with words of its own.
pub(crate) fn refused_saying(
    code: Code,
    exception: &str,
    more: &[(&'static str, String)],
    words: &str,
) -> Status {
    let mut metadata = MetadataMap::new();
    metadata.insert("exception", exception.parse().unwrap());
    for (name, value) in more {
        metadata.insert(*name, value.parse().unwrap());
    }
    Status::with_metadata(code, words, metadata)
}
