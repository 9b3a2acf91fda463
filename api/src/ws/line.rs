//! The connection below a socket, in order to cut it. The HTTP server writes to a peer for as long
//! as the peer's window stays closed; a subscriber that never reads could keep its connection, and
//! what was written for it, for ever. Nothing is read or written here.

use std::any::Any;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::dev::Extensions;
use actix_web::rt::net::TcpStream as Served;
use socket2::SockRef;

/// A second name of a connection.
#[derive(Debug)]
pub struct Line(Mutex<Option<TcpStream>>);

impl Line {
    /// Notes a connection when it is made. A connection that cannot be named twice is served all
    /// the same; it just cannot be cut.
    pub fn note(connection: &dyn Any, data: &mut Extensions) {
        let named = connection
            .downcast_ref::<Served>()
            .and_then(|stream| stream.as_fd().try_clone_to_owned().ok());
        if let Some(named) = named {
            data.insert(Arc::new(Self(Mutex::new(Some(TcpStream::from(named))))));
        }
    }

    /// Forgets the second name: a connection that answers requests one by one needs none, and a
    /// file descriptor is scarce.
    pub fn release(&self) {
        drop(self.0.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Ends the connection in both directions, at once. What the system still keeps for a peer that
    /// does not read is thrown away: left alone, it would be kept for minutes.
    pub fn cut(&self) {
        let line = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(line) = line else { return };
        let thrown_away = SockRef::from(&line).set_linger(Some(Duration::ZERO));
        if let Err(why) = thrown_away.and_then(|()| line.shutdown(Shutdown::Both)) {
            tracing::debug!(%why, "a connection was gone before it was cut");
        }
    }
}
