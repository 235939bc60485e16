//! Hostile input: one machine, and everybody lies to it.
//!
//! A Raft library that trusts its peers dies of the first one that is wrong: a commit beyond the
//! log, an entry without a predecessor, an index at the end of all numbers. Fuzzing bytes hardly
//! gets there, because nearly all bytes are no message. So here the messages are well formed, and
//! each field is [drawn](draw) to hurt; they are sent to a machine that stands in one of some
//! twenty [deep states](opening), in sequences, mixed with timeouts, writes that fail, commands,
//! reads, handovers, compactions and restarts from spoiled journals. After each the [rules] are looked at:
//! those that one node can keep alone, whatever the others say.
//!
//! An [episode] is a seed. One that breaks a rule is [shrunk](mod@shrink) to the few inputs that it
//! takes, and printed with the command that replays it.
//!
//! Bounds: one episode clones two kilobytes and allocates nothing, unless it keeps a journal.
//! Cheap rules are looked at after every input; `check_invariants`, and whether all that was
//! committed is still there, after every input of one episode in thirty-two and at the end of
//! each. What agreement needs of *honest* members is the business of the large worlds.

mod begun;
mod deed;
pub mod draw;
pub mod episode;
pub mod input;
pub mod opening;
pub mod past;
pub mod quietly;
pub mod rules;
pub mod shrink;
pub mod subject;
pub mod traitor;

pub use episode::{Failure, Manner, Sabotage, Stage, Tally};
pub use rules::{Broken, Rule};
pub use shrink::{Shrunk, shrink};
