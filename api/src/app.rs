//! From a configuration to a node that listens, and to its end: the middleware around the handlers,
//! the server, and the order in which it stops. What the handlers share is opened in `state`.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::middleware::from_fn;
use actix_web::{App as HttpApp, HttpServer, web};
use tokio::runtime::Handle;
use tokio::time::timeout;
use tracing_actix_web::TracingLogger;
use utoipa_actix_web::AppExt as _;

use crate::config::Config;
use crate::health::check::Check;
use crate::http::cors::cors;
use crate::http::finish::finish;
use crate::http::gate::gate;
use crate::listening;
use crate::openapi;
use crate::routes::{self, ROUTES, TableError};
use crate::services;
use crate::state::{State, StateError};
use crate::stores::Stores;
use crate::telemetry::RequestSpan;
use crate::ws::line::Line;

/// How long handlers have to finish when the node stops.
const HANDLERS_DRAIN: u64 = 3;
const CONNECTIONS_PER_WORKER: usize = 4_096;

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// What its handlers share.
    #[error(transparent)]
    State(#[from] StateError),
    /// The table of routes does not fit the handlers.
    #[error(transparent)]
    Routes(#[from] TableError),
    /// The description cannot be written.
    #[error("the API's description: {0}")]
    Description(#[from] serde_json::Error),
    /// The address.
    #[error("cannot listen on {address}: {cause}; name another address with --listen")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        cause: io::Error,
    },
}

/// Starts nodes.
#[derive(Debug)]
pub struct App;

impl App {
    /// Starts a node on the current runtime, which must be multi-threaded and stays the one that
    /// commands run on; HTTP has threads of its own.
    pub async fn start(config: Config) -> Result<Running, StartError> {
        Self::start_with(config, Vec::new()).await
    }

    /// As [`App::start`] does, and nothing is served when the read models are those of another log.
    pub async fn start_recognised(config: Config) -> Result<Running, StartError> {
        let state = State::open(config, Vec::new(), None, Handle::current()).await?;
        state.recognise().await?;
        listen(web::Data::new(state))
    }

    /// As [`App::start`] does, with parts that readiness asks.
    pub async fn start_with(
        config: Config,
        checks: Vec<Arc<dyn Check>>,
    ) -> Result<Running, StartError> {
        let state = State::open(config, checks, None, Handle::current()).await?;
        listen(web::Data::new(state))
    }

    /// The same on stores that were opened before, and that other nodes may have too.
    pub async fn start_on(config: Config, stores: Stores) -> Result<Running, StartError> {
        let state = State::open(config, Vec::new(), Some(stores), Handle::current()).await?;
        listen(web::Data::new(state))
    }
}

fn listen(state: web::Data<State>) -> Result<Running, StartError> {
    let document = openapi::document();
    routes::check(ROUTES, &document)?;
    let description = web::Bytes::from(serde_json::to_vec(&document)?);
    let address = state.config.listen;
    let failed = |cause| StartError::Listen { address, cause };
    let shared = web::Data::clone(&state);
    let server = HttpServer::new(move || {
        let (app, _document) =
            HttpApp::new().into_utoipa_app().configure(services::configure).split_for_parts();
        app.app_data(web::Data::clone(&shared))
            .configure(openapi::serve(description.clone()))
            .wrap(from_fn(gate))
            .wrap(cors(&shared.config.cors_origins))
            .wrap(from_fn(finish))
            .wrap(TracingLogger::<RequestSpan>::new())
    })
    .on_connect(Line::note)
    .disable_signals()
    .shutdown_timeout(HANDLERS_DRAIN)
    .max_connections(CONNECTIONS_PER_WORKER)
    .client_request_timeout(state.config.limits.head_timeout)
    .listen(listening::listen(address).map_err(failed)?)
    .map_err(failed)?;
    let bound = server.addrs().first().copied().unwrap_or(address);
    let server = server.run();
    let handle = server.handle();
    state.lifecycle.start("http", async move { server.await.map_err(|why| why.to_string()) });
    Ok(Running { address: bound, handle, state })
}

/// A node that runs.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    handle: ServerHandle,
    state: web::Data<State>,
}

impl Running {
    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What its handlers share.
    pub const fn state(&self) -> &web::Data<State> {
        &self.state
    }

    /// Stops it: no new requests, sockets closed, handlers drained, runners ended, log closed.
    /// Answers whether all of that ended in time.
    pub async fn stop(self) -> bool {
        self.state.lifecycle.edge_stops().cancel();
        let grace = Duration::from_secs(HANDLERS_DRAIN.saturating_add(1));
        let drained = timeout(grace, self.handle.stop(true)).await.is_ok();
        self.state.lifecycle.stop().await && drained
    }
}
