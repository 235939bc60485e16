//! The demonstration's bookkeeping, against a server in this process that misbehaves on purpose.

use super::*;

use core::net::SocketAddr;
use std::sync::Mutex;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::ledger::Fate;
use super::verify::{Findings, read_back};
use crate::answer;
use crate::command::{self, Command, Write};
use crate::operation::{Change, Operation};
use crate::resp::Protocol;
use crate::resp::decode::{Decoder, Limits};
use crate::resp::encode::Encoder;
use crate::session::ClientSession;
use crate::store::Store;
use crate::timestamp::Timestamp;

const WRITES: usize = 2000;

/// What is wrong with a server.
#[derive(Clone, Copy, Debug, Default)]
enum Vice {
    #[default]
    None,
    /// Sends its clients to another.
    Moves(SocketAddr),
    /// Acknowledges every 100th write and forgets it.
    Forgets,
    /// Acknowledges every 100th write and keeps something else.
    Distorts,
    /// Drops the connection in front of every 100th answer to a write, which took place.
    Hangs,
    /// Says of every 100th write that there is no leader.
    Wavers,
    /// Refuses every 100th write.
    Refuses,
}

#[derive(Default)]
struct Shared {
    store: Store,
    writes: usize,
}

/// A server without anybody to agree with.
async fn serve(vice: Vice) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shared = Arc::new(Mutex::new(Shared::default()));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(attend(stream, Arc::clone(&shared), vice));
        }
    });
    address
}

async fn attend(mut stream: TcpStream, shared: Arc<Mutex<Shared>>, vice: Vice) {
    let mut decoder = Decoder::new(Limits::TRUSTED);
    let mut session = ClientSession::new(1, None);
    let (mut arrived, mut out) = (Vec::new(), Vec::new());
    while let Ok(1..) = stream.read_buf(&mut arrived).await {
        let mut consumed = 0;
        let mut stays = true;
        while let Some(request) = decoder.decode(&arrived[consumed..]).unwrap() {
            consumed += request.consumed;
            let mut encoder = Encoder::new(&mut out, Protocol::Resp2);
            match command::parse(request.args).unwrap() {
                Command::Write(write) => {
                    let shared = &mut shared.lock().unwrap();
                    stays &= answer_write(&write, shared, vice, &mut encoder);
                }
                Command::Read(read) => {
                    let store = &shared.lock().unwrap().store;
                    answer::read(store, &read, Timestamp(0), &mut encoder);
                }
                Command::Session(command) => drop(session.answer(&command, None, &mut out)),
                other => panic!("{other:?}"),
            }
            if !stays {
                break;
            }
        }
        arrived.drain(..consumed);
        if stream.write_all(&out).await.is_err() || !stays {
            return;
        }
        out.clear();
    }
}

/// False if the connection breaks instead of an answer.
fn answer_write(
    write: &Write<'_>,
    shared: &mut Shared,
    vice: Vice,
    encoder: &mut Encoder<'_>,
) -> bool {
    shared.writes += 1;
    let operation = write.operation(Timestamp(1));
    let mut apply = || shared.store.apply(&operation);
    let special = shared.writes.is_multiple_of(100);
    match vice {
        Vice::Moves(address) => encoder.error(&format!("MOVED 1 {address}")),
        Vice::Forgets if special => encoder.ok(),
        Vice::Distorts if special => {
            apply();
            let Write::Set { key, .. } = *write else {
                panic!("{write:?}");
            };
            let pair = [key, b"?"];
            let change = Change::SetMany(pair.as_slice().into());
            let stamp = Timestamp(1);
            shared.store.apply(&Operation { stamp, change });
            encoder.ok();
        }
        Vice::Hangs if special => {
            apply();
            return false;
        }
        Vice::Wavers if special => encoder.error("CLUSTERDOWN no leader"),
        Vice::Refuses if special => encoder.error("MISCONF disk full"),
        _ => answer::write(&apply(), encoder),
    }
    true
}

/// Writes [`WRITES`] lines to the nodes and reads them back from the last.
async fn write_and_read_back(nodes: Vec<SocketAddr>) -> (Arc<Load>, Findings) {
    let last = *nodes.last().unwrap();
    let nowhere = std::path::Path::new("no such directory");
    let load = Arc::new(Load::new(Input::from_texts(nowhere), nodes, 32, None));
    load.stop_at(WRITES);
    let mut writers = load.start(3);
    while let Some(ended) = writers.join_next().await {
        ended.unwrap();
    }
    let fates = load.ledger().fates().to_vec();
    assert_eq!(fates.len(), WRITES);
    assert!(!fates.contains(&Fate::Open));
    let found = read_back(last, Asking::Local, load.input(), &fates, |_| ()).await;
    (load, found.unwrap())
}

#[tokio::test]
async fn writes_to_an_honest_server_are_all_found() {
    let (load, findings) = write_and_read_back(vec![serve(Vice::None).await]).await;
    assert_eq!(load.ledger().acknowledged(), WRITES);
    let found = WRITES;
    assert_eq!(
        findings,
        Findings {
            found,
            ..Findings::default()
        }
    );
}

#[tokio::test]
async fn writers_follow_moved_and_skip_nodes_that_are_down() {
    let down = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let leader = serve(Vice::None).await;
    let follower = serve(Vice::Moves(leader)).await;
    let (load, findings) = write_and_read_back(vec![down, follower, leader]).await;
    assert_eq!(load.ledger().acknowledged(), WRITES);
    assert_eq!(findings.found, WRITES);
}

#[tokio::test]
async fn forgotten_writes_are_lost() {
    let (load, findings) = write_and_read_back(vec![serve(Vice::Forgets).await]).await;
    assert_eq!(load.ledger().acknowledged(), WRITES);
    assert_eq!((findings.lost, findings.wrong), (WRITES / 100, 0));
    assert_eq!(findings.found, WRITES - WRITES / 100);
    assert!(findings.examples[0].ends_with("is missing"), "{findings:?}");
}

#[tokio::test]
async fn distorted_writes_are_wrong() {
    let (_, findings) = write_and_read_back(vec![serve(Vice::Distorts).await]).await;
    assert_eq!((findings.lost, findings.wrong), (0, WRITES / 100));
}

#[tokio::test]
async fn writes_without_an_answer_are_unknown_and_not_sent_again() {
    let (load, findings) = write_and_read_back(vec![serve(Vice::Hangs).await]).await;
    let ledger = load.ledger();
    assert!(ledger.unknown() > 0);
    assert_eq!(ledger.acknowledged() + ledger.unknown(), WRITES);
    assert_eq!((findings.lost, findings.wrong), (0, 0));
    assert_eq!(findings.found, ledger.acknowledged());
    assert!(findings.unknown_found > 0);
}

#[tokio::test]
async fn writes_refused_for_now_are_sent_again_and_those_for_good_are_not() {
    let (load, findings) = write_and_read_back(vec![serve(Vice::Wavers).await]).await;
    assert_eq!(load.ledger().acknowledged(), WRITES);
    assert_eq!(findings.found, WRITES);
    let (load, findings) = write_and_read_back(vec![serve(Vice::Refuses).await]).await;
    let ledger = load.ledger();
    assert_eq!(ledger.refused(), (WRITES / 100, Some("MISCONF disk full")));
    assert_eq!(findings.found, WRITES - WRITES / 100);
}
