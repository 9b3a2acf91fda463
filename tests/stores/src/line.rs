//! A line to a server that a test can spoil: it refuses, is reset, is held, loses what goes over it,
//! is slow, or breaks in the middle of an answer. Whoever is behind it goes on undisturbed.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;

/// What goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Open,
    /// New connections are refused.
    Refusing,
    /// Nothing; connections stay, and new ones are taken.
    Held,
    /// Each part of an answer, so much later.
    Late(Duration),
    /// So many bytes of the answers on a connection; then it is reset.
    Cut(usize),
}

/// What was ordered last.
#[derive(Debug, Clone, Copy)]
struct Orders {
    way: Way,
    /// Counts orders, so that each one counts its bytes anew.
    number: u64,
    /// Connections that were made before this order are reset.
    reset: u64,
    /// Connections that were made before this order lead nowhere, for ever.
    lost: u64,
}

/// How a connection is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Over {
    Reset,
    Lost,
}

/// A line. It ends with the runtime that it was made in.
#[derive(Debug)]
pub struct Line {
    address: SocketAddr,
    orders: watch::Sender<Orders>,
    taken: watch::Sender<usize>,
}

/// Where a server is, `host:port`, in its address.
///
/// # Panics
/// When the address has no scheme.
pub fn place(url: &str) -> &str {
    let authority = url.split_once("://").unwrap().1.split(['/', '?']).next().unwrap_or_default();
    authority.rsplit_once('@').map_or(authority, |(_, place)| place)
}

impl Line {
    /// One to a server, `host:port`.
    ///
    /// # Panics
    /// When there is no free port.
    pub async fn to(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let orders = Orders { way: Way::Open, number: 0, reset: 0, lost: 0 };
        let orders = watch::Sender::new(orders);
        let taken = watch::Sender::new(0);
        let near = Near { listener, address, taken: taken.clone() };
        tokio::spawn(accept(near, server.to_owned(), orders.clone()));
        Self { address, orders, taken }
    }

    /// One to the server of an address, and that address over the line.
    pub async fn before(url: &str) -> (Self, String) {
        let line = Self::to(place(url)).await;
        let over = url.replace(place(url), &line.place());
        (line, over)
    }

    /// Where it begins, `host:port`.
    pub fn place(&self) -> String {
        self.address.to_string()
    }

    /// How many connections it has taken so far.
    pub fn taken(&self) -> usize {
        *self.taken.borrow()
    }

    /// Returns when it has taken so many.
    ///
    /// # Panics
    /// Never: the line counts as long as it is there.
    pub async fn has_taken(&self, many: usize) {
        self.taken.subscribe().wait_for(|taken| *taken >= many).await.unwrap();
    }

    fn order(&self, order: impl FnOnce(&mut Orders)) {
        self.orders.send_modify(|orders| {
            orders.number = orders.number.saturating_add(1);
            order(orders);
        });
    }

    /// Lets everything through, also what waited.
    pub fn pass(&self) {
        self.order(|orders| orders.way = Way::Open);
    }

    /// Ends all connections with a reset, and refuses new ones.
    pub fn refuse(&self) {
        self.order(|orders| (orders.way, orders.reset) = (Way::Refusing, orders.number));
    }

    /// Ends all connections with a reset, once.
    pub fn reset(&self) {
        self.order(|orders| orders.reset = orders.number);
    }

    /// Lets nothing through: connections stay, new ones are taken, as when a host stands still.
    pub fn hold(&self) {
        self.order(|orders| orders.way = Way::Held);
    }

    /// The same, and what was connected is lost for ever: the far ends are closed, and the near ends
    /// are never told, as when a cable was pulled.
    pub fn lose(&self) {
        self.order(|orders| (orders.way, orders.lost) = (Way::Held, orders.number));
    }

    /// Lets each part of an answer through so much later.
    pub fn delay(&self, by: Duration) {
        self.order(|orders| orders.way = Way::Late(by));
    }

    /// Resets each connection after so many bytes of its answers.
    pub fn cut_after(&self, bytes: usize) {
        self.order(|orders| orders.way = Way::Cut(bytes));
    }
}

/// Where a line begins.
struct Near {
    listener: TcpListener,
    address: SocketAddr,
    taken: watch::Sender<usize>,
}

/// Takes connections while they are not refused.
async fn accept(near: Near, server: String, orders: watch::Sender<Orders>) {
    let Near { mut listener, address, taken } = near;
    let mut changed = orders.subscribe();
    loop {
        let near = tokio::select! {
            biased;
            Ok(_) = changed.wait_for(|orders| orders.way == Way::Refusing) => None,
            accepted = listener.accept() => accepted.ok(),
        };
        if let Some((near, _)) = near {
            tokio::spawn(connect(near, server.clone(), orders.subscribe()));
            taken.send_modify(|taken| *taken = taken.saturating_add(1));
        } else if orders.borrow().way == Way::Refusing {
            drop(listener);
            // Bound and not listening: the port is refused, and stays ours.
            let closed = TcpSocket::new_v4().unwrap();
            closed.set_reuseaddr(true).unwrap();
            closed.bind(address).unwrap();
            if changed.wait_for(|orders| orders.way != Way::Refusing).await.is_err() {
                return;
            }
            listener = closed.listen(1_024).unwrap();
        }
    }
}

async fn connect(mut near: TcpStream, server: String, mut orders: watch::Receiver<Orders>) {
    let made_at = orders.borrow().number;
    let mut far = None;
    let over = tokio::select! {
        biased;
        over = ordered(orders.clone(), made_at) => over,
        ended = async {
            orders.wait_for(|orders| orders.way != Way::Held).await.map_err(io::Error::other)?;
            let far = far.insert(TcpStream::connect(server).await?);
            for end in [&near, far] {
                end.set_nodelay(true)?;
            }
            let (asked, answered) = (near.split(), far.split());
            let late = |way| matches!(way, Way::Late(_) | Way::Cut(_));
            let asking = copy(asked.0, answered.1, orders.clone(), move |way| {
                if late(way) { Way::Open } else { way }
            });
            tokio::try_join!(asking, copy(answered.0, asked.1, orders, |way| way))
        } => match ended {
            Ok(_) => return,
            Err(_gone) => Over::Reset,
        },
    };
    match over {
        // Whoever has gone says so to the other side without a farewell.
        Over::Reset => {
            for end in [Some(near), far].into_iter().flatten() {
                let _gone = end.set_zero_linger();
            }
        }
        Over::Lost => {
            drop(far);
            let _ended = tokio::io::copy(&mut near, &mut tokio::io::sink()).await;
        }
    }
}

/// Waits until it is ordered that a connection is over.
async fn ordered(mut orders: watch::Receiver<Orders>, made_at: u64) -> Over {
    let over = orders.wait_for(|orders| orders.reset > made_at || orders.lost > made_at).await;
    match over.map(|orders| orders.lost > made_at) {
        Ok(true) => Over::Lost,
        Ok(false) | Err(_) => Over::Reset,
    }
}

async fn copy(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    mut orders: watch::Receiver<Orders>,
    seen: impl Fn(Way) -> Way,
) -> io::Result<()> {
    let mut bytes = vec![0; 65_536];
    let (mut counted_for, mut passed) = (0, 0_usize);
    loop {
        let count = from.read(&mut bytes).await?;
        if count == 0 {
            return to.shutdown().await;
        }
        let open = orders.wait_for(|orders| seen(orders.way) != Way::Held).await;
        let open = *open.map_err(io::Error::other)?;
        if counted_for != open.number {
            (counted_for, passed) = (open.number, 0);
        }
        passed = passed.saturating_add(count);
        let mut part = count;
        match seen(open.way) {
            Way::Open | Way::Refusing | Way::Held => {}
            Way::Late(by) => tokio::time::sleep(by).await,
            Way::Cut(most) => part = count.saturating_sub(passed.saturating_sub(most)),
        }
        to.write_all(bytes.get(..part).unwrap_or_default()).await?;
        if part < count {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// A server that says back what it hears.
    async fn echo() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let place = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = stream.split();
                    tokio::io::copy(&mut read, &mut write).await
                });
            }
        });
        place
    }

    async fn say(stream: &mut TcpStream, what: &[u8]) -> io::Result<Vec<u8>> {
        stream.write_all(what).await?;
        let mut heard = vec![0; what.len()];
        stream.read_exact(&mut heard).await?;
        Ok(heard)
    }

    async fn is_silent(stream: &mut TcpStream) -> bool {
        let heard = tokio::time::timeout(Duration::from_millis(100), say(stream, b"there?")).await;
        heard.is_err()
    }

    #[tokio::test]
    async fn a_line_is_spoilt_in_each_way_and_mends() {
        let line = Line::to(&echo().await).await;
        let connect = || TcpStream::connect(line.place());
        let mut one = connect().await.unwrap();
        assert_eq!(say(&mut one, b"hello").await.unwrap(), b"hello");

        line.hold();
        assert!(is_silent(&mut one).await);
        let mut two = connect().await.unwrap();
        assert!(is_silent(&mut two).await);
        line.pass();
        for stream in [&mut one, &mut two] {
            let mut late = [0; 6];
            stream.read_exact(&mut late).await.unwrap();
            assert_eq!(&late, b"there?", "what waited comes late");
        }

        line.delay(Duration::from_millis(150));
        let began = Instant::now();
        assert_eq!(say(&mut one, b"slow").await.unwrap(), b"slow");
        assert!(began.elapsed() >= Duration::from_millis(150));

        line.cut_after(3);
        one.write_all(b"hello").await.unwrap();
        let mut heard = Vec::new();
        let cut = one.read_to_end(&mut heard).await.unwrap_err();
        assert_eq!((cut.kind(), &heard[..]), (io::ErrorKind::ConnectionReset, &b"hel"[..]));

        line.lose();
        line.pass();
        assert!(is_silent(&mut two).await, "what was lost stays lost");
        let mut three = connect().await.unwrap();
        assert_eq!(say(&mut three, b"anew").await.unwrap(), b"anew");

        line.reset();
        assert!(say(&mut three, b"gone").await.is_err());

        line.refuse();
        let began = Instant::now();
        while let Ok(mut stream) = connect().await {
            // It was taken before the order came.
            assert!(say(&mut stream, b"no").await.is_err());
            assert!(began.elapsed() < Duration::from_secs(5), "it is not refused");
        }
        line.pass();
        let began = Instant::now();
        let mut four = loop {
            if let Ok(stream) = connect().await {
                break stream;
            }
            assert!(began.elapsed() < Duration::from_secs(5), "it is refused for ever");
        };
        assert_eq!(say(&mut four, b"back").await.unwrap(), b"back");
    }

    #[test]
    fn an_address_says_where_its_server_is() {
        assert_eq!(place("postgres://me:secret@db:1/x?options=a"), "db:1");
        assert_eq!(place("kurrentdb://h:2113?tls=false"), "h:2113");
        assert_eq!(place("redis://h:6379"), "h:6379");
    }
}
