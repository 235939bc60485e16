//! The consensus suite: who takes part in which group, and which groups there are.

use std::io;

use crate::contender::{Load, Registered, Side};
use crate::measure::{Effort, instructions, measure};
use crate::table::{Row, render};
use crate::{floor, omni, ours, raft_rs};

/// Contenders that do the same work.
pub(crate) struct Group {
    /// As given to `bench cell`.
    pub(crate) name: &'static str,
    /// What the table says it is.
    title: &'static str,
    /// What a cost is divided by.
    operation: &'static str,
    contenders: &'static [&'static [Registered]],
}

const REPLICATION: Group = Group {
    name: "replication",
    title: "Committing entries",
    operation: "entry",
    contenders: &[
        floor::CONTENDERS,
        ours::CONTENDERS,
        raft_rs::CONTENDERS,
        omni::CONTENDERS,
    ],
};

const HEARTBEAT: Group = Group {
    name: "heartbeat",
    title: "Heartbeat round",
    operation: "round",
    contenders: &[
        &[floor::HEARTBEAT],
        ours::HEARTBEATS,
        raft_rs::HEARTBEATS,
        &[omni::HEARTBEAT],
    ],
};

const ELECTION: Group = Group {
    name: "election",
    title: "Election with pre-vote, until the leader's entry is committed",
    operation: "election",
    contenders: &[ours::ELECTIONS, raft_rs::ELECTIONS, &[omni::ELECTION]],
};

const GROUPS: [&Group; 3] = [&REPLICATION, &HEARTBEAT, &ELECTION];

/// What to run of it.
pub(crate) struct Selection {
    /// One small set of loads.
    pub(crate) quick: bool,
    /// Count instructions too.
    pub(crate) instructions: bool,
    /// Only contenders whose name contains one of these; all, if empty. The floor and ours always run.
    pub(crate) only: Vec<String>,
    pub(crate) effort: Effort,
}

/// Runs the suite and prints each group's table when it is done.
///
/// # Errors
///
/// Instructions could not be counted.
pub(crate) fn run(selection: &Selection) -> io::Result<()> {
    for (group, load) in plan(selection.quick) {
        let contenders = group.selected(&selection.only);
        let mut costs = measure(&contenders, load, selection.effort);
        if selection.instructions {
            for (contender, cost) in contenders.iter().zip(&mut costs) {
                cost.instructions = Some(instructions(contender, group.name, load)?);
            }
        }
        let rows: Vec<Row<'_>> = contenders
            .into_iter()
            .zip(costs)
            .map(|(contender, cost)| Row { contender, cost })
            .collect();
        println!("{}", render(&group.title(load), group.operation, &rows));
    }
    Ok(())
}

/// The contender of that group and name.
pub(crate) fn find(group: &str, name: &str) -> Option<&'static Registered> {
    let group = GROUPS
        .into_iter()
        .find(|candidate| candidate.name == group)?;
    group.all().find(|contender| contender.name == name)
}

impl Group {
    fn all(&self) -> impl Iterator<Item = &'static Registered> {
        self.contenders.iter().copied().flatten()
    }

    fn selected(&self, only: &[String]) -> Vec<&'static Registered> {
        self.all()
            .filter(|contender| match contender.side {
                Side::Floor | Side::Ours => true,
                Side::Peer => {
                    only.is_empty()
                        || only
                            .iter()
                            .any(|part| contender.name.contains(part.as_str()))
                }
            })
            .collect()
    }

    fn title(&self, load: Load) -> String {
        let Load {
            members,
            payload_bytes,
            window,
        } = load;
        if self.name == REPLICATION.name {
            format!(
                "{}: n = {members}, {payload_bytes} B, w = {window}",
                self.title
            )
        } else {
            format!("{}: n = {members}", self.title)
        }
    }
}

fn plan(quick: bool) -> Vec<(&'static Group, Load)> {
    let shapes: &[(usize, usize)] = if quick {
        &[(3, 16)]
    } else {
        &[(3, 16), (3, 256), (3, 4096), (5, 16)]
    };
    let mut plan = Vec::new();
    for &(members, payload_bytes) in shapes {
        for window in [1, 64, 1024] {
            plan.push((
                &REPLICATION,
                Load {
                    members,
                    payload_bytes,
                    window,
                },
            ));
        }
    }
    for group in [&HEARTBEAT, &ELECTION] {
        for &members in if quick { &[3][..] } else { &[3, 5][..] } {
            plan.push((
                group,
                Load {
                    members,
                    payload_bytes: 16,
                    window: 1,
                },
            ));
        }
    }
    plan
}

#[cfg(test)]
mod tests {
    use super::plan;

    #[test]
    fn every_cell_does_all_that_is_asked_across_log_cuts() {
        for (group, load) in plan(false) {
            for contender in group.all() {
                let batches = 2 * load.cycle_batches() + 21;
                let mut cluster = (contender.build)(load);
                cluster.run(batches);
                cluster.verify(batches);
            }
        }
    }
}
