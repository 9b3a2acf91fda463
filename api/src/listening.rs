//! The place where clients knock. The system may keep only so much for a client that does not read:
//! left to itself it keeps some megabytes for each connection, which nobody would count. And there
//! is to be room for as many connections as the system grants.

use std::io;
use std::net::{SocketAddr, TcpListener};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
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

/// Raises how many files this process may have open to what the system grants it at most; a
/// connection takes two. Where that is refused, the node serves fewer connections.
pub fn make_room() {
    let granted = getrlimit(Resource::Nofile);
    let wanted = Rlimit { current: granted.maximum, ..granted };
    if let Err(why) = setrlimit(Resource::Nofile, wanted) {
        tracing::debug!(%why, "the limit of open files stays as it is");
    }
}
