//! Appends and deletions, with what is planned to go wrong.

use std::time::{SystemTime, UNIX_EPOCH};

use tonic::{Code, Request, Response, Status, Streaming};

use crate::database::{Expect, New, Refused, Stands};
use crate::fault::{Fault, denied};
use crate::service::{Service, refused, refused_saying};
use crate::wire::write::{
    AppendContent, AppendReq, AppendResp, AppendResult, Expected, Proposed, RemoveReq, RemoveResp,
    Success, SuccessPosition, SuccessRevision, Target, WrongCurrent, WrongExpected,
    WrongExpectedVersion,
};
use crate::wire::{Empty, Position};

impl Service {
    pub(crate) async fn append(
        self,
        request: Request<Streaming<AppendReq>>,
    ) -> Result<Response<AppendResp>, Status> {
        let (metadata, _, mut messages) = request.into_parts();
        self.shared.faults.unless_paused().await;
        self.led(&metadata, true)?;
        let (mut target, mut events) = (None, Vec::new());
        while let Some(message) = messages.message().await? {
            match message.content {
                Some(AppendContent::Options(options)) => target = Some(options),
                Some(AppendContent::Proposed(proposed)) => events.push(new(proposed)?),
                None => return Err(Status::invalid_argument("an empty message")),
            }
        }
        let (stream, expect) = aim(target)?;
        let fault = self.shared.faults.next();
        self.fail_before(fault).await?;
        // What was paused meanwhile takes no effect before it goes on.
        self.shared.faults.unless_paused().await;
        let result = {
            let mut database = self.shared.database();
            let result = database.append(&stream, expect, events);
            self.shared.end.send_replace(database.end());
            result
        };
        self.fail_after(fault).await?;
        answer(&stream, expect, result).map(Response::new)
    }

    async fn fail_before(&self, fault: Option<Fault>) -> Result<(), Status> {
        match fault {
            Some(Fault::CutBefore) => {
                self.cut.connection();
                std::future::pending().await
            }
            Some(Fault::DiesBefore) => {
                self.cut.node();
                std::future::pending().await
            }
            Some(Fault::Resigns) => {
                self.shared.resign(self.number);
                self.led(&tonic::metadata::MetadataMap::new(), true)
            }
            Some(Fault::Unavailable) => Err(Status::unavailable("the node is not ready")),
            Some(Fault::TimesOutBefore) => Err(timed_out()),
            Some(Fault::Denied) => Err(denied()),
            Some(Fault::CutAfter | Fault::DiesAfter | Fault::TimesOutAfter | Fault::Slow(_))
            | None => Ok(()),
        }
    }

    async fn fail_after(&self, fault: Option<Fault>) -> Result<(), Status> {
        match fault {
            Some(Fault::CutAfter) => {
                self.cut.connection();
                std::future::pending().await
            }
            Some(Fault::DiesAfter) => {
                self.cut.node();
                std::future::pending().await
            }
            Some(Fault::TimesOutAfter) => Err(timed_out()),
            Some(Fault::Slow(by)) => {
                tokio::time::sleep(by).await;
                Ok(())
            }
            Some(
                Fault::CutBefore
                | Fault::DiesBefore
                | Fault::Resigns
                | Fault::Unavailable
                | Fault::TimesOutBefore
                | Fault::Denied,
            )
            | None => Ok(()),
        }
    }

    pub(crate) async fn remove(
        self,
        request: Request<RemoveReq>,
        for_ever: bool,
    ) -> Result<Response<RemoveResp>, Status> {
        let (metadata, _, request) = request.into_parts();
        self.shared.faults.unless_paused().await;
        self.led(&metadata, true)?;
        let (stream, expect) = aim(request.options)?;
        let mut database = self.shared.database();
        let removed = database.remove(&stream, expect, for_ever);
        self.shared.end.send_replace(database.end());
        match removed {
            Ok(position) => {
                let position = Some(Position { commit: position, prepare: position });
                Ok(Response::new(RemoveResp { position }))
            }
            Err(Refused::Deleted) => Err(deleted(&stream)),
            Err(Refused::Wrong(current)) => {
                let number = |revision: Option<u64>| revision.map_or(-1, u64::cast_signed);
                let expected = match expect {
                    Expect::Any => -2,
                    Expect::Exists => -4,
                    Expect::NoStream => -1,
                    Expect::Revision(revision) => revision.cast_signed(),
                };
                Err(refused(
                    Code::FailedPrecondition,
                    "wrong-expected-version",
                    &[
                        ("expected-version", expected.to_string()),
                        ("actual-version", number(current).to_string()),
                    ],
                ))
            }
        }
    }
}

/// How a server says that a write was not committed in its time, which it still may be.
fn timed_out() -> Status {
    Status::aborted("Operation timed out")
}

/// The refusal of a stream that is gone for ever.
pub(crate) fn deleted(stream: &str) -> Status {
    let name = [("stream-name", stream.to_owned())];
    let words = format!("the stream {stream} is deleted");
    refused_saying(Code::FailedPrecondition, "stream-deleted", &name, &words)
}

fn aim(target: Option<Target>) -> Result<(String, Expect), Status> {
    let target = target.ok_or_else(|| Status::invalid_argument("no options"))?;
    let stream = target.stream.ok_or_else(|| Status::invalid_argument("no stream"))?.name();
    let expect = match target.expected {
        Some(Expected::Revision(revision)) => Expect::Revision(revision),
        Some(Expected::NoStream(_)) => Expect::NoStream,
        Some(Expected::StreamExists(_)) => Expect::Exists,
        Some(Expected::Any(_)) => Expect::Any,
        None => return Err(Status::invalid_argument("no expectation")),
    };
    Ok((stream, expect))
}

fn new(proposed: Proposed) -> Result<New, Status> {
    let id = proposed.id.and_then(|id| id.uuid());
    let id = id.ok_or_else(|| Status::invalid_argument("an event without an id"))?;
    let Proposed { mut metadata, custom_metadata, data, .. } = proposed;
    for needed in ["type", "content-type"] {
        if !metadata.contains_key(needed) {
            return Err(Status::invalid_argument(format!("an event without its {needed}")));
        }
    }
    // In units of 100 ns.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() / 100;
    metadata.insert("created".to_owned(), now.to_string());
    Ok(New { id, metadata, custom_metadata, data })
}

fn answer(
    stream: &str,
    expect: Expect,
    result: Result<Stands, Refused>,
) -> Result<AppendResp, Status> {
    let result = match result {
        Ok(stands) => AppendResult::Success(Success {
            revision: Some(
                stands
                    .revision
                    .map_or(SuccessRevision::NoStream(Empty {}), SuccessRevision::Current),
            ),
            position: Some(stands.position.map_or(SuccessPosition::Nowhere(Empty {}), |at| {
                SuccessPosition::At(Position { commit: at, prepare: at })
            })),
        }),
        Err(Refused::Deleted) => return Err(deleted(stream)),
        Err(Refused::Wrong(current)) => AppendResult::WrongExpectedVersion(WrongExpectedVersion {
            current: Some(current.map_or(WrongCurrent::NoStream(Empty {}), WrongCurrent::Revision)),
            expected: Some(match expect {
                Expect::Any => WrongExpected::Any(Empty {}),
                Expect::Exists => WrongExpected::StreamExists(Empty {}),
                Expect::NoStream => WrongExpected::NoStream(Empty {}),
                Expect::Revision(revision) => WrongExpected::Revision(revision),
            }),
        }),
    };
    Ok(AppendResp { result: Some(result) })
}
