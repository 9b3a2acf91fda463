//! Use cases: how a command travels from a request to an append, and how processes take their
//! next steps. Knows the log and the world only through ports.
#![warn(missing_docs, clippy::future_not_send)]

pub mod about;
pub mod cancel;
pub mod catalog;
pub mod checkout;
pub mod decision;
pub mod drive;
pub mod failpoint;
pub mod handle;
pub mod in_flight;
pub mod owner;
pub mod owners;
pub mod patience;
pub mod ports;
pub mod processes;
pub mod refusal;
pub mod remembered;
pub mod request;
pub mod reserve;
pub mod review;
pub mod routes;
pub mod shares;
pub mod state;
pub mod tasks;
pub mod use_case;
pub mod world;
