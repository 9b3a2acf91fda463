//! The body of a command: exactly one JSON object in UTF-8, within its limit, each key once, not too
//! deep, and nothing in it that is not understood. What cannot be read is a 400, what can be read
//! but means nothing is a 422 with a pointer.

pub mod meaning;
pub mod syntax;

use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, TRANSFER_ENCODING};
use actix_web::web::{Bytes, BytesMut, Data};
use actix_web::{FromRequest, HttpMessage as _, HttpRequest};
use futures_util::future::LocalBoxFuture;
use futures_util::{FutureExt as _, StreamExt as _};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::problem::Problem;
use crate::problems::Code;
use crate::state::State;

/// A body, read strictly.
#[derive(Debug)]
pub struct Body<T> {
    /// What it says.
    pub value: T,
    /// As it came, for the fingerprint of the command.
    pub bytes: Bytes,
}

/// Reads a body's text.
pub fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let text = syntax::check(bytes)?;
    meaning::read(text)
}

/// The same where a command can be said without a body: none reads as the default.
#[derive(Debug)]
pub struct OptionalBody<T> {
    /// What the body says.
    pub value: T,
    /// The body to the byte, for the command's fingerprint.
    pub bytes: Bytes,
}

/// The body of a command that takes nothing: none, or an empty object.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

impl<T: DeserializeOwned + Default + 'static> FromRequest for OptionalBody<T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let length = request.headers().get(CONTENT_LENGTH);
        let chunked = request.headers().contains_key(TRANSFER_ENCODING);
        if !chunked && length.is_none_or(|length| length.as_bytes() == b"0") {
            let nothing = Self { value: T::default(), bytes: Bytes::new() };
            return std::future::ready(Ok(nothing)).boxed_local();
        }
        let body = Body::<T>::from_request(request, payload);
        async move { body.await.map(|Body { value, bytes }| Self { value, bytes }) }.boxed_local()
    }
}

impl<T: DeserializeOwned + 'static> FromRequest for Body<T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let limit =
            request.app_data::<Data<State>>().map(|state| state.config.limits.body_bytes_max);
        let request = request.clone();
        let payload = payload.take();
        async move {
            let limit = limit.ok_or_else(|| Problem::internal("no application state"))?;
            let bytes = collect(&request, payload, limit).await?;
            Ok(Self { value: read(&bytes)?, bytes })
        }
        .boxed_local()
    }
}

/// Takes the bytes of a body that calls itself JSON, up to the limit.
async fn collect(
    request: &HttpRequest,
    mut payload: Payload,
    limit: usize,
) -> Result<Bytes, Problem> {
    if !is_plain_json(request) {
        return Err(Problem::new(Code::UnsupportedMediaType));
    }
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    if announced.and_then(|length| length.parse::<usize>().ok()).is_some_and(|size| size > limit) {
        return Err(Problem::new(Code::PayloadTooLarge));
    }
    let mut bytes = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|why| Problem::new(Code::BadRequest).because(why))?;
        if bytes.len().saturating_add(chunk.len()) > limit {
            return Err(Problem::new(Code::PayloadTooLarge));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}

fn is_plain_json(request: &HttpRequest) -> bool {
    let Ok(Some(mime)) = request.mime_type() else { return false };
    let utf8 = mime.get_param("charset").is_none_or(|charset| charset == "utf-8");
    let plain = match request.headers().get(CONTENT_ENCODING) {
        Some(encoding) => encoding.as_bytes().eq_ignore_ascii_case(b"identity"),
        None => true,
    };
    mime.essence_str() == "application/json" && utf8 && plain
}
