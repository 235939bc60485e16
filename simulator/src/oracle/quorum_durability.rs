//! What is committed is on the disks of every majority that the configuration asks for, and with its
//! payload on one at least.
//!
//! The strongest of all: it sees the moment at which safety is lost, long before anybody notices.

use raft_core::LogIndex;

use super::ledger::Ledger;
use super::view::Members;
use super::words::words;
use crate::world::host::Host;

/// `leader` commits everything up to `index` under the configuration `members`; those in `full`
/// keep payloads.
pub(super) fn check(
    leader: usize,
    hosts: &[Host],
    (members, full): (&Members, u64),
    index: LogIndex,
    ledger: &Ledger,
) -> Result<(), String> {
    let Some(committed) = ledger.at(index) else {
        return Ok(());
    };
    let mut holders = 0_u64;
    for (number, host) in hosts.iter().enumerate() {
        let log = &host.disk.durable().log;
        let link = log.link(index);
        let holds = log.base().index > index || link.is_some_and(|l| l.hash == committed.hash);
        let is_meant = members.identities[number].is_some_and(|id| host.identity == Some(id));
        holders |= u64::from(holds && is_meant) << number;
    }
    if holders & full == 0 {
        return Err(words!(
            "host {} commits entry {index} in term {}, and nobody has its payload on disk",
            leader + 1,
            committed.commit_term
        ));
    }
    for voters in [Some(members.incoming), members.outgoing]
        .into_iter()
        .flatten()
    {
        let needed = voters.count_ones() / 2 + 1;
        if (voters & holders).count_ones() < needed {
            return Err(words!(
                "host {} commits entry {index} in term {}; of the voters {} only {} have it on \
                 disk",
                leader + 1,
                committed.commit_term,
                set(voters),
                set(voters & holders)
            ));
        }
    }
    Ok(())
}

fn set(hosts: u64) -> String {
    let numbers = (0..64).filter(|host| hosts & (1 << host) != 0);
    let names: Vec<String> = numbers.map(|host| (host + 1).to_string()).collect();
    words!("{{{}}}", names.join(" "))
}
