//! Changes of the membership: which are tried, and by what name.

use raft_core::{Change, Raft};

use super::names::name;
use super::profile::Menu;
use super::step::{Acting, Nodes};
use crate::model;

/// One change. Joiners and members are named by their places.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Move {
    /// The first joiner comes in and the last member goes; either alone if there is no other.
    Exchange,
    /// This node comes in, without a vote.
    Teach(u8),
    /// This node comes in.
    LetIn(u8),
    /// This learner gets a vote.
    Promote(u8),
    /// This node goes.
    Dismiss(u8),
}

impl Move {
    pub(super) fn code(self) -> u32 {
        match self {
            Move::Exchange => 0,
            Move::Teach(place) => 1 << 4 | u32::from(place),
            Move::LetIn(place) => 2 << 4 | u32::from(place),
            Move::Promote(place) => 3 << 4 | u32::from(place),
            Move::Dismiss(place) => 4 << 4 | u32::from(place),
        }
    }

    pub(super) fn words(self) -> String {
        match self {
            Move::Exchange => "changes the membership".into(),
            Move::Teach(place) => format!("lets node {} in, as a learner", place + 1),
            Move::LetIn(place) => format!("lets node {} in", place + 1),
            Move::Promote(place) => format!("gives node {} a vote", place + 1),
            Move::Dismiss(place) => format!("lets node {} go", place + 1),
        }
    }
}

impl Nodes {
    /// What may be tried. Most is refused, which changes nothing.
    pub(super) fn moves(&self) -> Vec<Move> {
        let profile = &self.profile;
        let (members, all) = (profile.members as u8, self.identities.len() as u8);
        match profile.menu {
            Menu::Exchange => vec![Move::Exchange],
            Menu::Each => {
                let joiners = (members..all).flat_map(|place| {
                    [Move::Teach(place), Move::LetIn(place), Move::Promote(place)]
                });
                joiners.chain((0..all).map(Move::Dismiss)).collect()
            }
        }
    }
}

impl Acting<'_> {
    pub(super) fn reconfigure(&mut self, what: Move) {
        let identities = &self.nodes.identities;
        let members = self.nodes.profile.members;
        let place = usize::from;
        let changes = match what {
            Move::Exchange => {
                let joiner = identities.get(members).copied().map(Change::AddVoter);
                let leaver = Change::Remove(name(members - 1));
                joiner.into_iter().chain([leaver]).collect()
            }
            Move::Teach(at) => vec![Change::AddLearner(identities[place(at)])],
            Move::LetIn(at) => vec![Change::AddVoter(identities[place(at)])],
            Move::Promote(at) => vec![Change::Promote(name(place(at)))],
            Move::Dismiss(at) => vec![Change::Remove(name(place(at)))],
        };
        let _ = Raft::reconfigure(&mut self.local.machine, &changes);
        self.stepped(&model::Input::Reconfigure);
    }
}
