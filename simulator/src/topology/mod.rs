//! Every way in which the links of a small group can break for good.
//!
//! Partitions of a few shapes are drawn by the large worlds. Real ones are often partial: a switch
//! that forwards in one direction, a node that hears everybody and reaches nobody `[Howard20]`. On
//! five nodes there are 1,048,576 directed link graphs, 9,608 up to the names of the nodes: few
//! enough to try all of them, from every first leader, from none, and after a while on another
//! graph. [`graph`] counts them,
//! [`group`] runs machines on one, [`judge`] says what it must show:
//!
//! - where some majority is connected among itself in both directions, a command is committed
//!   within ten election timeouts; then one leader stays, whatever the others send;
//! - where no node hears and reaches a majority, nothing is committed and the term stands still;
//! - whoever leads and cannot hear a majority leaves office;
//! - in between nothing is promised, but a group is dead only if each node that hears and reaches
//!   a majority lacks an entry that it would need to win;
//! - whoever hears and reaches a stable leader gets what it commits.
//!
//! What happened on how many graphs is written down by [`report`]. Bounds: fixed delays, instant disks, links that never heal, one seed of timeouts for
//! each run.

pub mod graph;
pub mod group;
pub mod judge;
pub mod report;
pub mod sabotage;
