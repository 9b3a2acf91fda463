//! One node: a listener and its connections on a runtime of their own, so that a stop really cuts
//! them, and a start takes the same port again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use tokio::sync::watch;

use crate::service::Service;
use crate::{Member, Shared};

/// A node that runs or is stopped.
#[derive(Debug)]
pub(crate) struct Node {
    number: usize,
    address: SocketAddr,
    runtime: Option<Runtime>,
}

/// A connection that can be cut, and a node that can die, from within a request.
#[derive(Debug, Clone)]
pub(crate) struct Cut {
    connection: Arc<Notify>,
    node: watch::Sender<bool>,
}

impl Cut {
    /// Cuts the connection. The request that calls this is never answered.
    pub(crate) fn connection(&self) {
        self.connection.notify_waiters();
        self.connection.notify_one();
    }

    /// Cuts every connection of the node, and takes no other until it is started again.
    pub(crate) fn node(&self) {
        self.node.send_replace(true);
    }
}

impl Node {
    pub(crate) fn start(number: usize, shared: &Arc<Shared>) -> Self {
        let mut node = Self { number, address: ([127, 0, 0, 1], 0).into(), runtime: None };
        shared.members().push(Member { address: node.address, alive: false });
        node.run(shared);
        node
    }

    /// Listens; waits until it does.
    pub(crate) fn run(&mut self, shared: &Arc<Shared>) {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = {
            let _inside = runtime.enter();
            listen(self.address)
        };
        self.address = listener.local_addr().unwrap();
        shared.members()[self.number] = Member { address: self.address, alive: true };
        runtime.spawn(accept(listener, self.number, Arc::clone(shared)));
        self.runtime = Some(runtime);
    }

    /// Ends everything at once and waits until the port is free.
    pub(crate) fn stop(&mut self, shared: &Shared) {
        shared.members()[self.number].alive = false;
        if let Some(runtime) = self.runtime.take() {
            // Not here: a runtime must not end within another one.
            let ended =
                std::thread::spawn(move || runtime.shutdown_timeout(Duration::from_secs(5)));
            ended.join().unwrap();
        }
    }
}

fn listen(address: SocketAddr) -> TcpListener {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap_or_else(|why| panic!("{address}: {why}"));
    socket.listen(1_024).unwrap()
}

async fn accept(listener: TcpListener, number: usize, shared: Arc<Shared>) {
    let dies = watch::Sender::new(false);
    let mut dead = dies.subscribe();
    loop {
        let accepted = tokio::select! {
            biased;
            _ = dead.wait_for(|dead| *dead) => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else { continue };
        let cut = Cut { connection: Arc::default(), node: dies.clone() };
        tokio::spawn(serve(stream, number, Arc::clone(&shared), cut));
    }
    // The listener ends here: a dead node refuses connections.
    shared.members()[number].alive = false;
}

async fn serve(stream: TcpStream, number: usize, shared: Arc<Shared>, cut: Cut) {
    let _refused = stream.set_nodelay(true);
    let mut dead = cut.node.subscribe();
    let connection = Arc::clone(&cut.connection);
    let service = Service { number, shared, cut };
    let serving = http2::Builder::new(TokioExecutor::new()).serve_connection(
        TokioIo::new(stream),
        hyper::service::service_fn(move |request| {
            let service = service.clone();
            async move { Ok::<_, std::convert::Infallible>(service.call(request).await) }
        }),
    );
    tokio::select! {
        biased;
        () = connection.notified() => {}
        _ = dead.wait_for(|dead| *dead) => {}
        _ended = serving => {}
    }
}
