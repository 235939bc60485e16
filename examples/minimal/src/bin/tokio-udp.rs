//! The same node as `udp`, driven by tokio: one task, one `select!`.
//!
//! ```text
//! cargo run --bin tokio-udp -- 1 found
//! cargo run --bin tokio-udp -- 2 join GROUP     (the founder prints GROUP)
//! cargo run --bin tokio-udp -- 3 join GROUP
//! ```

use std::error::Error;

use clocks::{Duration, Instant};
use minimal::{FRAME_BYTES_MAX, address, hello, node_at, read_hello, start};
use quorum::NodeId;
use raft_core::error::FrameError;
use raft_core::{Change, Committed, Ready};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::{net::UdpSocket, time};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (mut raft, mut journal) = start()?;
    let (id, origin) = (raft.identity().node, time::Instant::now());

    let socket = UdpSocket::bind(address(id)).await?;
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut next_hello = time::interval(time::Duration::from_millis(500));
    let (mut frame, mut is_typing) = ([0; FRAME_BYTES_MAX], true);
    loop {
        // In: whichever happens first.
        let wake = match raft.poll_timeout() {
            Some(at) => origin + time::Duration::from_micros(at.as_micros()),
            None => time::Instant::now() + time::Duration::from_secs(3600),
        };
        tokio::select! {
            Ok((len, from)) = socket.recv_from(&mut frame) => {
                let (now, from) = (Instant::ZERO.saturating_add(elapsed(origin)), node_at(from));
                if let Some(identity) = read_hello(from, &frame[..len]) {
                    let _ = raft.reconfigure(&[Change::AddVoter(identity)]); // only the leader's succeeds
                } else if let Err(FrameError::Faulted(fault)) = raft.handle_frame(now, from, &frame[..len]) {
                    // What is no frame is ignored. This example never compacts, so no snapshot ever comes.
                    return Err(fault.into());
                }
            }
            line = lines.next_line(), if is_typing => match line? {
                Some(line) => if let Err(refused) = raft.propose(line.as_bytes()) { eprintln!("{refused}") },
                None => is_typing = false,
            },
            _ = next_hello.tick(), if !raft.is_voter() => {
                for other in (1..=5).map(NodeId::new).filter(|other| *other != id) {
                    let _ = socket.send_to(&hello(raft.identity()), address(other)).await;
                }
            }
            () = time::sleep_until(wake) => {}
        }
        let now = Instant::ZERO.saturating_add(elapsed(origin));
        raft.handle_timeout(now)?;
        // Out: one write, messages, decided lines.
        if let Some(write) = raft.poll_persist() {
            journal.store(&write)?;
            let ticket = write.into_ticket();
            raft.handle_persisted(now, ticket)?;
        }
        while let Some(frame) = raft.poll_frame(now, Ready::All, &mut frame)? {
            let _ = socket.send_to(frame.bytes, address(frame.to)).await;
        }
        while let Some(Committed::Command(entry)) = raft.poll_committed() {
            println!(
                "{} {}",
                entry.id.index,
                String::from_utf8_lossy(entry.payload)
            );
        }
        while let Some(event) = raft.poll_event() {
            eprintln!("{event:?}");
        }
    }
}

fn elapsed(origin: time::Instant) -> Duration {
    origin.elapsed().into()
}
