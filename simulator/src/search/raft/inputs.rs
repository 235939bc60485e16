//! What may happen to a node without a frame, and of which bounded thing it takes one.

use super::ghost::Counter;
use super::group::{RaftSpace, State};
use super::step::Input;

impl RaftSpace {
    /// What may happen to the node at a place without a frame, and what it costs.
    pub(super) fn inputs(
        &self,
        state: &State,
        place: usize,
        inputs: &mut Vec<(Input, Option<Counter>)>,
    ) {
        inputs.clear();
        if !self.has_time(state, place) {
            return;
        }
        self.times(state, place, inputs);
        self.wishes(state, place, inputs);
        self.mishaps(state, place, inputs);
    }

    /// Time passes for it.
    fn times(&self, state: &State, place: usize, inputs: &mut Vec<(Input, Option<Counter>)>) {
        let profile = &self.nodes.profile;
        let view = self.nodes.locals.view(state.nodes[place]);
        if profile.has_clocks() {
            return inputs.extend(self.looks(view).then_some((Input::Look, None)));
        }
        inputs.push((Input::Wait, None));
        // Who waits for a read asks again when it is not impatient.
        if !view.is_leader && (!profile.impatient || view.reads > 0) {
            inputs.push((Input::Calm, None));
        }
        if profile.asks_again() && (view.is_asking || view.is_leader) {
            inputs.push((Input::Beat, None));
        }
    }

    /// Its application wants something.
    fn wishes(&self, state: &State, place: usize, inputs: &mut Vec<(Input, Option<Counter>)>) {
        let profile = &self.nodes.profile;
        let view = self.nodes.locals.view(state.nodes[place]);
        let counts = self.pasts.get(state.past).counts;
        let may = |counter: Counter, max: u8| counts[counter as usize] < max;
        if view.is_leader && may(Counter::Proposal, profile.proposals) {
            inputs.push((Input::Propose, Some(Counter::Proposal)));
        }
        if view.is_leader && may(Counter::Change, profile.changes) {
            let moves = self.nodes.moves().into_iter().map(Input::Reconfigure);
            inputs.extend(moves.map(|input| (input, Some(Counter::Change))));
        }
        if view.commit > view.log.base && may(Counter::Compaction, profile.compactions) {
            inputs.push((Input::Compact, Some(Counter::Compaction)));
        }
        if may(Counter::Read, profile.reads) {
            inputs.push((Input::Read, Some(Counter::Read)));
        }
        if !view.is_leader && may(Counter::Campaign, profile.campaigns) {
            inputs.push((Input::Campaign, Some(Counter::Campaign)));
        }
        if view.is_leader && may(Counter::Transfer, profile.transfers) {
            let others = (0..self.count).filter(|other| *other != place);
            let transfers = others.map(|other| Input::Transfer(other as u8));
            inputs.extend(transfers.map(|input| (input, Some(Counter::Transfer))));
        }
    }

    /// It crashes, or its disk fails, or does not.
    fn mishaps(&self, state: &State, place: usize, inputs: &mut Vec<(Input, Option<Counter>)>) {
        let profile = &self.nodes.profile;
        let view = self.nodes.locals.view(state.nodes[place]);
        let counts = self.pasts.get(state.past).counts;
        let may = |counter: Counter, max: u8| counts[counter as usize] < max;
        let cuts = view.cuts.unwrap_or(0) as u8;
        if view.cuts.is_some() {
            inputs.push((Input::Stored, None));
        }
        let parts = || std::iter::once(None).chain((0..cuts).map(Some));
        if may(Counter::Crash, profile.crashes) {
            inputs.extend(parts().map(|cut| (Input::Crash(cut), Some(Counter::Crash))));
        }
        if view.cuts.is_some() && may(Counter::Failure, profile.failures) {
            inputs.extend(parts().map(|cut| (Input::Failed(cut), Some(Counter::Failure))));
        }
    }
}
