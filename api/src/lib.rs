//! The edge of Holdfast and its wiring: configuration, tokens, HTTP, lifecycle, the command line.
//! The binary is a thin call into this library, so that tests start the application in process.
//! Business rules are not here; storage is not here.
#![warn(missing_docs)]

pub mod app;
pub mod auth;
pub mod cli;
pub mod config;
pub mod division;
pub mod due;
pub mod health;
pub mod http;
pub mod keys;
pub mod lifecycle;
pub mod listening;
pub mod metrics;
pub mod node;
pub mod openapi;
pub mod problems;
pub mod routes;
pub mod services;
pub mod state;
pub mod stores;
pub mod telemetry;
pub mod wall_clock;
pub mod ws;
