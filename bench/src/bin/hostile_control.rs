//! The control of `simulator hostile`: another library under the same kind of input must fall.
//!
//! A generator that breaks nothing may be strong machinery or a weak generator. So raft-rs 0.7 (the crate `raft`),
//! whose threat model trusts peers, gets the same: a voter of three, well-typed messages, each field drawn by the
//! [`Draw`] that the simulator uses, timeouts and proposals in between, the ready loop of its documentation. Prints how
//! many messages and how long the first panic took, and the distinct places; fails if there is none.
//!
//! ```text
//! cargo run --release -p bench --bin hostile_control -- [EPISODES]
//! ```

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use raft::eraftpb::{Entry, EntryType, Message, MessageType, Snapshot};
use raft::storage::MemStorage;
use raft::{Config, RawNode};
use simulator::hostile::draw::Draw;

const EPISODES: u64 = 20_000;
/// Messages of an episode.
const STEPS: u64 = 60;
const TAME: [u8; 5] = [96, 160, 200, 224, 240];

const TYPES: [MessageType; 17] = [
    MessageType::MsgAppend,
    MessageType::MsgAppendResponse,
    MessageType::MsgRequestVote,
    MessageType::MsgRequestVoteResponse,
    MessageType::MsgSnapshot,
    MessageType::MsgHeartbeat,
    MessageType::MsgHeartbeatResponse,
    MessageType::MsgRequestPreVote,
    MessageType::MsgRequestPreVoteResponse,
    MessageType::MsgTransferLeader,
    MessageType::MsgTimeoutNow,
    MessageType::MsgReadIndex,
    MessageType::MsgReadIndexResp,
    MessageType::MsgPropose,
    MessageType::MsgAppend,
    MessageType::MsgAppendResponse,
    MessageType::MsgHeartbeat,
];

thread_local! {
    static PLACE: RefCell<String> = const { RefCell::new(String::new()) };
    static MESSAGES: Cell<u64> = const { Cell::new(0) };
}

fn main() -> ExitCode {
    let episodes = std::env::args()
        .nth(1)
        .and_then(|word| word.parse().ok())
        .unwrap_or(EPISODES);
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string);
        PLACE.with(|known| *known.borrow_mut() = place.unwrap_or_default());
    }));
    let began = Instant::now();
    let mut places: BTreeMap<String, u64> = BTreeMap::new();
    let mut first: Option<(u64, Duration)> = None;
    // Messages until the panic, of each episode that ended so.
    let mut lives = Vec::new();
    for seed in 0..episodes {
        let before = MESSAGES.with(Cell::get);
        if panic::catch_unwind(AssertUnwindSafe(|| episode(seed))).is_ok() {
            continue;
        }
        let messages = MESSAGES.with(Cell::get);
        first.get_or_insert((messages, began.elapsed()));
        lives.push(messages - before);
        let place = PLACE.with(|place| place.borrow().clone());
        *places.entry(short(&place)).or_default() += 1;
    }
    let elapsed = began.elapsed();
    let _ = panic::take_hook();
    for (place, count) in &places {
        println!("{count:>8} panics at {place}");
    }
    let messages = MESSAGES.with(Cell::get);
    let Some((until, time)) = first else {
        println!("FAILED: {messages} messages and no panic: the generator is weak");
        return ExitCode::FAILURE;
    };
    lives.sort_unstable();
    println!(
        "first panic after {until} messages, {} us; {} places; {} of {episodes} episodes, the median after {} \
         messages; {messages} messages in {} ms",
        time.as_micros(),
        places.len(),
        lives.len(),
        lives[lives.len() / 2],
        elapsed.as_millis()
    );
    println!("figure hostile-control places {} max", places.len());
    println!(
        "figure hostile-control first-micros {} max",
        time.as_micros()
    );
    println!("figure hostile-control messages {messages} sum");
    if time < Duration::from_secs(1) {
        ExitCode::SUCCESS
    } else {
        println!("FAILED: the first panic took more than a second");
        ExitCode::FAILURE
    }
}

/// The place without the folder in which the crate lies here.
fn short(place: &str) -> String {
    let from = place.find("/raft-").map_or(0, |at| at + 1);
    place.get(from..).unwrap_or(place).to_owned()
}

fn episode(seed: u64) {
    let mut plan = Draw::new(seed, 0, 0);
    let tame = plan.pick(&TAME);
    let config = Config {
        id: 1,
        election_tick: 10,
        heartbeat_tick: 1,
        pre_vote: plan.one_in(2),
        check_quorum: plan.one_in(2),
        ..Config::default()
    };
    let storage = MemStorage::new_with_conf_state((vec![1, 2, 3], Vec::new()));
    let silent = slog::Logger::root(slog::Discard, slog::o!());
    let mut node = RawNode::new(&config, storage, &silent).expect("a valid configuration");
    for step in 1..=STEPS {
        let mut draw = Draw::new(seed, step, tame);
        match draw.below(8) {
            0 => {
                node.tick();
            }
            1 => {
                let _ = node.propose(Vec::new(), vec![7; 8]);
            }
            _ => {
                let message = message(&mut draw, &node);
                MESSAGES.with(|count| count.set(count.get() + 1));
                let _ = node.step(message);
            }
        }
        if !draw.one_in(4) {
            serve(&mut node);
        }
    }
}

/// Any well-typed message, preferably about what concerns the receiver.
fn message(draw: &mut Draw, node: &RawNode<MemStorage>) -> Message {
    let raft = &node.raft;
    let log = &raft.raft_log;
    let index = |draw: &mut Draw| {
        let anchors = [log.last_index(), log.committed, log.applied, 0];
        let near = draw.pick(&anchors);
        draw.number(near)
    };
    let mut message = Message::default();
    message.set_msg_type(draw.pick(&TYPES));
    message.to = 1;
    message.from = if draw.one_in(16) {
        draw.wild(4)
    } else {
        2 + u64::from(draw.below(2))
    };
    message.term = draw.number(raft.term.max(1));
    message.index = index(draw);
    message.log_term = draw.number(log.last_term());
    message.commit = index(draw);
    message.commit_term = draw.number(log.last_term());
    message.reject = draw.one_in(4);
    message.reject_hint = index(draw);
    if draw.one_in(16) {
        message.request_snapshot = index(draw);
    }
    for place in 0..draw.below(4) {
        let mut entry = Entry::default();
        entry.set_entry_type(EntryType::EntryNormal);
        entry.index = draw.number(message.index.wrapping_add(u64::from(place) + 1));
        entry.term = draw.number(message.term);
        entry.data = vec![3; 4].into();
        message.mut_entries().push(entry);
    }
    if message.get_msg_type() == MessageType::MsgSnapshot {
        let mut snapshot = Snapshot::default();
        let metadata = snapshot.mut_metadata();
        metadata.index = index(draw);
        metadata.term = draw.number(raft.term);
        let voters: Vec<u64> = (1..=u64::from(draw.below(4))).collect();
        metadata.mut_conf_state().voters = voters;
        message.set_snapshot(snapshot);
    }
    message
}

/// What the documentation of the crate asks of a driver.
fn serve(node: &mut RawNode<MemStorage>) {
    if !node.has_ready() {
        return;
    }
    let mut ready = node.ready();
    drop(ready.take_messages());
    drop(ready.take_committed_entries());
    {
        let mut store = node.raft.store().wl();
        if !ready.snapshot().is_empty() {
            let _ = store.apply_snapshot(ready.snapshot().clone());
        }
        let _ = store.append(ready.entries());
        if let Some(hard_state) = ready.hs() {
            store.set_hardstate(hard_state.clone());
        }
    }
    drop(ready.take_persisted_messages());
    let mut light = node.advance(ready);
    if let Some(commit) = light.commit_index() {
        node.raft.store().wl().mut_hard_state().set_commit(commit);
    }
    drop(light.take_messages());
    drop(light.take_committed_entries());
    node.advance_apply();
}
