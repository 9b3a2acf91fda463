//! The place where clients knock. The system may keep only so much for a client that does not read:
//! left to itself it keeps some megabytes for each connection, which nobody would count.

use std::io;
use std::net::{SocketAddr, TcpListener};

use tokio::net::TcpSocket;

/// What the system keeps of unread answers for one connection, in bytes; Linux doubles it for its
/// own bookkeeping.
const UNREAD_BYTES: u32 = 128 << 10;
/// Connections that wait to be accepted.
const BACKLOG: u32 = 1_024;

/// Listens; the connections inherit what is set here. Needs a runtime to run in.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.set_send_buffer_size(UNREAD_BYTES)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}
