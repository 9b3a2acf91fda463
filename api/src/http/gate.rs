//! The gate before every handler: the route's row, the address's share, the token, the roles, the
//! caller's share, the time limit. Denies by default: what the table of routes does not name does
//! not exist.

use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{ALLOW, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage as _, HttpResponse};

use super::auth::{bearer, require_role};
use super::limits::Share;
use super::peer;
use super::problem::Problem;
use crate::auth::Caller;
use crate::problems::Code;
use crate::routes::{Access, ROUTES, Row, methods_of, row_of};
use crate::state::State;

/// What a worker answers to those who want the API.
const WORKER: &str =
    "This node is a worker and serves no API: ask a node with the role all or api.";

/// When to come back to one, in seconds: by then a balancer has another node for it.
const WORKER_RETRY: u64 = 1;

/// How long a read may take that waits for a position, with the wait and what follows it: each has a
/// bound of its own, and together they would be longer than anybody should wait for a store.
const WAITING_READ_MAX: Duration = Duration::from_millis(2_300);

/// The middleware.
pub async fn gate<B: MessageBody + 'static>(
    state: Data<State>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse, Error> {
    let share = match admit(&state, &request).await {
        Ok(share) => share,
        Err(problem) => {
            let refused = HttpResponse::from_error(problem);
            // Not `into_response`: it would drop the error that the way out still has to finish.
            let (request, _body) = request.into_parts();
            return Ok(ServiceResponse::new(request, refused));
        }
    };
    let limit = state.config.limits.handler_timeout;
    let limit = if waits(request.query_string()) { limit.min(WAITING_READ_MAX) } else { limit };
    let answered = tokio::time::timeout(limit, next.call(request)).await;
    let mut response = answered.map_err(|_late| Problem::new(Code::Timeout).retry_after(1))??;
    for (name, value) in share.iter().flat_map(Share::headers) {
        response.headers_mut().insert(name, value);
    }
    Ok(response.map_into_boxed_body())
}

/// Whether a read waits for a position first, and is about the present.
fn waits(query: &str) -> bool {
    let asks = |name: &str| query.split('&').any(|part| part.starts_with(name));
    asks("min_position=") && !asks("as_of=")
}

async fn admit(state: &State, request: &ServiceRequest) -> Result<Option<Share>, Problem> {
    let row = find(request)?;
    request.extensions_mut().insert(row);
    if !state.config.role.serves() && !row.is_of_every_node() {
        return Err(Problem::new(Code::Unavailable).detail(WORKER).retry_after(WORKER_RETRY));
    }
    let socket = request.peer_addr().map(|address| address.ip());
    let address = peer::address(socket, request.headers(), &state.config.trusted_proxies);
    let share = state.limits.address(row.rate, address).await?;
    let allowed = match row.access {
        Access::Public => return Ok(share),
        Access::LocalOr(_) if peer::is_local(socket, request.headers()) => return Ok(share),
        Access::LocalOr(roles) | Access::Roles(roles) => roles,
    };
    let caller: Caller = state.verifier.verify(bearer(request.headers())?).await?;
    let share = state.limits.principal(caller.principal).await?;
    require_role(&caller, allowed)?;
    request.extensions_mut().insert(caller);
    Ok(Some(share))
}

/// The row of a request, by the pattern that the router itself will choose.
fn find(request: &ServiceRequest) -> Result<&'static Row, Problem> {
    let pattern = request.match_pattern().ok_or(Problem::new(Code::NotFound))?;
    let method = request.method().as_str();
    if let Some(row) = row_of(ROUTES, method, &pattern) {
        return Ok(row);
    }
    let methods = methods_of(ROUTES, &pattern);
    let Ok(allow) = HeaderValue::from_str(&methods.join(", ")) else {
        return Err(Problem::new(Code::NotFound));
    };
    if methods.is_empty() {
        return Err(Problem::new(Code::NotFound));
    }
    Err(Problem::new(Code::MethodNotAllowed).header(ALLOW, allow))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_reads_of_the_present_that_wait_are_bounded_together_with_their_wait() {
        assert!(waits("min_position=7"));
        assert!(waits("limit=2&min_position=7"));
        assert!(!waits("limit=2"));
        assert!(!waits("as_of=3&min_position=7"));
    }
}
