//! What the engine explores: states that are small plain values, and the steps between them.

/// A way on from a state.
#[derive(Clone, Copy, Debug)]
pub struct Step<S, A> {
    /// What happens.
    pub action: A,
    /// The state after it.
    pub state: S,
    /// Its fingerprint.
    pub print: u64,
    /// The invariant that this step breaks, if it does.
    pub broken: Option<&'static str>,
}

/// A set of states given by its beginning and the steps from each state.
///
/// Everything is a function of the state: the same state has the same steps in the same order,
/// whenever it is asked.
pub trait Space {
    /// A packed state: the engine keeps millions of them.
    type State: Copy;
    /// The name of a step among those of its state.
    type Action: Copy;

    /// Where it begins.
    fn initial(&mut self) -> Self::State;

    /// Writes the steps from `state` into `steps`, which is empty.
    fn expand(&mut self, state: &Self::State, steps: &mut Vec<Step<Self::State, Self::Action>>);

    /// The fingerprint of a state, never the same for states that differ except by chance, and
    /// the same for states that differ only by a symmetry.
    fn fingerprint(&self, state: &Self::State) -> u64;

    /// The invariant that a state breaks by itself.
    fn broken(&mut self, state: &Self::State) -> Option<&'static str> {
        let _ = state;
        None
    }

    /// A step in words.
    fn describe(&self, before: &Self::State, action: Self::Action) -> String;

    /// About how much memory is taken by what is known of the space, in bytes.
    fn bytes(&self) -> u64 {
        0
    }

    /// How many steps the bounds of this space left out: each is a way on that was not taken.
    fn left_out(&self) -> u64 {
        0
    }
}

/// Mixes a word so that each of its bits reaches all others (the finalizer of SplitMix64,
/// `[Steele14]`).
#[inline]
#[must_use]
pub const fn mix(word: u64) -> u64 {
    let mut mixed = word;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Adds a word to a fingerprint of a sequence.
#[inline]
#[must_use]
pub const fn fold(fingerprint: u64, word: u64) -> u64 {
    mix(fingerprint.rotate_left(5) ^ word.wrapping_add(0x9e37_79b9_7f4a_7c15))
}
