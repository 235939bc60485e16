//! One Raft node over UDP: lines from standard input are agreed on and printed by every node.
//!
//! In three terminals (`run` instead of `found` or `join` brings a node back after a crash):
//!
//! ```text
//! cargo run --bin udp -- 1 found
//! cargo run --bin udp -- 2 join GROUP     (the founder prints GROUP)
//! cargo run --bin udp -- 3 join GROUP
//! ```

use std::{error::Error, net::UdpSocket, sync::mpsc, thread, time};

use clocks::{Duration, Instant};
use minimal::{FRAME_BYTES_MAX, address, hello, node_at, read_hello, start};
use quorum::NodeId;
use raft_core::error::FrameError;
use raft_core::{Change, Committed, Ready};

fn main() -> Result<(), Box<dyn Error>> {
    let (mut raft, mut journal) = start()?;
    let (id, origin) = (raft.identity().node, time::Instant::now());

    let socket = UdpSocket::bind(address(id))?;
    let (lines, typed) = mpsc::channel();
    thread::spawn(move || {
        std::io::stdin()
            .lines()
            .map_while(Result::ok)
            .try_for_each(|line| lines.send(line))
    });
    let (mut frame, mut next_hello) = ([0; FRAME_BYTES_MAX], Instant::ZERO);
    loop {
        // In: what arrived, what was typed, what time it is.
        let now = Instant::from_micros(origin.elapsed().as_micros() as u64);
        let wait = raft
            .poll_timeout()
            .map_or(Duration::MAX, |at| at.saturating_since(now));
        let wait = wait
            .min(Duration::from_millis(20))
            .max(Duration::from_millis(1));
        socket.set_read_timeout(Some(wait.into()))?;
        let received = socket.recv_from(&mut frame);
        let now = Instant::from_micros(origin.elapsed().as_micros() as u64);
        if let Ok((len, from)) = received {
            let from = node_at(from);
            if let Some(identity) = read_hello(from, &frame[..len]) {
                let _ = raft.reconfigure(&[Change::AddVoter(identity)]); // only the leader's succeeds
            } else if let Err(FrameError::Faulted(fault)) =
                raft.handle_frame(now, from, &frame[..len])
            {
                // What is no frame is ignored. This example never compacts, so no snapshot ever comes.
                return Err(fault.into());
            }
        }
        while let Ok(line) = typed.try_recv() {
            if let Err(refused) = raft.propose(line.as_bytes()) {
                eprintln!("{refused}");
            }
        }
        raft.handle_timeout(now)?;
        if !raft.is_voter() && now >= next_hello {
            next_hello = now.saturating_add(Duration::from_millis(500));
            for other in (1..=5).map(NodeId::new).filter(|other| *other != id) {
                let _ = socket.send_to(&hello(raft.identity()), address(other));
            }
        }
        // Out: one write, messages, decided lines.
        if let Some(write) = raft.poll_persist() {
            journal.store(&write)?;
            let ticket = write.into_ticket();
            raft.handle_persisted(now, ticket)?;
        }
        while let Some(frame) = raft.poll_frame(now, Ready::All, &mut frame)? {
            let _ = socket.send_to(frame.bytes, address(frame.to));
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
