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
use minimal::{Journal, address, entropy, hello, node_at, read_hello};
use quorum::NodeId;
use raft_core::{Change, Committed, Config, GroupId, LogIndex, Raft, Ready, Recovered, wire};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let usage = "usage: udp ID found | udp ID join GROUP | udp ID run";
    let id = NodeId::new(args.first().ok_or(usage)?.parse()?);
    let config = Config::builder(id).frame_bytes_max(1400).build()?;
    let (mut journal, records) = Journal::open(id)?;
    let (origin, window) = (time::Instant::now(), vec![0; 1 << 20]);
    let mut raft = match args[1..] {
        ["found"] if records.is_empty() => {
            Raft::<_, 5>::found(config, window, entropy(), Instant::ZERO)?
        }
        ["join", group] if records.is_empty() => {
            let group = GroupId::new(u64::from_str_radix(group, 16)?);
            Raft::join(config, group, window, entropy(), Instant::ZERO)?
        }
        ["run"] => {
            let mut recovered = Recovered::new(window)?;
            records
                .iter()
                .try_for_each(|record| recovered.replay(record))?;
            Raft::restore(config, recovered, LogIndex::ZERO, entropy(), Instant::ZERO)?
        }
        _ => Err(format!(
            "{usage} (found and join want a node without a journal)"
        ))?,
    };
    println!("node {id} of group {}", raft.group());

    let socket = UdpSocket::bind(address(id))?;
    let (lines, typed) = mpsc::channel();
    thread::spawn(move || {
        std::io::stdin()
            .lines()
            .map_while(Result::ok)
            .try_for_each(|line| lines.send(line))
    });
    let (mut frame, mut next_hello) = ([0; 1400], Instant::ZERO);
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
            } else if let Ok(message) = wire::decode(&frame[..len]) {
                // This example never compacts, so no snapshot ever comes.
                let _ = raft.handle_message(now, from, message)?;
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
        while let Some(transmit) = raft.poll_transmit(now, Ready::All) {
            let _ = socket.send_to(
                wire::encode(&transmit.message, &mut frame)?,
                address(transmit.to),
            );
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
