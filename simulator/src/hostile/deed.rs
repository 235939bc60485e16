//! What happens to a machine beside messages: time, commands, the medium, and restarts.

use clocks::{Duration, Instant};
use quorum::NodeId;
use raft_core::error::CampaignError;
use raft_core::{Change, LogIndex, wire};

use super::draw::Draw;
use super::episode::{Episode, Sabotage};
use super::past::identity;
use super::rules::{Broken, Rule, check, remembers};
use super::subject::{Record, Subject};

impl Episode<'_> {
    pub(super) fn other(&mut self, draw: &mut Draw) -> Result<(), Broken> {
        match draw.below(38) {
            0..=9 => self.time(draw),
            10..=15 => self.propose(draw),
            16 | 17 => self.reconfigure(draw),
            18..=20 => self.compact(draw),
            21 => {
                self.tell(|| "a write fails".into());
                self.subject.persist_fail()
            }
            22 | 23 => {
                self.tell(|| "a piece is stored late".into());
                let receipt = self.subject.receipts[draw.place(4)].clone();
                receipt.map_or(Ok(()), |receipt| self.subject.store(receipt))
            }
            24 => {
                self.tell(|| "campaigns".into());
                let done = self.subject.raft.campaign(self.subject.now);
                let is_sound = matches!(done, Ok(()) | Err(CampaignError::Witness));
                check(is_sound, Rule::NoFault, || format!("{done:?}"))
            }
            25 | 26 => {
                let peer = 1 + u64::from(draw.below(5));
                let peer = NodeId::new(draw.number(peer));
                self.tell(|| format!("{peer} is unreachable"));
                let done = self.subject.raft.handle_unreachable(self.subject.now, peer);
                check(done.is_ok(), Rule::NoFault, || format!("{done:?}"))
            }
            27 => {
                self.tell(|| "any bytes".into());
                bytes(draw)
            }
            28..=32 => self.read(draw),
            33 => self.hand_over(draw),
            _ if self.subject.journal.is_some() => self.restart(draw),
            _ => self.time(draw),
        }
    }

    /// Time passes, stands still, jumps, runs back or ends; the timeout is early, due or late.
    fn time(&mut self, draw: &mut Draw) -> Result<(), Broken> {
        let subject = &mut self.subject;
        let due = subject.raft.poll_timeout();
        let now = match draw.below(16) {
            0..=8 => due.unwrap_or(subject.now),
            9 => subject.now,
            10 => subject.now.saturating_add(Duration::from_micros(1)),
            11 => due.map_or(subject.now, |due| {
                due.saturating_sub(Duration::from_micros(1))
            }),
            12 | 13 => subject.now.saturating_add(Duration::from_millis(50)),
            14 => subject
                .now
                .saturating_sub(Duration::from_millis(u64::from(draw.byte()))),
            _ if draw.one_in(8) => Instant::from_micros(draw.wild(subject.now.as_micros())),
            _ => subject.now.saturating_add(Duration::from_millis(500)),
        };
        // A clock may run back, but the subject's own does so only in the machine's eyes.
        let done = subject.raft.handle_timeout(now);
        subject.now = subject.now.max(now);
        let again = subject.raft.poll_timeout();
        let (now, end) = (subject.now, Instant::from_micros(u64::MAX));
        self.tell(|| format!("time is {now:?}"));
        check(done.is_ok(), Rule::NoFault, || format!("{done:?}"))?;
        let is_later = again.is_none_or(|again| again > now || now == end);
        if done.is_ok() && self.subject.is_judged {
            // Only what was fetched has ended.
            self.end_reads()?;
            self.subject.look_for_overdue()?;
        }
        // An early call is no promise: only one that the machine itself asked for is.
        let asked = due.is_none_or(|due| due <= now);
        check(
            is_later || !asked || now < self.subject.now,
            Rule::NoSpin,
            || format!("at {now:?} it wants to be woken at {again:?}"),
        )
    }

    fn propose(&mut self, draw: &mut Draw) -> Result<(), Broken> {
        const PAYLOAD: [u8; 1024] = [0xc3; 1024];
        let len = match draw.below(8) {
            0 => draw.number(200) as usize % 1025,
            1 => self.subject.raft.payload_bytes_max() + draw.place(2),
            _ => draw.place(32),
        };
        self.tell(|| format!("proposes {len} bytes"));
        let payload = PAYLOAD.get(..len).unwrap_or(&PAYLOAD);
        self.refusable(|subject| subject.raft.propose(payload).is_ok())
    }

    fn reconfigure(&mut self, draw: &mut Draw) -> Result<(), Broken> {
        let mut change = || {
            let node = match draw.one_in(8) {
                true => draw.wild(3),
                false => 1 + u64::from(draw.below(7)),
            };
            let known = identity(node);
            match draw.below(5) {
                0 => Change::AddLearner(known),
                1 => Change::AddVoter(known),
                2 => Change::Promote(known.node),
                3 => Change::Demote(known.node),
                _ => Change::Remove(known.node),
            }
        };
        let changes = [change(), change(), change(), change()];
        let count = draw.place(5);
        self.tell(|| format!("changes {:?}", &changes[..count]));
        self.refusable(|subject| subject.raft.reconfigure(&changes[..count]).is_ok())
    }

    fn compact(&mut self, draw: &mut Draw) -> Result<(), Broken> {
        let view = self.subject.view;
        let near = if draw.one_in(2) {
            view.delivered
        } else {
            view.base.next()
        };
        let index = LogIndex::new(draw.number(near.value()));
        let size = u64::from(draw.byte());
        let (size, checksum) = (draw.number(size), draw.below(3));
        self.tell(|| format!("compacts up to {index}, {size} bytes"));
        self.refusable(|subject| subject.raft.compact(index, size, checksum).is_ok())
    }

    fn read(&mut self, draw: &mut Draw) -> Result<(), Broken> {
        let count = 1 + draw.below(3);
        self.tell(|| format!("begins {count} reads"));
        for _ in 0..count {
            let mut broken = Ok(());
            self.refusable(|subject| {
                let refused = subject.begin_read();
                let is_taken = !matches!(refused, Ok(true));
                broken = refused.map(|_| ());
                is_taken
            })?;
            broken?;
        }
        Ok(())
    }

    fn hand_over(&mut self, draw: &mut Draw) -> Result<(), Broken> {
        let to = 1 + u64::from(draw.below(5));
        let to = NodeId::new(draw.number(to));
        self.tell(|| format!("hands over to {to}"));
        self.refusable(|subject| !subject.begin_handover(to))
    }

    /// A command that may be refused, and then changes nothing.
    fn refusable(&mut self, command: impl FnOnce(&mut Subject) -> bool) -> Result<(), Broken> {
        let before = self.subject.is_watched.then(|| self.subject.raft.clone());
        let is_taken = command(&mut self.subject);
        let same = is_taken || before.is_none_or(|before| before == self.subject.raft);
        check(same, Rule::NoChangeOnError, || {
            "a refused command changed something".into()
        })
    }

    fn restart(&mut self, draw: &mut Draw) -> Result<(), Broken> {
        let Some(mut records) = self.subject.journal.clone() else {
            return Ok(());
        };
        let is_honest = draw.one_in(2);
        if let (Some(last), Some(_)) = (records.last_mut(), &self.subject.taken) {
            last.is_torn = true;
            let len = draw.place(256) * last.bytes.len() / 255;
            last.bytes.truncate(len);
        }
        if self.manner.sabotage == Sabotage::LosesRecord && records.len() > 1 {
            records.pop();
        }
        if !is_honest {
            spoil(draw, &mut records);
        }
        let (promised, durable) = (self.subject.promised, self.subject.view.durable);
        let applied = match is_honest {
            true if draw.one_in(2) => self.subject.view.delivered,
            true => LogIndex::ZERO,
            false => LogIndex::new(draw.number(self.subject.view.delivered.value())),
        };
        let is_empty = records.is_empty() || (records.len() == 1 && records[0].is_torn);
        let done = self.subject.restart(records, applied, draw.next_u64());
        self.tell(|| format!("restarts, honest: {is_honest}: {done:?}"));
        self.stage.tally.restarts += 1;
        if is_honest && !is_empty {
            check(done.is_ok(), Rule::Remembers, || format!("{done:?}"))?;
            remembers(promised, durable, &self.subject.look())?;
        }
        if done.is_ok() {
            self.subject.view = self.subject.look();
            let kept = match is_honest {
                // What a node knew to be committed it may forget, as long as nobody relies on it.
                true => self.subject.view.commit.next().since(self.first) as usize,
                false => 0,
            };
            self.stage.committed.truncate(kept);
            if !is_honest {
                self.first = self.subject.view.base.next();
            }
            self.remember_committed();
        }
        Ok(())
    }
}

/// Records that nobody wrote: some are missing, torn, damaged, repeated or in another order.
fn spoil(draw: &mut Draw, records: &mut Vec<Record>) {
    let len = draw.place(records.len().min(200) + 1);
    records.truncate(records.len() - len);
    for _ in 0..draw.below(3) {
        if records.is_empty() {
            return;
        }
        let place = draw.place(records.len().min(256));
        match draw.below(5) {
            0 => {
                let copy = records[place].clone();
                records.push(copy);
            }
            1 => {
                records.remove(place);
            }
            2 => {
                let bytes = &mut records[place].bytes;
                let len = draw.place(256) * bytes.len() / 255;
                bytes.truncate(len);
                records[place].is_torn = draw.one_in(2);
            }
            _ => {
                let bytes = &mut records[place].bytes;
                if !bytes.is_empty() {
                    let at = draw.next_u64() as usize % bytes.len().min(96);
                    bytes[at] = draw.wild(u64::from(bytes[at])) as u8;
                }
            }
        }
    }
}

/// Any bytes either decode or do not.
fn bytes(draw: &mut Draw) -> Result<(), Broken> {
    let mut frame = [0; 96];
    for byte in &mut frame {
        *byte = draw.byte() as u8;
    }
    frame[0] = 0x10 | draw.below(9) as u8;
    frame[1] = draw.below(5) as u8;
    let frame = &frame[..draw.place(97)];
    let mut again = [0; 96];
    let is_canonical = match wire::decode(frame) {
        Ok(message) => wire::encode(&message, &mut again).is_ok(),
        Err(_) => true,
    };
    check(is_canonical, Rule::Promises, || {
        format!("{frame:?} decodes to what cannot be encoded")
    })
}
