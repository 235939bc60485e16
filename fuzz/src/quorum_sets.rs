//! Sets of members and majorities against counting on fingers.

use quorum::{Joint, Majority, Member, MemberSet, Outcome};

use crate::bytes::Bytes;

/// Compares a configuration, a vote and a commit that `data` describes with the naive ones.
///
/// # Panics
///
/// When they differ.
pub fn quorum_sets(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let narrow = bytes.one_in(2);
    let set = |bytes: &mut Bytes<'_>| {
        let bits = bytes.number(7);
        if narrow { bits & 0xff } else { bits }
    };
    let incoming = set(&mut bytes);
    let outgoing = bytes.one_in(2).then(|| set(&mut bytes));
    let (granted, refused) = (set(&mut bytes), set(&mut bytes));
    let values: Vec<u64> = (0..Member::COUNT_MAX).map(|_| bytes.number(40)).collect();
    sets(incoming, granted);
    let sides: Vec<u64> = [Some(incoming), outgoing].into_iter().flatten().collect();
    let joint = Joint::new(
        MemberSet::from_bits(incoming),
        outgoing.map(MemberSet::from_bits),
    );
    assert_eq!(joint.is_joint(), outgoing.is_some());
    assert_eq!(
        joint.members().bits(),
        sides.iter().fold(0, |all, side| all | side)
    );
    let is_quorum = |agreeing: u64| {
        sides
            .iter()
            .all(|side| 2 * (agreeing & side).count_ones() > side.count_ones())
    };
    let of = MemberSet::from_bits;
    assert_eq!(joint.is_quorum(of(granted)), is_quorum(granted));
    // Who has not refused may still grant.
    let expected = if is_quorum(granted & !refused) {
        Outcome::Won
    } else if is_quorum(!refused) {
        Outcome::Pending
    } else {
        Outcome::Lost
    };
    assert_eq!(joint.outcome(of(granted), of(refused)), expected);
    let committed = values
        .iter()
        .copied()
        .filter(|least| {
            let reached = (0..64).filter(|place| values[*place] >= *least);
            is_quorum(reached.fold(0, |set, place| set | 1 << place))
        })
        .max()
        .unwrap_or(0);
    assert_eq!(joint.committed(|member| values[member.index()]), committed);
    if outgoing.is_none() {
        let majority = Majority::new(of(incoming));
        assert_eq!(majority.size() as u32, incoming.count_ones() / 2 + 1);
        assert_eq!(majority.is_quorum(of(granted)), is_quorum(granted));
        assert_eq!(majority.outcome(of(granted), of(refused)), expected);
        assert_eq!(
            majority.committed(|member| values[member.index()]),
            committed
        );
    }
}

fn sets(one: u64, other: u64) {
    let (a, b) = (MemberSet::from_bits(one), MemberSet::from_bits(other));
    assert_eq!(a.union(b).bits(), one | other);
    assert_eq!(a.intersection(b).bits(), one & other);
    assert_eq!(a.difference(b).bits(), one & !other);
    assert_eq!(a.is_subset(b), one & !other == 0);
    assert_eq!(a.len() as u32, one.count_ones());
    assert_eq!(a.is_empty(), one == 0);
    let places: Vec<usize> = a.iter().map(Member::index).collect();
    let naive: Vec<usize> = (0..64).filter(|place| one >> place & 1 == 1).collect();
    assert_eq!(places, naive);
    assert_eq!(a.iter().collect::<MemberSet>(), a);
    let mut c = a;
    if let Some(member) = Member::new((other % 70) as usize) {
        let had = one >> member.index() & 1 == 1;
        assert_eq!(c.contains(member), had);
        assert_eq!(c.insert(member), !had);
        assert_eq!(c.bits(), one | 1 << member.index());
        assert!(c.remove(member) && !c.remove(member));
        assert_eq!(c.bits(), one & !(1 << member.index()));
    } else {
        assert!(other % 70 >= 64);
    }
}
