//! Bodies that are far too large or far too deep.

use std::pin::pin;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::scene::{Scene, offer, to_the_end};

const SIZE: usize = 10 << 20;
/// How many send one at a time.
const CALLERS: usize = 20;
/// By how much the node may grow while they do: far less than what they send.
const GROWTH_KIB_MAX: u64 = 24 << 10;

/// How a body of [`SIZE`] is announced, and its pieces.
fn framings() -> [(String, Vec<u8>); 2] {
    let length = 16 << 10;
    let plain = vec![b' '; length];
    let mut chunk = format!("{length:x}\r\n").into_bytes();
    chunk.extend(&plain);
    chunk.extend(b"\r\n");
    [(format!("content-length: {SIZE}"), plain), ("transfer-encoding: chunked".to_owned(), chunk)]
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_of_ten_megabytes_are_refused_and_never_kept() {
    let scene = Scene::open(&[]);
    scene.answers_others().await;
    let before = scene.memory();
    let mut most = before;
    for (framing, piece) in framings() {
        let mut callers = JoinSet::new();
        for _ in 0..CALLERS {
            let (head, piece, stream) =
                (scene.head(&framing), piece.clone(), scene.connect().await);
            callers.spawn(refuses(stream, head, piece));
        }
        while let Some(refused) = callers.join_next().await {
            assert!(refused.unwrap(), "{framing}: it was taken to the end");
            most = most.max(scene.memory());
        }
        scene.answers_others().await;
    }
    let growth = most.saturating_sub(before);
    assert!(growth <= GROWTH_KIB_MAX, "it grew by {growth} KiB");
    scene.close();
}

/// Sends a body of [`SIZE`]; whether the node refuses it before it is at its end.
async fn refuses(stream: TcpStream, head: String, piece: Vec<u8>) -> bool {
    let (mut reading, mut writing) = stream.into_split();
    let sending = async {
        writing.write_all(head.as_bytes()).await?;
        for _ in 0..SIZE.div_euclid(piece.len()) {
            writing.write_all(&piece).await?;
        }
        Ok::<(), std::io::Error>(())
    };
    let refused = async {
        let mut first = [0; 12];
        let answer = reading.read_exact(&mut first).await;
        answer.is_err() || first == *b"HTTP/1.1 413"
    };
    // Both ways at once: the answer comes first, and then the connection is reset. The reset may
    // overtake the answer, and the system may have taken all of the body before either.
    let (mut refused, sending) = (pin!(refused), pin!(sending));
    tokio::select! {
        refused = &mut refused => refused,
        sent = sending => sent.is_err() || refused.await,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn depth_is_refused_without_descending() {
    let scene = Scene::open(&["--body-bytes-max", "1048576"]);
    for deep in ["[".repeat(1_000_000), format!("{{\"a\":{}", "{\"a\":".repeat(200_000))] {
        let mut stream = scene.connect().await;
        let head = scene.head(&format!("connection: close\r\ncontent-length: {}", deep.len()));
        assert!(offer(&mut stream, head.as_bytes()).await);
        offer(&mut stream, deep.as_bytes()).await;
        let answer = to_the_end(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(answer.contains("too_deep") || answer.contains("malformed_json"), "{answer}");
        scene.answers_others().await;
    }
    scene.close();
}
